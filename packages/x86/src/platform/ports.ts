/**
 * The small devices of a PC that images touch while they start: interrupt controllers that are masked, timers that are read, a clock, a PCI bus without
 * devices, the keyboard controller's reset, and QEMU's ways out. None of them has an interrupt: each says so where it would.
 *
 * Intel 8259A and 8254 data sheets; Motorola MC146818; PCI local bus 3.0, 3.2.2.3.2; QEMU docs/specs (fw_cfg, isa-debug-exit, isa-debugcon, Bochs shutdown port).
 */
import type { Device, Vcpu, View } from '@countervisor/contract';

interface Ports {
  readonly name: string;
  readonly base: number;
  readonly size: number;
  readonly sizes?: Device['sizes'];
}

const at = ({ name, base, size, sizes = [1] }: Ports): Pick<Device, 'name' | 'per' | 'space' | 'range' | 'sizes'> => ({
  name,
  per: 'domain',
  space: 'io',
  range: { base: BigInt(base), size },
  sizes,
});

type Pic = { mask: number; step: number; vectors: number; single: number; icw4: number };

/** One 8259A: its mask, and the four words that initialise it. It has no request, ever. */
function pic(name: string, base: number): Device {
  return {
    ...at({ name, base, size: 2 }),
    state: (): Pic => ({ mask: 0xff, step: 0, vectors: 0, single: 0, icw4: 0 }),
    read: (view, offset) => (offset === 1 ? view.device<Pic>(name).mask : 0),
    write(vcpu, offset, _size, written) {
      const own = vcpu.device<Pic>(name);
      const value = Number(written);
      if (offset === 0) {
        // ICW1 has bit 4; OCW2 and OCW3 end and select what there never is.
        if ((value & 0x10) !== 0) Object.assign(own, { step: 2, mask: 0, single: (value >> 1) & 1, icw4: value & 1 });
      } else if (own.step === 2) {
        own.vectors = value & 0xf8;
        own.step = own.single === 1 ? (own.icw4 === 1 ? 4 : 0) : 3;
      } else if (own.step === 3) own.step = own.icw4 === 1 ? 4 : 0;
      else if (own.step === 4) own.step = 0;
      else own.mask = value;
      return true;
    },
  };
}

/** One counter of the 8254. `loaded`: cycles when the count began; -1 while it waits. */
type Pit = {
  mode: number[];
  access: number[];
  reload: number[];
  loaded: number[];
  /** Next byte to read and to write: 0 low, 1 high. */
  reads: number[];
  writes: number[];
  /** A latched count, -1 for none. */
  latch: number[];
  /** What the last read gave. */
  value: number;
  gate: number;
};

const PIT = 'pit';
/** Its clock, hertz. */
const PIT_HZ = 1_193_182;

const ticksSince = (view: View, loaded: number): number =>
  Math.floor(((Number(view.now) - loaded) * PIT_HZ) / 1_000_000_000);

/** The count of one counter: down from the reload value, over and over in modes 2 and 3, once in the others. */
function count(view: View, pit: Pit, n: number): number {
  const reload = (pit.reload[n] as number) === 0 ? 0x1_0000 : (pit.reload[n] as number);
  const loaded = pit.loaded[n] as number;
  if (loaded < 0) return reload & 0xffff;
  const elapsed = ticksSince(view, loaded);
  const mode = (pit.mode[n] as number) & 3;
  if (mode === 2) return (reload - (elapsed % reload)) & 0xffff;
  if (mode === 3) return (reload - ((2 * elapsed) % reload)) & 0xffff;
  return (reload - elapsed) & 0xffff;
}

/** The output of counter 2, which port 0x61 shows: high once a mode 0 count has reached 0. */
function output(view: View, pit: Pit): boolean {
  const loaded = pit.loaded[2] as number;
  if (loaded < 0) return (pit.mode[2] as number) !== 0;
  const reload = (pit.reload[2] as number) === 0 ? 0x1_0000 : (pit.reload[2] as number);
  const elapsed = ticksSince(view, loaded);
  const mode = (pit.mode[2] as number) & 3;
  if (mode === 3) return elapsed % reload < reload / 2;
  return mode === 2 ? elapsed % reload !== reload - 1 : elapsed >= reload;
}

function command(vcpu: Vcpu, pit: Pit, value: number): void {
  const n = value >> 6;
  if (n === 3) return;
  const access = (value >> 4) & 3;
  if (access === 0) {
    if ((pit.latch[n] as number) < 0) pit.latch[n] = count(vcpu, pit, n);
    return;
  }
  pit.access[n] = access;
  pit.mode[n] = (value >> 1) & 7;
  pit.reads[n] = access === 2 ? 1 : 0;
  pit.writes[n] = access === 2 ? 1 : 0;
  pit.loaded[n] = -1;
  pit.latch[n] = -1;
}

const pit: Device = {
  ...at({ name: PIT, base: 0x40, size: 4 }),
  state: (): Pit => ({
    mode: [0, 0, 0],
    access: [3, 3, 3],
    reload: [0, 0, 0],
    loaded: [-1, -1, -1],
    reads: [0, 0, 0],
    writes: [0, 0, 0],
    latch: [-1, -1, -1],
    value: 0,
    gate: 0,
  }),
  reading(vcpu, n) {
    if (n === 3) return;
    const own = vcpu.device<Pit>(PIT);
    const latched = own.latch[n] as number;
    const value = latched < 0 ? count(vcpu, own, n) : latched;
    const high = own.reads[n] === 1;
    own.value = high ? value >> 8 : value & 0xff;
    if (own.access[n] !== 3) own.latch[n] = -1;
    else {
      own.reads[n] = high ? 0 : 1;
      if (high) own.latch[n] = -1;
    }
  },
  read: (view, n) => (n === 3 ? undefined : view.device<Pit>(PIT).value),
  write(vcpu, n, _size, written) {
    const own = vcpu.device<Pit>(PIT);
    const value = Number(written);
    if (n === 3) {
      command(vcpu, own, value);
      return true;
    }
    const before = own.reload[n] as number;
    const high = own.writes[n] === 1;
    own.reload[n] = high ? (before & 0xff) | (value << 8) : own.access[n] === 1 ? value : (before & 0xff00) | value;
    if (own.access[n] === 3) own.writes[n] = high ? 0 : 1;
    if (own.access[n] !== 3 || high) own.loaded[n] = Number(vcpu.now);
    return true;
  },
};

type Control = { bits: number };

/** Port 0x61: the gate of counter 2, and its output in bit 5. */
const control: Device = {
  ...at({ name: 'port61', base: 0x61, size: 1 }),
  state: (): Control => ({ bits: 0 }),
  read: (view) => view.device<Control>('port61').bits | (output(view, view.device<Pit>(PIT)) ? 0x20 : 0),
  write(vcpu, _offset, _size, value) {
    vcpu.device<Control>('port61').bits = Number(value) & 3;
    return true;
  },
};

type Rtc = { index: number; ram: number[] };

/** The clock stands at midnight of 1 January 2000: a run is the same every day. BCD, 24 hours. */
const RTC_FIXED: Readonly<Record<number, number>> = {
  0: 0,
  2: 0,
  4: 0,
  6: 7,
  7: 1,
  8: 1,
  9: 0,
  10: 0x26,
  11: 2,
  12: 0,
  13: 0x80,
  50: 0x20,
};

const rtc: Device = {
  ...at({ name: 'rtc', base: 0x70, size: 2 }),
  state: (): Rtc => ({ index: 0, ram: Array(128).fill(0) }),
  read(view, offset) {
    const own = view.device<Rtc>('rtc');
    return offset === 0 ? 0xff : (RTC_FIXED[own.index] ?? own.ram[own.index]);
  },
  write(vcpu, offset, _size, written) {
    const own = vcpu.device<Rtc>('rtc');
    // Bit 7 of the index keeps NMIs out on a PC; nothing sends one there.
    if (offset === 0) own.index = Number(written) & 0x7f;
    else own.ram[own.index] = Number(written);
    return true;
  },
};

type Pci = { address: number };

/** Configuration space of a bus on which nobody answers: reads are all ones. */
const pci: Device = {
  ...at({ name: 'pci', base: 0xcf8, size: 8, sizes: [1, 2, 4] }),
  state: (): Pci => ({ address: 0 }),
  read(view, offset, size) {
    if (offset === 0 && size === 4) return view.device<Pci>('pci').address >>> 0;
    return 0xffff_ffff;
  },
  write(vcpu, offset, size, value) {
    if (offset === 0 && size === 4) vcpu.device<Pci>('pci').address = Number(value) & 0x80ff_fffc;
    return true;
  },
};

type Firmware = { key: number; at: number; value: number };

const FW = 'fw_cfg';

/** QEMU docs/specs/fw_cfg: little-endian items by key. 0x05 CPUs, 0x0f CPUs at most, 0x11 the interface's entry (absent: 0), 1 the interface's version. */
function item(view: View, key: number): readonly number[] {
  const cpus = [view.siblings & 0xff, view.siblings >> 8];
  switch (key) {
    case 0x00:
      return [0x51, 0x45, 0x4d, 0x55];
    case 0x01:
      return [1, 0, 0, 0];
    case 0x05:
    case 0x0f:
      return cpus;
    default:
      return [];
  }
}

/** Bytes beyond an item, and of items that are absent, read as 0. */
const firmware: Device = {
  ...at({ name: FW, base: 0x510, size: 2, sizes: [1, 2] }),
  state: (): Firmware => ({ key: 0, at: 0, value: 0 }),
  reading(vcpu, offset) {
    if (offset !== 1) return;
    const own = vcpu.device<Firmware>(FW);
    own.value = item(vcpu, own.key)[own.at] ?? 0;
    own.at++;
  },
  read: (view, offset, size) => (offset === 1 && size === 1 ? view.device<Firmware>(FW).value : undefined),
  write(vcpu, offset, size, value) {
    if (offset !== 0 || size !== 2) return false;
    Object.assign(vcpu.device<Firmware>(FW), { key: Number(value) & 0xffff, at: 0 });
    return true;
  },
};

/** isa-debug-exit: the domain ends with (value << 1) | 1. */
const exit: Device = {
  ...at({ name: 'debug-exit', base: 0xf4, size: 4, sizes: [1, 2, 4] }),
  state: () => ({}),
  read: () => 0,
  write(vcpu, _offset, _size, value) {
    vcpu.domain.exit('poweroff', ((Number(value) << 1) | 1) >>> 0);
    return true;
  },
};

/** Port 0xE9: a byte to the console; it reads as its own number. */
const debugConsole: Device = {
  ...at({ name: 'debugcon', base: 0xe9, size: 1 }),
  state: () => ({}),
  read: () => 0xe9,
  write(vcpu, _offset, _size, value) {
    vcpu.console(Number(value));
    return true;
  },
};

type Shutdown = { matched: number };

const WORD = 'Shutdown';

/** Bochs' shutdown port: the word, byte by byte. The domain ends with status 0, which tells nothing. */
const shutdown: Device = {
  ...at({ name: 'shutdown', base: 0x8900, size: 1 }),
  state: (): Shutdown => ({ matched: 0 }),
  read: () => 0,
  write(vcpu, _offset, _size, value) {
    const own = vcpu.device<Shutdown>('shutdown');
    const byte = Number(value);
    own.matched = byte === WORD.charCodeAt(own.matched) ? own.matched + 1 : byte === WORD.charCodeAt(0) ? 1 : 0;
    if (own.matched === WORD.length) vcpu.domain.exit('poweroff', 0);
    return true;
  },
};

/** The keyboard controller's command port: 0xFE resets the machine. Nobody types. */
const keyboard: Device = {
  ...at({ name: 'keyboard', base: 0x64, size: 1 }),
  state: () => ({}),
  read: () => 0,
  write(vcpu, _offset, _size, value) {
    if (Number(value) === 0xfe) vcpu.domain.exit('reset', 0);
    return true;
  },
};

type Last = { value: number };

/** The diagnostic port, which delays by being written. */
const post: Device = {
  ...at({ name: 'post', base: 0x80, size: 1 }),
  state: (): Last => ({ value: 0 }),
  read: (view) => view.device<Last>('post').value,
  write(vcpu, _offset, _size, value) {
    vcpu.device<Last>('post').value = Number(value);
    return true;
  },
};

export const ports: readonly Device[] = [
  pic('pic1', 0x20),
  pic('pic2', 0xa0),
  pit,
  control,
  keyboard,
  rtc,
  post,
  debugConsole,
  exit,
  firmware,
  pci,
  shutdown,
];
