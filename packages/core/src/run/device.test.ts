/** A guest at its devices: what answers, what is refused by name, and where nothing is. */
import type { Arch, Device, Vcpu } from '@countervisor/contract';
import { asm, template } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { CONSOLE_LIMIT } from '../domain.ts';
import { type Asked, CONSOLE, guest, type Line, ran, TIMER, times, vector } from '../testing/guest.ts';

const { addi, label, load, movi, nop, readreg, ret, store } = asm;

/** Lines with a handler behind them that leaves CAUSE in R7 and the address in R6. */
const caught = (lines: readonly Line[], asked: Asked = {}) =>
  ran(
    [
      ...vector('on'),
      movi('R6', 0),
      movi('R7', 0),
      movi('R5', 0x55),
      ...lines,
      movi('R7', 0),
      movi('R6', 0),
      asm.jump('end'),
      label('on'),
      readreg('R7', 'CAUSE'),
      readreg('R6', 'FAULT'),
      label('end'),
    ],
    asked,
  );

const tiny = template.platforms.tiny as (typeof template.platforms)[string];
const withDevices = (...devices: Device[]): Arch =>
  ({ ...template, platforms: { tiny: { ...tiny, devices: [...tiny.devices, ...devices] } } }) as unknown as Arch;

describe('a device', () => {
  it('answers at its registers', () => {
    const g = caught([
      movi('R3', CONSOLE),
      movi('R4', 0x41),
      store('R4', 'R3', 0),
      movi('R4', 0x42),
      store('R4', 'R3', 0),
      load('R5', 'R3', 0),
    ]);
    expect([g.domain.console, g.get('R5'), g.get('R7')]).toEqual(['AB', 2n, 0n]);
  });

  it('has a state for each vCPU, or one for the domain', () => {
    const g = guest([], { vcpus: 2 });
    const [first, second] = g.domain.vcpus;
    g.domain.device('timer', 0).compare = 5n;
    expect(first?.handle.device('timer')).toEqual({ compare: 5n });
    expect(second?.handle.device('timer')).toEqual({ compare: 0n });
    expect(first?.handle.device('timer', 1)).toEqual({ compare: 0n });
    expect(first?.handle.device('console')).toBe(second?.handle.device('console', 0));
    expect(() => first?.handle.device('printer')).toThrow('the platform tiny has no device printer');
  });

  const seen: unknown[] = [];
  const register: Device = {
    name: 'register',
    per: 'domain',
    range: { base: 0x400n, size: 32 },
    sizes: [8],
    state: () => ({ reads: 0, value: 0n }),
    reading: (vcpu, offset) => {
      vcpu.device<{ reads: number }>('register').reads += offset === 8 ? 100 : 1;
    },
    read: (vcpu, offset) => (offset < 16 ? vcpu.device<{ reads: number }>('register').reads - 1000 : undefined),
    write: (_, offset, size, value) => {
      seen.push([offset, size, value]);
      return offset < 16;
    },
  };

  it('is read after what the read does, cut to its size; and gets the whole value of a write', () => {
    seen.length = 0;
    const g = caught(
      [movi('R3', 0x400), load('R4', 'R3', 8), load('R5', 'R3', 0), movi('R1', -2), store('R1', 'R3', 8)],
      { arch: withDevices(register) },
    );
    expect(g.all('R4', 'R5')).toEqual([2n ** 64n - 900n, 2n ** 64n - 899n]);
    expect(seen).toEqual([[8, 8, 2n ** 64n - 2n]]);
  });

  it('has interrupts looked at behind a write, and behind a read with an effect', () => {
    // The line is up once the device has been touched.
    const touch = (v: Vcpu): boolean => {
      v.device<{ up: number }>('touched').up = 1;
      return true;
    };
    const touched: Device = {
      ...register,
      name: 'touched',
      state: () => ({ up: 0 }),
      reading: (v) => void touch(v),
      read: () => 7,
      write: touch,
    };
    const platform = {
      ...tiny,
      devices: [...tiny.devices, touched],
      interrupt: (view: Parameters<typeof tiny.interrupt>[0]) =>
        view.device<{ up: number }>('touched').up === 1 && view.field('STATUS', 'IE') === 1n
          ? { kind: 'interrupt' }
          : undefined,
    };
    const arch = { ...template, platforms: { tiny: platform } } as unknown as Arch;
    for (const access of [load('R4', 'R3', 0), store('R4', 'R3', 0)]) {
      const g = ran(
        [
          ...vector('on'),
          movi('R2', 1),
          asm.writereg('STATUS', 'R2'),
          movi('R3', 0x400),
          access,
          label('here'),
          ...times(5, nop()),
          label('on'),
          readreg('R5', 'EPC'),
          movi('R6', 'here'),
        ],
        { arch },
      );
      expect(g.get('R5')).toBe(g.get('R6'));
    }
  });
});

describe('what is not modelled', () => {
  const message = (did: string, size: number, offset: string, device: string, pc: string): string =>
    `CV_UNMODELLED_DEVICE_REGISTER a: the guest ${did} ${size} bytes at offset ${offset} of ${device} at pc ${pc}, which the platform tiny does not model.`;
  // Two of `vector` and three more stand before the lines.
  const at = (n: number): string => `0x${(0x1000 + 4 * (5 + n)).toString(16)}`;

  it.each<[string, Line[], bigint, string[]]>([
    [
      'a register of a device that is none: read',
      [movi('R3', TIMER), load('R5', 'R3', 4)],
      0x204n,
      [message('read', 8, '0x4', 'timer', at(1))],
    ],
    ['written', [movi('R3', TIMER), store('R5', 'R3', 4)], 0x204n, [message('wrote', 8, '0x4', 'timer', at(1))]],
    [
      'beyond its last byte',
      [movi('R3', CONSOLE), load('R5', 'R3', 1)],
      0x101n,
      [message('read', 8, '0x1', 'console', at(1))],
    ],
  ])('%s: a bus fault, said once and truly', (_, lines, address, said) => {
    const g = caught(lines);
    expect(g.all('R5', 'R6', 'R7')).toEqual([0x55n, address, 5n]);
    expect(g.said).toEqual(said);
  });

  it.each<[string, Line[], string]>([
    ['read', [movi('R3', 0x800), load('R5', 'R3', 0)], 'read physical 0x800 at pc'],
    ['written', [movi('R3', 0x800), store('R5', 'R3', 0)], 'wrote physical 0x800 at pc'],
  ])('%s where nothing is: a bus fault, said so', (_, lines, words) => {
    const g = caught(lines);
    expect(g.all('R5', 'R6', 'R7')).toEqual([0x55n, 0x800n, 5n]);
    expect(g.said).toHaveLength(1);
    expect(g.said[0]).toContain(`CV_NOTHING_THERE a: the guest ${words}`);
    expect(g.said[0]).toContain('where there is no memory and no device.');
  });

  it.each([
    ['nowhere', 0x800],
    ['a device', CONSOLE],
  ] as const)('code from %s is no code', (_, address) => {
    const g = caught([movi('R7', address), ret()]);
    expect(g.all('R6', 'R7')).toEqual([BigInt(address), 5n]);
    expect(g.said).toEqual([
      `CV_NOTHING_THERE a: the guest fetched an instruction from physical 0x${address.toString(16)} at pc 0x${address.toString(16)}, where there is no memory.`,
    ]);
  });

  it("unmodelled: 'ignore': reads 0, drops writes, and says so", () => {
    const g = caught([movi('R3', TIMER), load('R5', 'R3', 4), store('R3', 'R3', 4), load('R4', 'R3', 0)], {
      unmodelled: 'ignore',
    });
    expect(g.all('R5', 'R4', 'R7')).toEqual([0n, 0n, 0n]);
    expect(g.said).toEqual([message('read', 8, '0x4', 'timer', at(1)), message('wrote', 8, '0x4', 'timer', at(2))]);
    // Where no device is, there is nothing to ignore.
    expect(caught([movi('R3', 0x800), load('R5', 'R3', 0)], { unmodelled: 'ignore' }).get('R7')).toBe(5n);
  });

  it('a size that a device does not answer', () => {
    // The template's loads have eight bytes; this device wants four.
    const four: Device = {
      name: 'four',
      per: 'domain',
      range: { base: 0x400n, size: 16 },
      sizes: [4],
      state: () => ({}),
      read: () => 1,
      write: () => true,
    };
    const g = caught([movi('R3', 0x400), load('R5', 'R3', 8)], { arch: withDevices(four) });
    expect(g.get('R7')).toBe(5n);
    expect(g.said).toEqual([message('read', 8, '0x8', 'four', at(1))]);
  });

  it('a device without a way to be read or written; and one without a range', () => {
    const mute: Device = {
      name: 'mute',
      per: 'domain',
      range: { base: 0x400n, size: 16 },
      sizes: [8],
      state: () => ({}),
    };
    const inner: Device = { name: 'inner', per: 'domain', sizes: [8], state: () => ({ x: 1 }), read: () => 1 };
    const arch = withDevices(mute, inner);
    expect(caught([movi('R3', 0x400), load('R5', 'R3', 8)], { arch }).get('R7')).toBe(5n);
    expect(caught([movi('R3', 0x400), store('R5', 'R3', 8)], { arch }).get('R7')).toBe(5n);
    expect(guest([], { arch }).domain.device('inner', 0)).toEqual({ x: 1 });
  });

  it('many places are said two hundred times, the same place once', () => {
    const g = ran([
      ...vector('skip'),
      movi('R3', 0),
      movi('R5', 300),
      label('again'),
      load('R4', 'R3', 0x500),
      addi('R3', 'R3', 1),
      addi('R5', 'R5', -1),
      asm.bnez('R5', 'again'),
      asm.jump('end'),
      label('skip'),
      readreg('R6', 'EPC'),
      addi('R6', 'R6', 4),
      asm.writereg('EPC', 'R6'),
      asm.sysret(),
      label('end'),
    ]);
    // And one more: that there are more.
    expect(g.said).toHaveLength(201);
    expect(new Set(g.said).size).toBe(201);
    expect(g.said[200]).toMatch(/^CV_MORE a: 200 different things/);
  });
});

describe('the console', () => {
  it('is text, whatever bytes there are', () => {
    const g = guest([]);
    for (const byte of [0x63, 0xc3, 0xa9, 0xff, 0x0a]) g.v.handle.console(byte);
    expect(g.domain.console).toBe('cé\ufffd\n');
    expect([...g.domain.consoleBytes()]).toEqual([0x63, 0xc3, 0xa9, 0xff, 0x0a]);
    g.v.handle.console(0x141);
    expect(g.domain.consoleBytes().at(-1)).toBe(0x41);
  });

  it('has a limit; what is beyond is counted', () => {
    const g = guest([]);
    let told = 0;
    for (let i = 0; i < CONSOLE_LIMIT; i++) g.domain.print(0x61);
    g.machine.events.on('console', () => told++);
    expect(g.domain.dropped).toBe(0);
    g.domain.print(0x62);
    g.domain.print(0x62);
    expect([g.domain.consoleBytes().length, g.domain.consoleBytes().at(-1), g.domain.dropped, told]).toEqual([
      CONSOLE_LIMIT,
      0x61,
      2,
      0,
    ]);
  });

  it('is told byte by byte', () => {
    const g = guest([movi('R3', CONSOLE), movi('R4', 0x168), store('R4', 'R3', 0)]);
    const bytes: unknown[] = [];
    g.machine.events.on('console', (e) => bytes.push(e));
    g.run();
    expect(bytes).toEqual([{ domain: 'a', byte: 0x68 }]);
  });
});
