/**
 * COM1, a 16550A: what a guest prints goes to its domain's console, and nothing ever comes in. Texas Instruments PC16550D data sheet (SNLS378), chapter 8.
 * Transmission takes no time. Its interrupt has no wire (ioapic.ts); IIR tells of it all the same.
 */
import type { Device, View } from '@countervisor/contract';

type Uart = {
  ier: number;
  fcr: number;
  lcr: number;
  mcr: number;
  scr: number;
  divisor: number;
  empty: number;
  iir: number;
};

const UART = 'com1';
const DLAB = 0x80;
const FIFO = 1;
const TX = 2;

/** Transmitter empty, twice. */
const LSR = 0x60;
/** Clear to send, data set ready, carrier: a line that is there. */
const MSR = 0xb0;

const state = (view: View): Uart => view.device<Uart>(UART);

/** Interrupt identification: 2 while the transmitter has run empty and this is enabled, 1 for none; bits 7:6 while FIFOs are on. */
const identification = (uart: Uart): number =>
  ((uart.ier & TX) !== 0 && uart.empty === 1 ? 2 : 1) | ((uart.fcr & FIFO) !== 0 ? 0xc0 : 0);

function read(view: View, offset: number): number {
  const uart = state(view);
  const latch = (uart.lcr & DLAB) !== 0;
  switch (offset) {
    case 0:
      return latch ? uart.divisor & 0xff : 0;
    case 1:
      return latch ? uart.divisor >> 8 : uart.ier;
    case 2:
      return uart.iir;
    case 3:
      return uart.lcr;
    case 4:
      return uart.mcr;
    case 5:
      return LSR;
    case 6:
      // In loopback the modem control bits show here: DTR, RTS, OUT1, OUT2 as DSR, CTS, RI, DCD.
      return (uart.mcr & 0x10) === 0 ? MSR : loopback(uart.mcr);
    default:
      return uart.scr;
  }
}

const loopback = (mcr: number): number => ((mcr & 1) << 5) | ((mcr & 2) << 3) | ((mcr & 4) << 4) | ((mcr & 8) << 4);

export function com1(base: bigint): Device {
  return {
    name: UART,
    per: 'domain',
    space: 'io',
    range: { base, size: 8 },
    sizes: [1],
    state: (): Uart => ({ ier: 0, fcr: 0, lcr: 0, mcr: 0, scr: 0, divisor: 12, empty: 0, iir: 1 }),
    read,
    reading(vcpu, offset) {
      if (offset !== 2) return;
      // Reading IIR takes back the interrupt that it names; the read shows it still.
      const uart = state(vcpu);
      uart.iir = identification(uart);
      uart.empty = 0;
    },
    write(vcpu, offset, _size, written) {
      const uart = state(vcpu);
      const value = Number(written);
      const latch = (uart.lcr & DLAB) !== 0;
      switch (offset) {
        case 0:
          if (latch) uart.divisor = (uart.divisor & 0xff00) | value;
          else {
            if ((uart.mcr & 0x10) === 0) vcpu.console(value);
            uart.empty = 1;
          }
          break;
        case 1:
          if (latch) uart.divisor = (uart.divisor & 0xff) | (value << 8);
          else {
            if ((value & TX) !== 0 && (uart.ier & TX) === 0) uart.empty = 1;
            uart.ier = value & 15;
          }
          break;
        case 2:
          uart.fcr = value & 0xc9;
          break;
        case 3:
          uart.lcr = value;
          break;
        case 4:
          uart.mcr = value & 0x1f;
          break;
        case 7:
          uart.scr = value;
          break;
        default:
        // LSR and MSR: written without effect.
      }
      return true;
    },
  };
}
