/**
 * One question about the running kernel: can it carry the lab? Plain JavaScript because the package installer asks
 * it before anything is built; types for the TypeScript side are in kernel.d.mts.
 */
import { spawnSync } from 'node:child_process';

/** One device of each kind that the lab makes. `ipip` first: it is the one that micro-VM kernels lack. */
const PROBE = [
  'ip link add name podroute-p0 type ipip local 127.0.0.1 remote any',
  'ip link add name podroute-p1 type bridge',
  'ip link add name podroute-p2 type veth peer name podroute-p3',
];

/**
 * Makes the lab's kinds of device in a network namespace that ends with the probe.
 *
 * @returns {string | undefined} why the kernel cannot, in the words of `ip` or `unshare`; undefined when it can
 */
export function kernelShortfall() {
  for (const command of PROBE) {
    const run = spawnSync('unshare', ['--net', ...command.split(' ')], { encoding: 'utf8' });
    if (run.error !== undefined) return run.error.message;
    if (run.status !== 0) {
      const kind = command.split(' ')[6];
      return `cannot make ${kind === 'ipip' ? 'an' : 'a'} ${kind} device: ${run.stderr.trim().split('\n')[0]}`;
    }
  }
  return undefined;
}
