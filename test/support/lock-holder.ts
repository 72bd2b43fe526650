/**
 * A process that holds a lock: one's own locks keep nobody of the same process out.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

export interface LockHolder {
  readonly pid: number;
  kill(): Promise<void>;
}

/** Holds the lock on the file `path` until it is killed. @param folder a private one, for the program */
export async function holdLock(path: string, folder: string): Promise<LockHolder> {
  const program = `
    import { takeLock } from ${JSON.stringify(new URL('../../agent/runtime/lock.ts', import.meta.url).pathname)};
    takeLock(${JSON.stringify(path)});
    process.stdout.write('held');
    process.stdin.resume();
  `;
  const bundle = join(folder, 'holder.mjs');
  await build({
    stdin: { contents: program, resolveDir: process.cwd(), loader: 'ts' },
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'warning',
  });
  symlinkSync(join(process.cwd(), 'node_modules'), join(folder, 'node_modules'));
  const child = spawn(process.execPath, [bundle], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return {
    pid: child.pid ?? 0,
    kill: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
