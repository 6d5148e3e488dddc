/** The memory-mapped CPU interface of a GICv2. Arm IHI 0048B, 4.4. */
import type { Device, Vcpu, View } from '@countervisor/contract';
import { IIDR } from './banks.ts';
import {
  acknowledge,
  cpuInterface,
  deactivate,
  drop,
  gicVersion,
  highest,
  type Interface,
  LEAST_POINT,
  local,
  NONE,
  newInterface,
  PRIORITY,
  running,
  signalled,
} from './gic.ts';

const CTLR = 0x00;
const PMR = 0x04;
const BPR = 0x08;
const IAR = 0x0c;
const EOIR = 0x10;
const RPR = 0x14;
const HPPIR = 0x18;
const ABPR = 0x1c;
const AIAR = 0x20;
const AEOIR = 0x24;
const AHPPIR = 0x28;
const APR0 = 0xd0;
const NSAPR0 = 0xe0;
const IIDR_OFFSET = 0xfc;
const DIR = 0x1000;

/** Acknowledging a Group 1 interrupt through GICC_IAR without AckCtl. */
const GROUP1 = 1022;

/** What acknowledging an SGI reports beside its number: the sender, in bits 12:10. */
const withSender = (id: number, sender: number): number => (id < 16 ? id | (sender << 10) : id);

/** The INTID that a read of GICC_IAR or GICC_AIAR acknowledges, or 1022 or 1023, which acknowledge nothing. */
function answer(view: View, alias: boolean): number {
  const found = signalled(view);
  if (found === undefined) return NONE;
  if (alias) return found.group === 1 ? found.id : NONE;
  return found.group === 1 && cpuInterface(view).acknowledge === 0 ? GROUP1 : found.id;
}

/** What a vCPU's last read of GICC_IAR or GICC_AIAR gave: the read acknowledges first, and shows this then. */
type Gicc = Interface & { read: number };

function highestPending(view: View, alias: boolean): number {
  const found = highest(view, 3);
  if (found === undefined) return NONE;
  if (alias) return found.group === 1 ? found.id : NONE;
  if (found.group === 1 && cpuInterface(view).acknowledge === 0) return GROUP1;
  const senders = found.id < 16 ? (local(view).senders[found.id] as number) : 0;
  return withSender(found.id, senders === 0 ? 0 : 31 - Math.clz32(senders & -senders));
}

function control(gicc: Interface): number {
  const [group0, group1] = gicc.enabled as [number, number];
  return group0 | (group1 << 1) | (gicc.acknowledge << 2) | (gicc.fiq << 3) | (gicc.common << 4) | (gicc.split << 9);
}

function setControl(gicc: Interface, value: number): void {
  gicc.enabled = [value & 1, (value >> 1) & 1];
  gicc.acknowledge = (value >> 2) & 1;
  gicc.fiq = (value >> 3) & 1;
  gicc.common = (value >> 4) & 1;
  gicc.split = (value >> 9) & 1;
}

function read(view: View, offset: number): number | undefined {
  if (gicVersion(view) !== 2) return undefined;
  const gicc = view.device<Gicc>('gicc');
  switch (offset) {
    case CTLR:
      return control(gicc);
    case PMR:
      return gicc.pmr;
    case BPR:
      return gicc.bpr[0];
    case ABPR:
      return gicc.bpr[1];
    case IAR:
    case AIAR:
      return gicc.read;
    case RPR:
      return running(gicc);
    case HPPIR:
      return highestPending(view, false);
    case AHPPIR:
      return highestPending(view, true);
    case APR0:
      return (gicc.active[0] as number) >>> 0;
    case NSAPR0:
      return (gicc.active[1] as number) >>> 0;
    case IIDR_OFFSET:
      return IIDR | (2 << 16);
    // Write-only.
    case EOIR:
    case AEOIR:
    case DIR:
      return 0;
    default:
      return undefined;
  }
}

function end(vcpu: Vcpu, value: number, groups: number): void {
  const id = value & 0x3ff;
  if (id >= GROUP1 || !drop(vcpu, groups)) return;
  if (cpuInterface(vcpu).split === 0) deactivate(vcpu, id);
}

function write(vcpu: Vcpu, offset: number, _size: number, written: number | bigint): boolean {
  if (gicVersion(vcpu) !== 2) return false;
  const gicc = cpuInterface(vcpu);
  const value = Number(written);
  switch (offset) {
    case CTLR:
      setControl(gicc, value);
      break;
    case PMR:
      gicc.pmr = value & PRIORITY;
      break;
    case BPR:
      gicc.bpr[0] = Math.max(LEAST_POINT[0], value & 7);
      break;
    case ABPR:
      gicc.bpr[1] = Math.max(LEAST_POINT[1], value & 7);
      break;
    case EOIR:
      end(vcpu, value, gicc.acknowledge === 1 ? 3 : 1);
      return true;
    case AEOIR:
      end(vcpu, value, 2);
      return true;
    case DIR:
      if (gicc.split === 1) deactivate(vcpu, value & 0x3ff);
      return true;
    case APR0:
      gicc.active[0] = value | 0;
      break;
    case NSAPR0:
      gicc.active[1] = value | 0;
      break;
    // Read-only.
    case IAR:
    case AIAR:
    case RPR:
    case HPPIR:
    case AHPPIR:
    case IIDR_OFFSET:
      return true;
    default:
      return false;
  }
  vcpu.changed('interrupts');
  return true;
}

export function gicc(base: bigint): Device {
  return {
    name: 'gicc',
    per: 'vcpu',
    range: { base, size: 0x1_0000 },
    sizes: [4],
    state: (): Gicc => ({ ...newInterface(), read: NONE }),
    read,
    reading(vcpu, offset) {
      if ((offset !== IAR && offset !== AIAR) || gicVersion(vcpu) !== 2) return;
      const id = answer(vcpu, offset === AIAR);
      const found = id < GROUP1 ? signalled(vcpu) : undefined;
      vcpu.device<Gicc>('gicc').read = found === undefined ? id : withSender(id, acknowledge(vcpu, found));
    },
    write,
  };
}
