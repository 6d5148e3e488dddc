/**
 * Run-time abstraction services, reached by H_RTAS: the guest gives the address of an argument buffer, big-endian words whatever its byte order: token, number
 * of inputs, number of outputs, inputs, outputs. LoPAR 1.1, chapter 7. Tokens are those of QEMU's pseries; the device tree names them.
 */
import type { Vcpu } from '@countervisor/contract';
import { H } from './papr.ts';

/** Status words. LoPAR, 7.2.8. */
const SUCCESS = 0;
const PARAMETER_ERROR = -3;

/** Query-cpu-stopped-state's answers. */
const STOPPED = 0;
const STARTED = 2;

/** The domain's clock began then: 2000-01-01T00:00:00Z. */
const EPOCH = 946_684_800;

/** [year, month, day, hour, minute, second] of seconds since 1970, UTC. After Howard Hinnant's civil calendar, from the rule of 400 years. */
export function civil(seconds: number): readonly number[] {
  const days = Math.floor(seconds / 86_400);
  const rest = seconds - days * 86_400;
  // Years begin in March, so that the leap day is the last of its year.
  const since = days + 719_468;
  const era = Math.floor(since / 146_097);
  const day = since - era * 146_097;
  const year = Math.floor((day - Math.floor(day / 1460) + Math.floor(day / 36_524) - Math.floor(day / 146_096)) / 365);
  const ofYear = day - (365 * year + Math.floor(year / 4) - Math.floor(year / 100));
  const shifted = Math.floor((5 * ofYear + 2) / 153);
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  return [
    era * 400 + year + (month <= 2 ? 1 : 0),
    month,
    ofYear - Math.floor((153 * shifted + 2) / 5) + 1,
    Math.floor(rest / 3600),
    Math.floor(rest / 60) % 60,
    rest % 60,
  ];
}

interface Service {
  readonly token: number;
  readonly inputs: number;
  /** Of outputs, the status among them. */
  readonly outputs: number;
  /** Gives the outputs, the status first. */
  call(vcpu: Vcpu, inputs: readonly number[]): readonly number[];
}

const known = (vcpu: Vcpu, thread: number): boolean => thread < vcpu.siblings;

/** By name, as /rtas has them. */
export const SERVICES: Readonly<Record<string, Service>> = {
  'display-character': {
    token: 0x2000,
    inputs: 1,
    outputs: 1,
    call(vcpu, [character = 0]) {
      vcpu.console(character & 0xff);
      return [SUCCESS];
    },
  },
  'get-time-of-day': {
    token: 0x2001,
    inputs: 0,
    outputs: 8,
    call(vcpu) {
      const nanoseconds = vcpu.now % 1_000_000_000n;
      const seconds = EPOCH + Number(vcpu.now / 1_000_000_000n);
      return [SUCCESS, ...civil(seconds), Number(nanoseconds)];
    },
  },
  'power-off': {
    token: 0x2003,
    inputs: 2,
    outputs: 1,
    call(vcpu) {
      vcpu.domain.exit('poweroff', 0);
      return [SUCCESS];
    },
  },
  'system-reboot': {
    token: 0x2004,
    inputs: 0,
    outputs: 1,
    call(vcpu) {
      vcpu.domain.exit('reset', 0);
      return [SUCCESS];
    },
  },
  'query-cpu-stopped-state': {
    token: 0x2005,
    inputs: 1,
    outputs: 2,
    call(vcpu, [thread = 0]) {
      if (!known(vcpu, thread)) return [PARAMETER_ERROR];
      return [SUCCESS, vcpu.domain.isOn(thread) ? STARTED : STOPPED];
    },
  },
  'start-cpu': {
    token: 0x2006,
    inputs: 3,
    outputs: 1,
    call(vcpu, [thread = 0, entry = 0, argument = 0]) {
      if (!known(vcpu, thread)) return [PARAMETER_ERROR];
      return [vcpu.domain.start(thread, BigInt(entry), BigInt(argument)) ? SUCCESS : -1];
    },
  },
  'stop-self': {
    token: 0x2007,
    inputs: 0,
    outputs: 1,
    call(vcpu) {
      vcpu.domain.stop();
      return [SUCCESS];
    },
  },
};

/** What old kernels call without looking it up. QEMU answers it, too. */
const EARLY_DISPLAY = 0xa;

const MOST = 16;

/** H_RTAS. */
export function rtas(vcpu: Vcpu, at: bigint): bigint {
  const header = vcpu.domain.read(at, 12);
  if (header === undefined) return H.PARAMETER;
  const words = new DataView(header.buffer, header.byteOffset);
  const [token, inputs, outputs] = [words.getUint32(0), words.getUint32(4), words.getUint32(8)];
  if (inputs > MOST || outputs > MOST) return H.PARAMETER;
  const bytes = vcpu.domain.read(at + 12n, 4 * inputs) ?? new Uint8Array(0);
  const given = Array.from({ length: bytes.length >> 2 }, (_, n) =>
    new DataView(bytes.buffer, bytes.byteOffset).getUint32(4 * n),
  );
  if (given.length < inputs) return H.PARAMETER;
  const back = (results: readonly number[]): boolean => {
    const out = new DataView(new ArrayBuffer(4 * Math.min(results.length, outputs)));
    for (let n = 0; n < out.byteLength >> 2; n++) out.setInt32(4 * n, results[n] ?? 0);
    return vcpu.domain.write(at + 12n + BigInt(4 * inputs), new Uint8Array(out.buffer));
  };
  const service =
    token === EARLY_DISPLAY
      ? SERVICES['display-character']
      : Object.values(SERVICES).find((one) => one.token === token);
  if (service === undefined) {
    back([PARAMETER_ERROR]);
    return H.PARAMETER;
  }
  const wrong = inputs !== service.inputs || outputs !== service.outputs;
  return back(wrong ? [PARAMETER_ERROR] : service.call(vcpu, given)) ? H.SUCCESS : H.PARAMETER;
}
