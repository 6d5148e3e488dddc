/** The same trees in dtc's source language, and what dtc says of blobs; shares nothing with the encoder. */
import { execFileSync } from 'node:child_process';
import type { FdtNode, FdtPart } from '@countervisor/contract';

/** Devicetree Specification v0.4, §6: the DTS of a tree. Labels are kept, so dtc resolves the references itself. */
export function dts(root: FdtNode, reservations: readonly { address: bigint; size: bigint }[] = []): string {
  const reserved = reservations.map(({ address, size }) => `/memreserve/ ${address} ${size};\n`).join('');
  return `/dts-v1/;\n${reserved}${nodeText({ ...root, name: '/' }, '')}`;
}

function nodeText(node: FdtNode, indent: string): string {
  const label = node.label === undefined ? '' : `${node.label}: `;
  const properties = Object.entries(node.properties).map(([name, value]) => {
    const parts = value === true ? [] : Array.isArray(value) ? value : [value];
    return `${indent}\t${name}${parts.length > 0 ? ` = ${parts.map(partText).join(', ')}` : ''};\n`;
  });
  const children = (node.children ?? []).map((child) => nodeText(child, `${indent}\t`));
  return `${indent}${label}${node.name} {\n${properties.join('')}${children.join('')}${indent}};\n`;
}

function partText(part: FdtPart): string {
  if (typeof part === 'number') return `<${part}>`;
  if (typeof part === 'bigint') return `/bits/ 64 <0x${part.toString(16)}>`;
  if (part instanceof Uint8Array) return `[${Buffer.from(part).toString('hex')}]`;
  if (typeof part === 'object') return `<&${part.phandle}>`;
  // Bytes outside printable ASCII as octal-free hexadecimal escapes.
  const bytes = [...new TextEncoder().encode(part)];
  return `"${bytes.map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}"`;
}

/** dtc from one form to another; its own complaints about conventions (-q -q) are not asked for. */
export function dtc(from: 'dts' | 'dtb', to: 'dts' | 'dtb', input: string | Uint8Array): Buffer {
  return execFileSync('dtc', ['-q', '-q', '-I', from, '-O', to], {
    input,
    stdio: ['pipe', 'pipe', 'pipe'],
    maxBuffer: 1 << 26,
  });
}
