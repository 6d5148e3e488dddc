/** Words that hypercalls and the device tree share. LoPAR 1.1, 14.1. */

const code = (value: bigint): bigint => BigInt.asUintN(64, value);

/** Return codes, as 64-bit values. LoPAR, 14.1.3. */
export const H: Readonly<
  Record<
    | 'SUCCESS'
    | 'BUSY'
    | 'HARDWARE'
    | 'FUNCTION'
    | 'PRIVILEGE'
    | 'PARAMETER'
    | 'RESOURCE'
    | 'P2'
    | 'P3'
    | 'P4'
    | 'UNSUPPORTED_FLAG',
    bigint
  >
> = {
  SUCCESS: 0n,
  BUSY: 1n,
  HARDWARE: code(-1n),
  FUNCTION: code(-2n),
  PRIVILEGE: code(-3n),
  PARAMETER: code(-4n),
  RESOURCE: code(-16n),
  P2: code(-55n),
  P3: code(-56n),
  P4: code(-57n),
  UNSUPPORTED_FLAG: code(-256n),
};

/** The console's unit address. */
export const VTY = 0x7100_0000n;
