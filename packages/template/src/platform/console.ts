/** The console: one register; a stored word's low byte is printed, a load gives how many bytes were. */
import type { Device } from '@countervisor/contract';

export const CONSOLE = 0x100n;

interface ConsoleState {
  printed: number;
}

export const console: Device = {
  name: 'console',
  per: 'domain',
  range: { base: CONSOLE, size: 8 },
  sizes: [8],
  state: () => ({ printed: 0 }),
  read: (vcpu) => vcpu.device<ConsoleState>('console').printed,
  write(vcpu, _offset, _size, value): boolean {
    vcpu.device<ConsoleState>('console').printed++;
    vcpu.console(Number(BigInt(value) & 0xffn));
    return true;
  },
};
