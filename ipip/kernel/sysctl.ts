/**
 * Kernel settings through /proc/sys. The settings under net/ are those of this process's network namespace.
 *
 * Owns: the files. Must not know: which settings matter.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { errnoNumber, KernelError } from './errors.js';
import type { Sysctl } from './kernel.js';

const ROOT = '/proc/sys/';

export const procSysctl: Sysctl = {
  read(name) {
    try {
      return readFileSync(ROOT + name, 'utf8').trim();
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw sysctlError(name, 'read', error);
    }
  },

  list(folder) {
    try {
      return readdirSync(ROOT + folder);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return [];
      throw sysctlError(folder, 'read', error);
    }
  },

  write(name, value) {
    try {
      writeFileSync(ROOT + name, value);
    } catch (error) {
      throw sysctlError(name, 'written', error);
    }
  },
};

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'EIO';
}

function sysctlError(name: string, verb: string, cause: unknown): KernelError {
  const code = errorCode(cause);
  return new KernelError({
    code: `KERNEL_${code}`,
    errno: errnoNumber(code),
    message: `/proc/sys/${name} cannot be ${verb} (${code})`,
    cause,
  });
}
