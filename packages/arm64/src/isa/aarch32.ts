/** AArch32: not modelled, and refused before a domain is made for it. */
import { CountervisorError } from '@countervisor/contract';

const EM_ARM = 40;
const EM_AARCH64 = 183;

/** Why an image is a 32-bit guest's, or `undefined`. ELF: e_ident[EI_CLASS], e_machine; zImage: its magic number at 0x24 (Linux Documentation/arch/arm/booting.rst). */
function aarch32(image: Uint8Array): string | undefined {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  if (view.byteLength >= 20 && view.getUint32(0) === 0x7f454c46) {
    const machine = view.getUint16(18, image[5] === 1);
    if (machine === EM_ARM) return 'an ELF image for 32-bit Arm';
    if (machine === EM_AARCH64 && image[4] === 1) return 'an ILP32 ELF image';
    return undefined;
  }
  if (view.byteLength >= 0x28 && view.getUint32(0x24, true) === 0x016f2818) return 'a 32-bit Arm zImage';
  return undefined;
}

/** Refuses a 32-bit guest by name; Xen would switch such a domain to 32 bits. @throws CountervisorError CV_ARM64_AARCH32 */
export function refuseAArch32(image: Uint8Array, file: string): void {
  const what = aarch32(image);
  if (what === undefined) return;
  throw new CountervisorError(
    'CV_ARM64_AARCH32',
    `${file} is ${what}, and AArch32 guests are not modelled.`,
    'Build the guest for AArch64.',
  );
}
