/** `podroute ipam` over a real Redis and over a file: what is printed, what is done, and when it refuses. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { run } from '../../agent/commands/index.js';
import { createDatastore, type Datastore } from '../../agent/datastore/index.js';
import { takenIn, writes } from '../support/ipam.js';
import { manifest, node, pool } from '../support/manifests.js';
import { RedisServer } from '../support/redis-server.js';

async function command(...argv: readonly string[]) {
  const written = { stdout: '', stderr: '' };
  const output = (name: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      written[name] += text;
    },
  });
  const io = { stdout: output('stdout'), stderr: output('stderr'), env: {} };
  return { status: await run(['ipam', ...argv], io), ...written };
}

function claim(cidr: string, owner: string): string {
  return manifest('BlockAffinity', cidr.replace(/[./:]/g, '-'), { cidr, node: owner });
}

describe('over Redis', () => {
  let server: RedisServer;
  let url = '';
  let round = 0;
  let datastore: Datastore;

  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.end());

  /** A mesh of its own for each test: node-a lives, node-b has podCIDRs and gives no sign, node-x is gone. */
  beforeEach(async () => {
    round += 1;
    url = `${server.url}?prefix=mesh${round}`;
    const created = createDatastore(url);
    if ('problem' in created) throw new Error(created.problem);
    datastore = created.datastore;
    await datastore.commit(
      writes(
        pool(),
        pool('rack-b', '10.9.0.0/16', { nodeSelector: "rack == 'b'" }),
        node('a', '192.168.1.11/24'),
        node('b', '192.168.1.12/24', ['10.244.2.0/24']),
        claim('10.244.1.0/24', 'node-a'),
        claim('10.244.3.0/24', 'node-x'),
      ),
    );
    const beat = { node: 'node-a', instance: 'a1', address: '192.168.1.11', takeOverAfterMs: 60_000 };
    await datastore.registry?.beat(beat);
    return () => datastore.stop();
  });

  const ipam = (...argv: readonly string[]) => command(...argv, '--datastore', url);

  test('show', async () => {
    const { status, stdout } = await ipam('show');
    expect(status).toBe(0);
    expect(stdout.split('\n')).toEqual([
      'POOL    CIDR           BLOCK SIZE  BLOCKS  TAKEN  FREE  STATE',
      'pods    10.244.0.0/16  /24         256     3      253   enabled',
      'rack-b  10.9.0.0/16    /24         256     0      256   enabled',
      '',
      'NODE    STATE    BLOCKS',
      'node-a  live     10.244.1.0/24',
      'node-b  no sign  10.244.2.0/24',
      'node-x  no Node  10.244.3.0/24',
      '',
    ]);
    expect((await ipam('show', '--blocks')).stdout).toContain(
      '10.244.2.0/24  node-b  pods  podCIDRs  confirmed\n',
    );
    const json = JSON.parse((await ipam('show', '-o', 'json')).stdout);
    expect(json.pools[0]).toEqual({
      name: 'pods',
      cidr: '10.244.0.0/16',
      blockSize: 24,
      disabled: false,
      blocks: 256,
      taken: 3,
      free: 253,
    });
    expect(json.nodes[2]).toEqual({
      name: 'node-x',
      state: 'noNode',
      silentForMs: null,
      blocks: ['10.244.3.0/24'],
    });
  });

  test('check finds the leak, its own advice mends it, and a second look finds nothing', async () => {
    const found = await ipam('check');
    expect([found.status, found.stdout]).toEqual([
      1,
      'leak: there is no Node node-x, but it still has 10.244.3.0/24; free it by "podroute ipam release --node node-x"\n',
    ]);
    expect(await ipam('release', '--node', 'node-x')).toEqual({
      status: 0,
      stdout: 'released 10.244.3.0/24 of node-x\n',
      stderr: '',
    });
    const again = await ipam('check');
    expect(again.status).toBe(0);
    expect(again.stdout).toMatch(/: nothing is wrong with 2 pod subnets\n$/);
  });

  test('a node that is silent for long enough is a leak, and lets go', async () => {
    const sign = { instance: 'a1', address: '192.168.1.11', atMs: Date.now() - 3 * 3_600_000 };
    await server.ask('HSET', `{mesh${round}}:signs`, 'node-a', JSON.stringify(sign));
    expect((await ipam('show')).stdout).toMatch(/^node-a {2}silent for 3h00m {2}10\.244\.1\.0\/24$/m);
    expect((await ipam('check')).stdout).not.toContain('node-a');
    const { status, stdout } = await ipam('check', '--silent-for', '2h', '-o', 'json');
    expect(status).toBe(1);
    expect(JSON.parse(stdout).problems).toContainEqual({
      code: 'leak',
      subject: 'node-a',
      message: expect.stringContaining('node-a gives no sign of life any more and still has 10.244.1.0/24'),
    });
    expect((await ipam('release', '10.244.1.0/24')).stdout).toBe('released 10.244.1.0/24 of node-a\n');
  });

  describe('release', () => {
    test('refuses while the node lives, and does it by force', async () => {
      const refused = await ipam('release', '10.244.1.0/24');
      expect(refused.status).toBe(1);
      expect(refused.stderr).toMatch(
        /^node-a lives \(its last sign is \d+s old\), and its pods would lose their addresses; stop its agent first, or give --force\n$/,
      );
      expect(await takenIn(datastore)).toContain('10.244.1.0/24 node-a');
      expect((await ipam('release', '10.244.1.0/24', '--force', '-o', 'json')).stdout).toBe(
        `${JSON.stringify({ released: [{ cidr: '10.244.1.0/24', node: 'node-a' }] }, null, 2)}\n`,
      );
      expect(await takenIn(datastore)).not.toContain('10.244.1.0/24 node-a');
    });

    test.each([
      [
        ['10.244.2.0/24'],
        '10.244.2.0/24 is written with Node/node-b, and not claimed; take it out of podCIDRs',
      ],
      [['10.244.3.0/26'], '10.244.3.0/26 is not claimed; 10.244.3.0/24 of node-x is'],
      [['10.244.9.0/24'], '10.244.9.0/24 is not claimed; see "podroute ipam show --blocks"'],
      [['10.244.1.7'], '"10.244.1.7" is no pod subnet; write it like 10.244.1.0/24'],
      [['--node', 'node-y'], 'node-y has no claimed pod subnet; did you mean'],
      [[], 'say what to release: either CIDR or --node NAME'],
    ])('%j is a wrong question', async (argv, sentence) => {
      const { status, stderr } = await ipam('release', ...argv);
      expect(stderr).toContain(`podroute ipam release: ${sentence}`);
      expect(status).toBe(2);
    });

    test('of two at one time one releases, and the other is told', async () => {
      const both = await Promise.all([ipam('release', '10.244.3.0/24'), ipam('release', '10.244.3.0/24')]);
      const [done, late] = both.sort((a, b) => a.status - b.status);
      expect([done?.status, done?.stdout]).toEqual([0, 'released 10.244.3.0/24 of node-x\n']);
      // It has read before the release or after it.
      expect(late?.stderr).toMatch(
        /BlockAffinity\/10-244-3-0-24 was changed meanwhile|10\.244\.3\.0\/24 is not claimed/,
      );
      expect(late?.status).not.toBe(0);
    });

    test('a claim that readers leave out can be released', async () => {
      await datastore.commit(writes(claim('10.244.3.0/25', 'node-x')));
      expect((await ipam('check')).stdout).toContain('BlockAffinity/10-244-3-0-25 is used by nobody');
      expect((await ipam('release', '10.244.3.0/25')).status).toBe(0);
    });
  });

  describe('claim', () => {
    test('the next free block, of the pool that is asked for, and exactly one', async () => {
      expect((await ipam('claim', 'node-a')).stdout).toBe(
        'claimed 10.244.0.0/24 of IPPool/pods for node-a\n',
      );
      expect((await ipam('claim', 'node-a')).stdout).toBe(
        'claimed 10.244.4.0/24 of IPPool/pods for node-a\n',
      );
      expect((await ipam('claim', 'node-b', '--pool', 'rack-b')).stdout).toContain(
        'claimed 10.9.0.0/24 of IPPool/rack-b',
      );
      expect(
        JSON.parse((await ipam('claim', 'node-b', '--block', '10.9.7.0/24', '-o', 'json')).stdout),
      ).toEqual({
        node: 'node-b',
        cidr: '10.9.7.0/24',
        pool: 'rack-b',
      });
      expect(await takenIn(datastore)).toEqual([
        '10.9.0.0/24 node-b',
        '10.9.7.0/24 node-b',
        '10.244.0.0/24 node-a',
        '10.244.1.0/24 node-a',
        '10.244.2.0/24 node-b',
        '10.244.3.0/24 node-x',
        '10.244.4.0/24 node-a',
      ]);
    });

    test.each<[argv: string[], status: number, sentence: string]>([
      [
        ['node-a', '--block', '10.244.2.0/24'],
        1,
        '10.244.2.0/24 is a pod subnet of node-b, and nothing is borrowed',
      ],
      [
        ['node-a', '--pool', 'rack-b'],
        1,
        "no IPPool is for node-a: IPPool/rack-b (10.9.0.0/16) is for nodes with rack == 'b'",
      ],
      [['node-c'], 2, 'there is no Node node-c; did you mean'],
      [['node-a', '--pool', 'rack-c'], 2, 'there is no IPPool rack-c; did you mean "rack-b"?'],
      [['node-a', '--pool', 'pods', '--block', '10.244.9.0/24'], 2, 'give --pool or --block, not both'],
      [[], 2, 'name the node that gets one'],
    ])('%j', async (argv, status, sentence) => {
      const result = await ipam('claim', ...argv);
      expect(result.stderr).toContain(sentence);
      expect(result.status).toBe(status);
    });

    test('two at one time get two', async () => {
      const both = await Promise.all([ipam('claim', 'node-a'), ipam('claim', 'node-b', '--pool', 'pods')]);
      expect(both.map(({ stdout }) => stdout.split(' ')[1]).sort()).toEqual([
        '10.244.0.0/24',
        '10.244.4.0/24',
      ]);
    });

    test('an exhausted pool is told with its count', async () => {
      await datastore.commit(writes(pool('tiny', '10.8.0.0/23')));
      const give = () => ipam('claim', 'node-a', '--pool', 'tiny');
      expect([(await give()).status, (await give()).status]).toEqual([0, 0]);
      const { status, stderr } = await give();
      expect(status).toBe(1);
      expect(stderr).toContain('IPPool/tiny (10.8.0.0/23) has no free block: all 2 blocks of /24 are taken');
    });
  });

  test('a Redis that is not there is status 3', async () => {
    const { status, stderr } = await command('show', '--datastore', 'redis://127.0.0.1:1');
    expect(status).toBe(3);
    expect(stderr).toContain('redis://127.0.0.1:1 refuses the connection');
  });
});

describe('over a file', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'podroute-ipam-'));
    const documents = [pool(), node('a', '192.168.1.11/24', ['10.244.1.0/24'])];
    writeFileSync(join(folder, 'cluster.yaml'), documents.join('\n---\n'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const ipam = (...argv: readonly string[]) => command(...argv, '--datastore', join(folder, 'cluster.yaml'));

  test('show and check read podCIDRs', async () => {
    expect((await ipam('show')).stdout).toContain('node-a  no sign  10.244.1.0/24\n');
    expect((await ipam('check')).status).toBe(0);
  });

  test.each([
    [['claim', 'node-a'], 'add one to podCIDRs of the Node by "podroute apply"'],
    [['release', '10.244.1.0/24'], 'take it out of podCIDRs of its Node by "podroute apply"'],
  ])('%j says how it is done there', async (argv, remedy) => {
    const { status, stderr } = await ipam(...argv);
    expect(status).toBe(2);
    expect(stderr).toContain(`has no claims: its pod subnets are written by hand; ${remedy}`);
  });

  test.each([
    [[], 'podroute ipam: say what to do: show, check, release or claim\n'],
    [['shew'], 'say what to do: show, check, release or claim; it was "shew"'],
    [['check', '--silent-for', 'soon'], '--silent-for "soon" is no duration; write it like 90m, 2h or 7d'],
    [
      ['check', '--silent-for', '30s'],
      '--silent-for 30s is less than 90s, for which a node that lives may be silent',
    ],
    [['show', '-o', 'xml'], '--output must be one of table, json; it was "xml"'],
  ])('%j is wrong usage', async (argv, sentence) => {
    const { status, stderr } = await command(...argv);
    expect(stderr).toContain(sentence);
    expect(status).toBe(2);
  });
});
