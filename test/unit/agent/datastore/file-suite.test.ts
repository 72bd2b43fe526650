/** The file store as a datastore like every other. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { createDatastore } from '../../../../agent/datastore/index.js';
import { datastoreSuite } from '../../../support/datastore-suite.js';

describe('a file as a datastore', () => {
  datastoreSuite({ isForNodes: false, keepsExactly: false }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'podroute-file-suite-'));
    const path = join(folder, 'cluster.yaml');
    writeFileSync(path, '');
    return {
      open: () => {
        const created = createDatastore(`file:${path}`, { settleMs: 20 });
        if ('problem' in created) throw new Error(created.problem);
        return created.datastore;
      },
      end: async () => rmSync(folder, { recursive: true }),
    };
  });
});
