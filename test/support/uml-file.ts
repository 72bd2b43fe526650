/** A test file that runs itself again inside User-Mode Linux, where the running kernel has no ipip. */
import { expect, test } from 'vitest';
import { kernelShortfall } from '../../deploy/kernel.mjs';
import { runInUml } from './uml.js';

/** Its one processor, held up for a second, makes up for it in one go: the queue to itself must take that. */
const ROOMY = 'echo 20000 >/proc/sys/net/core/netdev_max_backlog; exec "$@"';

/** How a file is run inside. */
export interface UmlFileOptions {
  readonly timeoutMs: number;
  readonly memoryMib?: number;
  /** Lines that begin so, inside, are figures to be shown outside. */
  readonly figures: string;
}

/**
 * Declares `tests` on a kernel that has ipip. On any other, declares one test that runs `file` inside User-Mode Linux
 * and passes when all of its tests there do.
 *
 * @param file as `import.meta.url` gives it
 */
export function withIpip(file: string, options: UmlFileOptions, tests: () => void): void {
  if (kernelShortfall() === undefined) {
    tests();
    return;
  }
  const { figures, ...machine } = options;
  test(
    'this file in User-Mode Linux, whose kernel has ipip',
    async () => {
      const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/vitest.config.ts'];
      const { status, stdout, stderr } = await runInUml({
        ...machine,
        command: [
          ...['sh', '-c', ROOMY, 'sh', process.execPath, ...vitest],
          ...['--configLoader', 'runner', '--reporter=verbose', new URL(file).pathname],
        ],
        env: { CI: '1', NO_COLOR: '1' },
      });
      const shown = stdout.split('\n').filter((line) => line.startsWith(figures));
      process.stdout.write(`${shown.join('\n')}\n`);
      expect(status, `${stdout}\n${stderr}`).toBe(0);
      expect(shown.length).toBeGreaterThan(0);
      expect(stdout).toMatch(/Tests +(\d+) passed \(\1\)/);
    },
    options.timeoutMs,
  );
}
