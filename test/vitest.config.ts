// The test suites, by what they need: `unit` runs anywhere, `cluster` and `system` use the real machine (packages, namespaces),
// `rig` whole labs on a kernel that has ipip, in User-Mode Linux where this one does not.
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const root = new URL('..', import.meta.url).pathname;
/** Of the kernel's tests those that go to User-Mode Linux where this kernel has no ipip. */
const TUNNEL = ['test/kernel/ipip/tunnel.test.ts'];
/** Of the tests of the whole system those that mostly wait for a store, for agents and for pods. */
const CLUSTER = [
  'test/system/{cluster,redis}/**/*.test.ts',
  'test/system/{change,cni,ipam,ipam-claims}.test.ts',
];

/** The files that take minutes, the longest first: one that is begun last keeps everybody waiting. */
const LONGEST = [
  'test/traffic/traffic.test.ts',
  'test/lab/walk/walk.test.ts',
  'test/lab/lab.test.ts',
  'test/traffic/changes.test.ts',
  'test/lab/redis-lab.test.ts',
  ...TUNNEL,
  'test/system/cluster/chaos.test.ts',
  'test/system/cluster/joining.test.ts',
  'test/system/cni.test.ts',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rankOf = ({ moduleId }: TestSpecification) => {
      const rank = LONGEST.findIndex((path) => moduleId.endsWith(`/${path}`));
      return rank < 0 ? LONGEST.length : rank;
    };
    const groupOf = ({ project }: TestSpecification) => project.config.sequence.groupOrder;
    return (await super.sort(files)).sort((a, b) => groupOf(a) - groupOf(b) || rankOf(a) - rankOf(b));
  }
}

export default defineConfig({
  root,
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        root,
        test: {
          name: 'unit',
          include: ['test/{unit,property,vectors,scale}/**/*.test.ts'],
          testTimeout: 20_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        root,
        test: {
          name: 'cluster',
          include: CLUSTER,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // They wait more than they work.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      {
        root,
        test: {
          name: 'system',
          include: ['test/{interop,kernel,system}/**/*.test.ts'],
          exclude: [...TUNNEL, ...CLUSTER],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          // Alone, after the others: what they measure in time is not to be disturbed.
          sequence: { groupOrder: 2 },
        },
      },
      {
        root,
        test: {
          name: 'rig',
          include: ['test/{lab,traffic}/**/*.test.ts', ...TUNNEL],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // Most of these are one machine in User-Mode Linux each, which uses one processor.
          maxWorkers: 2,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
