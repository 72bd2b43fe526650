/**
 * The import walls of ARCHITECTURE.md are enforced by the linter: each planted fault must be found.
 */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = new URL('../..', import.meta.url).pathname;

/** A file with one import or use too many, and a word of the message that must come. */
const FAULTS: readonly (readonly [name: string, path: string, code: string, message: string])[] = [
  [
    'net imports nothing of ours',
    'bgp/net/fault.ts',
    "import '../wire/index.js';",
    'imports nothing of ours',
  ],
  ['wire knows no FSM', 'bgp/wire/fault.ts', "import '../fsm/index.js';", 'does not know that one'],
  ['wire enters net by its door', 'bgp/wire/fault.ts', "import '../net/ipv4.js';", 'entered by its door'],
  ['wire has no I/O', 'bgp/wire/fault.ts', "import 'node:fs';", 'Pure code has no I/O'],
  ['fsm knows no tables', 'bgp/fsm/fault.ts', "import '../rib/index.js';", 'does not know that one'],
  ['fsm has no clock', 'bgp/fsm/fault.ts', 'export const now = Date.now();', 'time, chance and output'],
  ['rib knows no policy', 'bgp/rib/fault.ts', "import '../policy/index.js';", 'does not know that one'],
  ['rib has no timers', 'bgp/rib/fault.ts', 'setTimeout(() => {}, 1);', 'time, chance and output'],
  [
    'policy knows no speaker',
    'bgp/policy/fault.ts',
    "import '../speaker/index.js';",
    'does not know that one',
  ],
  [
    'the speaker knows no kernel',
    'bgp/speaker/fault.ts',
    "import '../../ipip/index.js';",
    'does not know that one',
  ],
  [
    'the data plane knows no BGP',
    'ipip/fault.ts',
    "import '../bgp/wire/index.js';",
    'does not know that one',
  ],
  ['the plan has no I/O', 'ipip/plan.ts', "import 'node:net';", 'Pure code has no I/O'],
  [
    'the API imports nothing of ours',
    'api/fault.ts',
    "import '../bgp/net/index.js';",
    'does not know that one',
  ],
  [
    'the agent enters the API by its door',
    'agent/fault.ts',
    "import '../api/errors.js';",
    'entered by its door',
  ],
  [
    'nobody imports the tests',
    'agent/fault.ts',
    "import '../test/support/fake-clock.js';",
    'does not know that one',
  ],
  [
    'pod subnets are pure',
    'agent/ipam/fault.ts',
    'export const now = Date.now();',
    'time, chance and output',
  ],
  ['the choice of an address is pure', 'agent/detect/choose.ts', "import 'node:os';", 'Pure code has no I/O'],
  ['the pod subnets have one door', 'agent/fault.ts', "import './ipam/blocks.js';", 'entered by its door'],
  [
    'the agent enters the room of pods by its door',
    'agent/fault.ts',
    "import './pods/conflist.js';",
    'entered by its door',
  ],
  ['what pods are told is pure', 'agent/pods/conflist.ts', "import 'node:fs';", 'Pure code has no I/O'],
  ['resources are pure', 'agent/resources/fault.ts', "import 'node:fs';", 'Pure code has no I/O'],
  [
    'the judgement has no I/O',
    'agent/datastore/redis/judgement.ts',
    "import 'ioredis';",
    'Pure code has no I/O',
  ],
  [
    'Redis is entered by its door',
    'agent/datastore/fault.ts',
    "import './redis/link.js';",
    'entered by its door',
  ],
  ['manifests are pure', 'agent/manifests/fault.ts', "import 'node:crypto';", 'Pure code has no I/O'],
  ['what a change comes to is pure', 'agent/changes/fault.ts', "import 'node:fs';", 'Pure code has no I/O'],
];

describe('the walls between the folders', () => {
  let tree: string;

  beforeAll(() => {
    tree = mkdtempSync(join(tmpdir(), 'podroute-walls-'));
    cpSync(join(root, 'biome.json'), join(tree, 'biome.json'));
    symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  });
  afterAll(() => rmSync(tree, { recursive: true }));

  test.each(FAULTS)('%s', (_name, path, code, message) => {
    const file = join(tree, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${code}\n`);
    const lint = spawnSync(join(root, 'node_modules/.bin/biome'), ['lint', file], {
      cwd: tree,
      encoding: 'utf8',
    });
    rmSync(file);
    expect(`${lint.stdout}${lint.stderr}`).toContain(message);
    expect(lint.status).not.toBe(0);
  });

  test('pure folders take no chance: no Math.random', () => {
    const tracked = ['net', 'wire', 'fsm', 'rib', 'policy'].flatMap((folder) =>
      readdirSync(join(root, 'bgp', folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => join(root, 'bgp', folder, name)),
    );
    expect(tracked.length).toBeGreaterThan(20);
    expect(tracked.filter((file) => readFileSync(file, 'utf8').includes('Math.random'))).toEqual([]);
  });
});
