/**
 * The User-Mode Linux kernel as this machine can run it.
 *
 * Linux 6.1's UML gives ptrace(PTRACE_SETREGSET, NT_X86_XSTATE) a length fixed when it was built: 2696 bytes, enough for
 * AVX-512 (arch/x86/um/os-Linux/registers.c). The host takes only its own full size (arch/x86/kernel/fpu/regset.c,
 * xstateregs_set), which is larger on processors with AMX: every program inside then dies at its first instruction.
 * The host first cuts a length that is too large to its own size (kernel/ptrace.c, ptrace_regset), and the header in
 * front says which parts are set, so what lies behind the 2696 bytes is not looked at. A larger length is therefore
 * right on every processor: a private copy of the kernel gets it.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Debian's package user-mode-linux. */
const INSTALLED = '/usr/bin/linux.uml';

/**
 * `movq $2696,disp8(%rbp); mov $PTRACE_SETREGSET,%edi`: the one call that writes a process's extended state. The byte
 * between the two halves, disp8, is the compiler's choice.
 */
const STORE_LENGTH = Buffer.from('48c745', 'hex');
const LENGTH_AND_REQUEST = Buffer.from('880a0000bf05420000', 'hex');

/** More than any processor's extended state (AMX: 11 008 bytes). */
const ANY_LENGTH = 65_536;

/**
 * Puts a kernel into `folder` and returns its path.
 *
 * @throws Error when the package is not installed
 */
export function umlKernel(folder: string): string {
  if (!existsSync(INSTALLED)) {
    throw new Error(`${INSTALLED} is missing: apt-get install user-mode-linux kmod`);
  }
  const path = join(folder, 'linux.uml');
  const image = readFileSync(INSTALLED);
  for (let at = image.indexOf(LENGTH_AND_REQUEST); at >= 0; at = image.indexOf(LENGTH_AND_REQUEST, at + 1)) {
    if (image.subarray(at - 4, at - 1).equals(STORE_LENGTH)) image.writeUInt32LE(ANY_LENGTH, at);
  }
  writeFileSync(path, image, { mode: 0o755 });
  return path;
}
