// The test suites, by what they need: `unit` runs anywhere, the others use the real machine (packages, namespaces, kernels).
import { defineConfig } from 'vitest/config';

const root = new URL('..', import.meta.url).pathname;

export default defineConfig({
  root,
  test: {
    projects: [
      {
        root,
        test: {
          name: 'unit',
          include: ['test/{unit,property,vectors}/**/*.test.ts'],
          testTimeout: 20_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        root,
        test: {
          name: 'system',
          include: ['test/{interop,kernel,system,lab,traffic}/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          // Alone, after the others: what they measure in time is not to be disturbed.
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
