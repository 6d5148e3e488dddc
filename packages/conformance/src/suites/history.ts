/** What a guest could have seen, as lines that can be compared: registers, console, how far it came and how it ended. */
import type { Moment, Session } from '../target.ts';

export async function history(session: Session, guest: number): Promise<string[]> {
  const { instructions, cycles, console, ended, level } = await session.progress(guest);
  const registers = await session.registers(guest);
  return [
    `instructions ${instructions}, cycles ${cycles}, level ${level}`,
    `ended ${ended === undefined ? 'not' : `${ended.reason} ${ended.status}`}`,
    `console ${JSON.stringify(console)}`,
    ...Object.entries(registers).map(([name, value]) => `${name} 0x${value.toString(16)}`),
  ];
}

/** Accesses and overflows in their order, each with the instruction it belongs to. */
export function course(moments: readonly Moment[], guest: number): string[] {
  return moments.flatMap((m) => {
    if (m.kind === 'access' && m.guest === guest) {
      const value = m.value === undefined ? '' : ` 0x${m.value.toString(16)}`;
      return [`${m.at}: ${m.write ? 'write' : 'read'} ${m.register}${value} ${m.verdict}`];
    }
    return m.kind === 'overflow' && m.guest === guest ? [`${m.at}: overflow of ${m.counter}`] : [];
  });
}
