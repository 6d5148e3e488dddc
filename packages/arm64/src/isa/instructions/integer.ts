/** Data processing on general registers. Arm DDI 0487, C4.1 (data processing, immediate and register), C6.2 for each. */
import { type Lifter, ones, type Value, type Width } from '@countervisor/contract';
import { bitmask } from '../bitmask.ts';
import {
  addCarry,
  addCarryFlags,
  addFlags,
  choose,
  condition,
  cut,
  extended,
  holds,
  logicFlags,
  setFlags,
  setX,
  setXsp,
  shifted,
  signed,
  subFlags,
  widthOf,
  x,
  xsp,
} from '../operands.ts';
import { type Row, row } from '../row.ts';

/** Rd = a ± b without flags. */
type Sum = (b: Lifter, a: Value, by: Value, width: Width) => Value;
const sum: Sum = (b, a, by, width) => b.add(a, by, width);
const difference: Sum = (b, a, by, width) => b.sub(a, by, width);

type SumFlags = typeof addFlags;

/** Shifts by 32 or more are unallocated at 32 bits. */
const shiftFits = (f: { sf: number; imm6: number }): boolean => f.sf === 1 || f.imm6 < 32;
const fieldFits = (f: { sf: number; N: number; immr: number; imms: number }): boolean =>
  f.N === f.sf && (f.sf === 1 || (f.immr < 32 && f.imms < 32));

function addSubtract(name: 'ADD' | 'SUB', op: '0' | '1', plain: Sum, flags: SumFlags): readonly Row[] {
  return [
    row(`${name} (immediate)`, 'alu', `sf ${op} 0 100010 sh imm12 Rn Rd` as string, (b, f) => {
      const width = widthOf(f.sf);
      const imm = f.imm12 * (f.sh === 1 ? 4096 : 1);
      const from = xsp(b, f.Rn);
      setXsp(b, f.Rd, imm === 0 ? cut(b, from, width) : plain(b, from, b.constant(imm), width));
    }),
    row(`${name}S (immediate)`, 'alu', `sf ${op} 1 100010 sh imm12 Rn Rd` as string, (b, f) => {
      const imm = b.constant(f.imm12 * (f.sh === 1 ? 4096 : 1));
      const { result, flags: now } = flags(b, xsp(b, f.Rn), imm, widthOf(f.sf));
      setX(b, f.Rd, result);
      setFlags(b, now);
    }),
    row(
      `${name} (shifted register)`,
      'alu',
      `sf ${op} 0 01011 shift 0 Rm imm6 Rn Rd` as string,
      (b, f) => {
        const width = widthOf(f.sf);
        setX(b, f.Rd, plain(b, x(b, f.Rn), shifted(b, f.Rm, f.shift, f.imm6, width), width));
      },
      { allocated: (f) => f.shift !== 3 && shiftFits(f) },
    ),
    row(
      `${name}S (shifted register)`,
      'alu',
      `sf ${op} 1 01011 shift 0 Rm imm6 Rn Rd` as string,
      (b, f) => {
        const width = widthOf(f.sf);
        const { result, flags: now } = flags(b, x(b, f.Rn), shifted(b, f.Rm, f.shift, f.imm6, width), width);
        setX(b, f.Rd, result);
        setFlags(b, now);
      },
      { allocated: (f) => f.shift !== 3 && shiftFits(f) },
    ),
    row(
      `${name} (extended register)`,
      'alu',
      `sf ${op} 0 01011 00 1 Rm option imm3 Rn Rd` as string,
      (b, f) => {
        const width = widthOf(f.sf);
        setXsp(b, f.Rd, plain(b, xsp(b, f.Rn), extended(b, f.Rm, f.option, f.imm3, width), width));
      },
      { allocated: (f) => f.imm3 <= 4 },
    ),
    row(
      `${name}S (extended register)`,
      'alu',
      `sf ${op} 1 01011 00 1 Rm option imm3 Rn Rd` as string,
      (b, f) => {
        const width = widthOf(f.sf);
        const { result, flags: now } = flags(b, xsp(b, f.Rn), extended(b, f.Rm, f.option, f.imm3, width), width);
        setX(b, f.Rd, result);
        setFlags(b, now);
      },
      { allocated: (f) => f.imm3 <= 4 },
    ),
  ];
}

const carries: readonly Row[] = [
  row('ADC', 'alu', 'sf 0 0 11010000 Rm 000000 Rn Rd', (b, f) => {
    setX(b, f.Rd, addCarry(b, x(b, f.Rn), x(b, f.Rm), widthOf(f.sf)));
  }),
  row('ADCS', 'alu', 'sf 0 1 11010000 Rm 000000 Rn Rd', (b, f) => {
    const { result, flags } = addCarryFlags(b, x(b, f.Rn), x(b, f.Rm), widthOf(f.sf));
    setX(b, f.Rd, result);
    setFlags(b, flags);
  }),
  row('SBC', 'alu', 'sf 1 0 11010000 Rm 000000 Rn Rd', (b, f) => {
    setX(b, f.Rd, addCarry(b, x(b, f.Rn), b.not(x(b, f.Rm)), widthOf(f.sf)));
  }),
  row('SBCS', 'alu', 'sf 1 1 11010000 Rm 000000 Rn Rd', (b, f) => {
    const { result, flags } = addCarryFlags(b, x(b, f.Rn), b.not(x(b, f.Rm)), widthOf(f.sf));
    setX(b, f.Rd, result);
    setFlags(b, flags);
  }),
];

const logic = { AND: '00', ORR: '01', EOR: '10', ANDS: '11' } as const;
const opposite = { AND: 'BIC', ORR: 'ORN', EOR: 'EON', ANDS: 'BICS' } as const;

function combine(b: Lifter, name: keyof typeof logic, a: Value, by: Value, width: Width): Value {
  if (name === 'ORR') return b.or(a, by, width);
  return name === 'EOR' ? b.xor(a, by, width) : b.and(a, by, width);
}

function logical(name: keyof typeof logic): readonly Row[] {
  const opc = logic[name];
  const register = (inverted: boolean) =>
    row(
      inverted ? opposite[name] : `${name} (shifted register)`,
      'alu',
      `sf ${opc} 01010 shift ${inverted ? '1' : '0'} Rm imm6 Rn Rd` as string,
      (b, f) => {
        const width = widthOf(f.sf);
        const moved = shifted(b, f.Rm, f.shift, f.imm6, width);
        const by = inverted ? b.not(moved, width) : moved;
        // MOV and MVN (register) are ORR and ORN with the zero register.
        const move = name === 'ORR' && f.Rn === 31;
        const result = move ? cut(b, by, width) : combine(b, name, x(b, f.Rn), by, width);
        setX(b, f.Rd, result);
        if (name === 'ANDS') setFlags(b, logicFlags(b, result, width));
      },
      { allocated: shiftFits },
    );
  return [
    row(
      `${name} (immediate)`,
      'alu',
      `sf ${opc} 100100 N immr imms Rn Rd` as string,
      (b, f) => {
        const width = widthOf(f.sf);
        const imm = b.constant(bitmask(f.N, f.immr, f.imms, width) ?? 0n);
        const result = combine(b, name, x(b, f.Rn), imm, width);
        if (name === 'ANDS') {
          setX(b, f.Rd, result);
          setFlags(b, logicFlags(b, result, width));
        } else setXsp(b, f.Rd, result);
      },
      { allocated: (f) => bitmask(f.N, f.immr, f.imms, widthOf(f.sf)) !== undefined },
    ),
    register(false),
    register(true),
  ];
}

const wideFits = (f: { sf: number; hw: number }): boolean => f.sf === 1 || f.hw < 2;
const wide = (f: { hw: number; imm16: number }): bigint => BigInt(f.imm16) << BigInt(16 * f.hw);

const moves: readonly Row[] = [
  row('MOVN', 'alu', 'sf 00 100101 hw imm16 Rd', (b, f) => setX(b, f.Rd, b.constant(~wide(f) & ones(widthOf(f.sf)))), {
    allocated: wideFits,
  }),
  row('MOVZ', 'alu', 'sf 10 100101 hw imm16 Rd', (b, f) => setX(b, f.Rd, b.constant(wide(f))), { allocated: wideFits }),
  row(
    'MOVK',
    'alu',
    'sf 11 100101 hw imm16 Rd',
    (b, f) => {
      const keep = ones(widthOf(f.sf)) & ~(0xffffn << BigInt(16 * f.hw));
      setX(b, f.Rd, b.or(b.and(x(b, f.Rd), b.constant(keep)), b.constant(wide(f))));
    },
    { allocated: wideFits },
  ),
  row('ADR', 'alu', '0 immlo 10000 immhi Rd', (b, f) => {
    setX(b, f.Rd, b.constant(b.pc + BigInt(signed(f.immhi * 4 + f.immlo, 21))));
  }),
  row('ADRP', 'alu', '1 immlo 10000 immhi Rd', (b, f) => {
    setX(b, f.Rd, b.constant((b.pc & ~0xfffn) + BigInt(signed(f.immhi * 4 + f.immlo, 21)) * 4096n));
  }),
];

const bitfields: readonly Row[] = [
  row(
    'SBFM',
    'alu',
    'sf 00 100110 N immr imms Rn Rd',
    (b, f) => {
      const width = widthOf(f.sf);
      const from = x(b, f.Rn);
      const exact = f.immr === 0 ? f.imms : -1;
      let result: Value;
      if (exact === 7) result = b.sext8(from, width);
      else if (exact === 15) result = b.sext16(from, width);
      else if (exact === 31 && width === 64) result = b.sext32(from);
      else {
        // Up until the field's sign is the top bit, then down to its place.
        const up = width - 1 - f.imms;
        const down = f.imms >= f.immr ? up + f.immr : f.immr - f.imms - 1;
        const raised = up === 0 ? from : b.shl(from, b.constant(up), width);
        result = down === 0 ? cut(b, raised, width) : b.sar(raised, b.constant(down), width);
      }
      setX(b, f.Rd, result);
    },
    { allocated: fieldFits },
  ),
  row(
    'BFM',
    'alu',
    'sf 01 100110 N immr imms Rn Rd',
    (b, f) => {
      const width = widthOf(f.sf);
      const down = f.imms >= f.immr;
      const at = down ? 0 : width - f.immr;
      const hole = ones(down ? f.imms - f.immr + 1 : f.imms + 1) << BigInt(at);
      const from = x(b, f.Rn);
      let moved = from;
      if (!down) moved = b.shl(from, b.constant(at), width);
      else if (f.immr > 0) moved = b.shr(from, b.constant(f.immr), width);
      const kept = b.and(x(b, f.Rd), b.constant(~hole), width);
      setX(b, f.Rd, b.or(kept, b.and(moved, b.constant(hole), width), width));
    },
    { allocated: fieldFits },
  ),
  row(
    'UBFM',
    'alu',
    'sf 10 100110 N immr imms Rn Rd',
    (b, f) => {
      const width = widthOf(f.sf);
      const from = x(b, f.Rn);
      let result: Value;
      if (f.imms >= f.immr) {
        const whole = f.imms === width - 1;
        const moved = f.immr === 0 ? from : b.shr(from, b.constant(f.immr), width);
        if (!whole) result = b.and(moved, b.constant(ones(f.imms - f.immr + 1)));
        else result = f.immr === 0 ? cut(b, from, width) : moved;
      } else {
        const at = b.constant(width - f.immr);
        const field = f.imms + 1 === f.immr ? from : b.and(from, b.constant(ones(f.imms + 1)));
        result = b.shl(field, at, width);
      }
      setX(b, f.Rd, result);
    },
    { allocated: fieldFits },
  ),
  row(
    'EXTR',
    'alu',
    'sf 00 100111 N 0 Rm imms Rn Rd',
    (b, f) => {
      const width = widthOf(f.sf);
      const by = b.constant(f.imms);
      if (f.imms === 0) setX(b, f.Rd, cut(b, x(b, f.Rm), width));
      else if (f.Rn === f.Rm) setX(b, f.Rd, b.rotr(x(b, f.Rm), by, width));
      else {
        const high = b.shl(x(b, f.Rn), b.constant(width - f.imms), width);
        setX(b, f.Rd, b.or(b.shr(x(b, f.Rm), by, width), high, width));
      }
    },
    { allocated: (f) => f.N === f.sf && (f.sf === 1 || f.imms < 32) },
  ),
];

/** Rd = op(Rn, Rm) of both widths. */
function twoSources(
  name: string,
  cost: 'alu' | 'divide',
  opcode: string,
  op: (b: Lifter, a: Value, by: Value, width: Width) => Value,
): Row {
  return row(name, cost, `sf 0 0 11010110 Rm ${opcode} Rn Rd` as string, (b, f) => {
    setX(b, f.Rd, op(b, x(b, f.Rn), x(b, f.Rm), widthOf(f.sf)));
  });
}

const sources: readonly Row[] = [
  twoSources('UDIV', 'divide', '000010', (b, a, by, width) => b.divu(a, by, width)),
  twoSources('SDIV', 'divide', '000011', (b, a, by, width) => b.divs(a, by, width)),
  twoSources('LSLV', 'alu', '001000', (b, a, by, width) => b.shl(a, by, width)),
  twoSources('LSRV', 'alu', '001001', (b, a, by, width) => b.shr(a, by, width)),
  twoSources('ASRV', 'alu', '001010', (b, a, by, width) => b.sar(a, by, width)),
  twoSources('RORV', 'alu', '001011', (b, a, by, width) => b.rotr(a, by, width)),
];

/** CRC32 is a helper: 8 to 64 steps of polynomial division are too many ops. */
function checksum(name: string, helper: 'crc32' | 'crc32c', opcode: string, sf: '0' | '1', bytes: number): Row {
  return row(
    name,
    'alu',
    `${sf} 0 0 11010110 Rm ${opcode} Rn Rd` as string,
    (b, f) => setX(b, f.Rd, b.call(helper, x(b, f.Rn), x(b, f.Rm), b.constant(bytes))),
    { needs: 'crc32' },
  );
}

const checksums: readonly Row[] = [
  checksum('CRC32B', 'crc32', '010000', '0', 1),
  checksum('CRC32H', 'crc32', '010001', '0', 2),
  checksum('CRC32W', 'crc32', '010010', '0', 4),
  checksum('CRC32X', 'crc32', '010011', '1', 8),
  checksum('CRC32CB', 'crc32c', '010100', '0', 1),
  checksum('CRC32CH', 'crc32c', '010101', '0', 2),
  checksum('CRC32CW', 'crc32c', '010110', '0', 4),
  checksum('CRC32CX', 'crc32c', '010111', '1', 8),
];

function oneSource(name: string, opcode: string, op: (b: Lifter, a: Value, width: Width) => Value): Row {
  return row(name, 'alu', `sf 1 0 11010110 00000 ${opcode} Rn Rd` as string, (b, f) => {
    setX(b, f.Rd, op(b, x(b, f.Rn), widthOf(f.sf)));
  });
}

const unary: readonly Row[] = [
  oneSource('RBIT', '000000', (b, a, width) => b.rbit(a, width)),
  oneSource('REV16', '000001', (b, a, width) => {
    const bytes = b.constant(0x00ff00ff_00ff00ffn);
    const eight = b.constant(8);
    return b.or(b.shl(b.and(a, bytes), eight, width), b.and(b.shr(a, eight, width), bytes), width);
  }),
  row('REV (32-bit)', 'alu', '0 1 0 11010110 00000 000010 Rn Rd', (b, f) => setX(b, f.Rd, b.bswap(x(b, f.Rn), 32))),
  row('REV (64-bit)', 'alu', '1 1 0 11010110 00000 000011 Rn Rd', (b, f) => setX(b, f.Rd, b.bswap(x(b, f.Rn)))),
  row('REV32', 'alu', '1 1 0 11010110 00000 000010 Rn Rd', (b, f) => {
    setX(b, f.Rd, b.rotr(b.bswap(x(b, f.Rn)), b.constant(32)));
  }),
  oneSource('CLZ', '000100', (b, a, width) => b.clz(a, width)),
  // Bits that differ from their neighbour above: the first one ends the run of sign bits.
  oneSource('CLS', '000101', (b, a, width) => {
    const change = b.xor(a, b.sar(a, b.constant(1), width), width);
    return b.sub(b.clz(change, width), b.constant(1), width);
  }),
];

/** Rd = Ra ± product; MUL, MNEG and their like have the zero register for Ra. */
function multiplyAdd(
  name: string,
  pattern: string,
  subtract: boolean,
  product: (b: Lifter, n: Value, m: Value, width: Width) => Value,
): Row {
  return row(name, 'multiply', pattern, (b, f) => {
    // The long forms have their sf bit fixed at 1, so the pattern has no such field.
    const width = f.sf === 0 ? 32 : 64;
    const value = product(b, x(b, f.Rn), x(b, f.Rm), width);
    if (subtract) setX(b, f.Rd, b.sub(x(b, f.Ra), value, width));
    else setX(b, f.Rd, f.Ra === 31 ? value : b.add(x(b, f.Ra), value, width));
  });
}

const products: readonly Row[] = [
  multiplyAdd('MADD', 'sf 00 11011 000 Rm 0 Ra Rn Rd', false, (b, n, m, width) => b.mul(n, m, width)),
  multiplyAdd('MSUB', 'sf 00 11011 000 Rm 1 Ra Rn Rd', true, (b, n, m, width) => b.mul(n, m, width)),
  multiplyAdd('SMADDL', '1 00 11011 001 Rm 0 Ra Rn Rd', false, (b, n, m) => b.mul(b.sext32(n), b.sext32(m))),
  multiplyAdd('SMSUBL', '1 00 11011 001 Rm 1 Ra Rn Rd', true, (b, n, m) => b.mul(b.sext32(n), b.sext32(m))),
  multiplyAdd('UMADDL', '1 00 11011 101 Rm 0 Ra Rn Rd', false, (b, n, m) => b.mul(b.zext32(n), b.zext32(m))),
  multiplyAdd('UMSUBL', '1 00 11011 101 Rm 1 Ra Rn Rd', true, (b, n, m) => b.mul(b.zext32(n), b.zext32(m))),
  row('SMULH', 'multiply', '1 00 11011 010 Rm 0 xxxxx Rn Rd', (b, f) => {
    setX(b, f.Rd, b.mulhs(x(b, f.Rn), x(b, f.Rm)));
  }),
  row('UMULH', 'multiply', '1 00 11011 110 Rm 0 xxxxx Rn Rd', (b, f) => {
    setX(b, f.Rd, b.mulhu(x(b, f.Rn), x(b, f.Rm)));
  }),
];

/** CSEL and its three kin differ in what becomes of Rm. */
function select(
  name: string,
  op: '0' | '1',
  op2: string,
  other: (b: Lifter, m: Value, width: Width) => Value,
  ofZero: ((b: Lifter, notHeld: Value, width: Width) => Value) | undefined,
): Row {
  return row(name, 'alu', `sf ${op} 0 11010100 Rm cond ${op2} Rn Rd` as string, (b, f) => {
    const width = widthOf(f.sf);
    // CSET and CSETM: both sources are the zero register, so the result is the opposite condition itself. AL has no opposite.
    if (ofZero && f.Rn === 31 && f.Rm === 31 && f.cond < 14) {
      setX(b, f.Rd, ofZero(b, holds(b, f.cond ^ 1), width));
      return;
    }
    setX(b, f.Rd, choose(b, f.cond, x(b, f.Rn), other(b, x(b, f.Rm), width), width));
  });
}

const selects: readonly Row[] = [
  select('CSEL', '0', '00', (_b, m) => m, undefined),
  select(
    'CSINC',
    '0',
    '01',
    (b, m, width) => b.add(m, b.constant(1), width),
    (_b, set) => set,
  ),
  select(
    'CSINV',
    '1',
    '00',
    (b, m, width) => b.not(m, width),
    (b, set, width) => b.sub(b.constant(0), set, width),
  ),
  select('CSNEG', '1', '01', (b, m, width) => b.sub(b.constant(0), m, width), undefined),
];

/** CCMN and CCMP: the flags of a comparison where the condition holds, else the four bits given. */
function conditional(name: string, op: '0' | '1', immediate: boolean, flags: SumFlags): Row {
  const pattern = `sf ${op} 1 11010010 ${immediate ? 'imm5' : 'Rm'} cond ${immediate ? '1' : '0'} 0 Rn 0 nzcv`;
  return row(`${name} (${immediate ? 'immediate' : 'register'})`, 'alu', pattern as string, (b, f) => {
    const by = immediate ? b.constant(f.imm5) : x(b, f.Rm);
    const { n, z, c, v } = flags(b, x(b, f.Rn), by, widthOf(f.sf)).flags;
    const { value, inverted } = condition(b, f.cond);
    const pick = (flag: Value, bit: number): Value => {
      const given = b.constant((f.nzcv >> bit) & 1);
      return inverted ? b.select(value, given, flag) : b.select(value, flag, given);
    };
    setFlags(b, { n: pick(n, 3), z: pick(z, 2), c: pick(c, 1), v: pick(v, 0) });
  });
}

const conditionals: readonly Row[] = [
  conditional('CCMN', '0', false, addFlags),
  conditional('CCMN', '0', true, addFlags),
  conditional('CCMP', '1', false, subFlags),
  conditional('CCMP', '1', true, subFlags),
];

/** FEAT_FlagM and FEAT_FlagM2: flags as operands. */
const flagManipulation: readonly Row[] = [
  row(
    'RMIF',
    'alu',
    '1 0 1 11010000 imm6 00001 Rn 0 mask',
    (b, f) => {
      const turned = f.imm6 === 0 ? x(b, f.Rn) : b.rotr(x(b, f.Rn), b.constant(f.imm6));
      const flags = ['V', 'C', 'Z', 'N'].map((name, bit) => ({ name, bit })).filter(({ bit }) => (f.mask >> bit) & 1);
      const values = flags.map(({ bit }) => b.and(b.shr(turned, b.constant(bit)), b.constant(1)));
      flags.forEach(({ name }, i) => {
        b.set(name, values[i] as Value);
      });
    },
    { needs: 'flagm' },
  ),
  ...([8, 16] as const).map((size) =>
    row(
      `SETF${size}`,
      'alu',
      `0 0 1 11010000 000000 ${size === 8 ? '0' : '1'} 0010 Rn 0 1101` as string,
      (b, f) => {
        const value = x(b, f.Rn);
        const bit = (at: number) => b.and(b.shr(value, b.constant(at)), b.constant(1));
        const n = bit(size - 1);
        const z = b.eq(size === 8 ? b.zext8(value) : b.zext16(value), b.constant(0));
        const v = b.xor(bit(size), n);
        b.set('N', n);
        b.set('Z', z);
        b.set('V', v);
      },
      { needs: 'flagm' },
    ),
  ),
  row('CFINV', 'alu', '1101010100 0 00 000 0100 0000 000 11111', (b) => b.set('C', b.xor(b.get('C'), b.constant(1))), {
    needs: 'flagm',
  }),
  // From Arm's floating-point flags to another convention and back.
  row(
    'XAFLAG',
    'alu',
    '1101010100 0 00 000 0100 0000 001 11111',
    (b) => {
      const [c, z] = [b.get('C'), b.get('Z')];
      setFlags(b, { n: b.eq(b.or(c, z), b.constant(0)), z: b.and(z, c), c: b.or(c, z), v: b.ltu(c, z) });
    },
    { needs: 'flagm2' },
  ),
  row(
    'AXFLAG',
    'alu',
    '1101010100 0 00 000 0100 0000 010 11111',
    (b) => {
      const [v, z, c] = [b.get('V'), b.get('Z'), b.get('C')];
      const zero = b.constant(0);
      setFlags(b, { n: zero, z: b.or(z, v), c: b.ltu(v, c), v: zero });
    },
    { needs: 'flagm2' },
  ),
];

export const integer: readonly Row[] = [
  ...addSubtract('ADD', '0', sum, addFlags),
  ...addSubtract('SUB', '1', difference, subFlags),
  ...carries,
  ...logical('AND'),
  ...logical('ORR'),
  ...logical('EOR'),
  ...logical('ANDS'),
  ...moves,
  ...bitfields,
  ...sources,
  ...checksums,
  ...unary,
  ...products,
  ...selects,
  ...conditionals,
  ...flagManipulation,
];
