/**
 * The PL011 UART: what a guest prints goes to its domain's console, and nothing ever comes in.
 * Arm PrimeCell UART (PL011) TRM, DDI 0183, chapter 3. Transmission takes no time: the FIFO is always empty.
 */
import type { Device, DeviceState, View } from '@countervisor/contract';

/** Name of the device and of the interrupt source. */
export const UART = 'pl011';

// A type, not an interface: only a type fits the plain record that snapshots hold.
type Uart = {
  ilpr: number;
  ibrd: number;
  fbrd: number;
  lcr: number;
  cr: number;
  ifls: number;
  imsc: number;
  ris: number;
  dmacr: number;
};

/** UARTTXINTR. */
const TX = 1 << 5;

/** Registers that store what is written: offset, field, writable bits. */
const STORED: Readonly<Record<number, readonly [name: keyof Uart, mask: number]>> = {
  32: ['ilpr', 0xff],
  36: ['ibrd', 0xffff],
  40: ['fbrd', 0x3f],
  44: ['lcr', 0xff],
  48: ['cr', 0xffff],
  52: ['ifls', 0x3f],
  56: ['imsc', 0x7ff],
  72: ['dmacr', 0x7],
};

/** Registers that always read the same: data and errors (nothing received), flags (both FIFOs empty), PeriphID 0-3, PCellID 0-3. */
const CONSTANT: Readonly<Record<number, number>> = {
  0: 0,
  4: 0,
  24: 0x90,
  4064: 0x11,
  4068: 0x10,
  4072: 0x14,
  4076: 0x00,
  4080: 0x0d,
  4084: 0xf0,
  4088: 0x05,
  4092: 0xb1,
};

const DR = 0x00;
const RIS = 0x3c;
const MIS = 0x40;
const ICR = 0x44;

function read(view: View, offset: number): number | undefined {
  const uart = view.device<Uart>(UART);
  if (offset === RIS) return uart.ris;
  if (offset === MIS) return uart.ris & uart.imsc;
  if (offset === ICR) return 0;
  const stored = STORED[offset];
  return stored === undefined ? CONSTANT[offset] : uart[stored[0]];
}

/** UARTINTR. */
export function uartLine(view: View): boolean {
  const uart = view.device<Uart>(UART);
  return (uart.ris & uart.imsc) !== 0;
}

/** The device at a base; `rose` hears of a rising interrupt line. */
export function pl011(base: bigint, rose: (view: View) => void): Device {
  return {
    name: UART,
    per: 'domain',
    range: { base, size: 0x1000 },
    sizes: [1, 2, 4],
    // Reset values: DDI 0183, table 3-1.
    state: (): DeviceState & Uart => ({
      ilpr: 0,
      ibrd: 0,
      fbrd: 0,
      lcr: 0,
      cr: 0x300,
      ifls: 0x12,
      imsc: 0,
      ris: 0,
      dmacr: 0,
    }),
    read,
    write(vcpu, offset, _size, value) {
      const uart = vcpu.device<Uart>(UART);
      const word = Number(value);
      const before = uartLine(vcpu);
      const stored = STORED[offset];
      if (offset === DR) {
        // Whether CR enables the transmitter is not asked: images without set-up of their own print on QEMU's board, too.
        vcpu.console(word & 0xff);
        uart.ris |= TX;
      } else if (offset === ICR) {
        uart.ris &= ~word;
      } else if (stored !== undefined) {
        uart[stored[0]] = word & stored[1];
      } else if (CONSTANT[offset] === undefined && offset !== RIS && offset !== MIS) {
        return false;
      }
      if (!before && uartLine(vcpu)) rose(vcpu);
      return true;
    },
  };
}
