/** The CNI configuration: which subnets, which plugins, and whose file it is. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type ConflistFacts,
  conflist,
  conflistPlace,
  ownConfigurations,
  PodFile,
  podSubnets,
} from '../../../../agent/pods/index.js';
import { prefix } from '../../../support/addresses.js';

const POOLS = [
  { cidr: prefix('10.244.0.0/16'), disabled: false },
  { cidr: prefix('10.250.0.0/16'), disabled: true },
  { cidr: prefix('fd00:244::/48'), disabled: false },
];

function facts(plugin: 'ptp' | 'bridge', ...subnets: readonly string[]): ConflistFacts {
  return { subnets: subnets.map(prefix), plugin, mtuBytes: 1480, dataDir: '/run/cni' };
}

describe('the text', () => {
  test('ptp: every subnet of a family is a range of one set, a pod gets one address of each family', () => {
    const text = conflist(facts('ptp', '10.244.1.0/26', '10.244.7.64/26', 'fd00:244:0:1::/122')) ?? '';
    expect(JSON.parse(text)).toEqual({
      cniVersion: '1.0.0',
      name: 'podroute',
      plugins: [
        {
          type: 'ptp',
          ipMasq: false,
          mtu: 1480,
          ipam: {
            type: 'host-local',
            dataDir: '/run/cni',
            ranges: [
              [{ subnet: '10.244.1.0/26' }, { subnet: '10.244.7.64/26' }],
              [{ subnet: 'fd00:244:0:1::/122' }],
            ],
            routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
          },
        },
        { type: 'portmap', capabilities: { portMappings: true }, snat: true },
      ],
    });
    expect(text.endsWith('}\n')).toBe(true);
  });

  test('bridge: a gateway, and nothing that masquerades', () => {
    const { plugins } = JSON.parse(conflist(facts('bridge', '10.244.1.0/24')) ?? '');
    expect(plugins[0]).toMatchObject({
      type: 'bridge',
      bridge: 'podroute-br0',
      isGateway: true,
      hairpinMode: true,
      ipMasq: false,
      mtu: 1480,
      ipam: { ranges: [[{ subnet: '10.244.1.0/24' }]], routes: [{ dst: '0.0.0.0/0' }] },
    });
  });

  test('IPv6 alone has no IPv4 route', () => {
    const { plugins } = JSON.parse(conflist(facts('ptp', 'fd00:244:0:1::/64')) ?? '');
    expect(plugins[0].ipam).toMatchObject({
      ranges: [[{ subnet: 'fd00:244:0:1::/64' }]],
      routes: [{ dst: '::/0' }],
    });
  });

  test('no subnet: no text', () => {
    expect(conflist(facts('ptp'))).toBeUndefined();
  });
});

describe('the subnets that pods get addresses of', () => {
  const choose = (plugin: 'ptp' | 'bridge', ...blocks: readonly string[]) =>
    podSubnets({ blocks: blocks.map(prefix), pools: POOLS, plugin });

  test('ptp serves all', () => {
    const blocks = ['10.244.1.0/30', '10.244.2.0/24', 'fd00:244:0:1::/126'];
    expect(choose('ptp', ...blocks)).toEqual({ used: blocks.map(prefix), unused: [] });
  });

  test('a bridge has one gateway of each family', () => {
    const { used, unused } = choose(
      'bridge',
      '10.244.1.0/24',
      '10.244.2.0/24',
      'fd00:244:0:1::/64',
      'fd00:244:0:2::/64',
    );
    expect(used).toEqual([prefix('10.244.1.0/24'), prefix('fd00:244:0:1::/64')]);
    expect(unused.map(({ block }) => block)).toEqual([prefix('10.244.2.0/24'), prefix('fd00:244:0:2::/64')]);
    expect(unused[0]?.reason).toMatch(/one subnet of each family; set --cni-plugin ptp/);
  });

  test('one that is passed over takes no place', () => {
    const { used } = choose('bridge', '10.244.1.0/31', '10.244.2.0/24');
    expect(used).toEqual([prefix('10.244.2.0/24')]);
  });

  test.each([
    ['10.244.1.0/31', /no subnet longer than \/30; set blockSize to 30 or less/],
    ['10.244.1.7/32', /no subnet longer than \/30/],
    ['fd00:244:0:1::/127', /no subnet longer than \/126/],
    ['10.250.1.0/24', /no other node reaches pods there/],
    ['10.99.1.0/24', /add an IPPool around it/],
  ])('%s is not used, and it is said why', (block, reason) => {
    const { used, unused } = choose('ptp', block);
    expect(used).toEqual([]);
    expect(unused).toEqual([{ block: prefix(block), reason: expect.stringMatching(reason) }]);
  });
});

describe('the file', () => {
  const TEXT = conflist(facts('ptp', '10.244.1.0/24')) ?? '';
  const OTHER = '{"cniVersion": "1.0.0", "name": "k8s-pod-network", "plugins": []}';
  let folder: string;
  let file: PodFile;
  let said: Record<string, unknown>[];
  const path = () => join(folder, '10-podroute.conflist');
  const errors = () => said.filter(({ level }) => level === 50);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'podroute-cni-'));
    said = [];
    const log = pino({}, { write: (line: string) => said.push(JSON.parse(line)) });
    file = new PodFile(conflistPlace(folder), log);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test('comes, follows and goes, with nothing beside it', () => {
    file.set(TEXT);
    expect(readdirSync(folder)).toEqual(['10-podroute.conflist']);
    expect(readFileSync(path(), 'utf8')).toBe(TEXT);
    expect(statSync(path()).mode & 0o777).toBe(0o644);
    file.set(TEXT.replace('1480', '1400'));
    expect(readFileSync(path(), 'utf8')).toContain('1400');
    file.set(undefined);
    expect(readdirSync(folder)).toEqual([]);
    expect(said.map(({ msg }) => msg)).toEqual([
      'pod network written',
      'pod network written',
      'pod network removed',
    ]);
  });

  test('that is right is not touched', () => {
    file.set(TEXT);
    const { ino } = statSync(path());
    file.set(TEXT);
    file.settle();
    expect(statSync(path()).ino).toBe(ino);
    expect(said).toHaveLength(1);
  });

  test('that somebody removed or altered is mended by a look', () => {
    file.settle();
    expect(existsSync(path())).toBe(false);
    file.set(TEXT);
    rmSync(path());
    file.settle();
    writeFileSync(path(), TEXT.replace('1480', '9000'));
    file.settle();
    expect(readFileSync(path(), 'utf8')).toBe(TEXT);
  });

  test.each([OTHER, 'no JSON', 'null', '[]', ''])('of another program is never touched: %j', (text) => {
    writeFileSync(path(), text);
    file.set(TEXT);
    file.set(TEXT.replace('1480', '1400'));
    file.set(undefined);
    expect(readFileSync(path(), 'utf8')).toBe(text);
    expect(errors()).toHaveLength(1);
    expect(errors()[0]?.['reason']).toMatch(
      /is not of podroute: .* remove it, or name another folder with --cni-conf-dir/,
    );
    expect(ownConfigurations(folder)).toEqual([]);
  });

  test('that cannot be written is said once, and written as soon as it can be', () => {
    rmSync(folder, { recursive: true });
    file.set(TEXT);
    file.settle();
    expect(errors()).toHaveLength(1);
    expect(errors()[0]).toMatchObject({
      msg: 'pod network cannot be written; routing goes on',
      reason: expect.stringMatching(/ENOENT.*let podroute write to .* --cni-conf-dir/),
    });
    mkdirSync(folder);
    file.settle();
    expect(readFileSync(path(), 'utf8')).toBe(TEXT);
    rmSync(folder, { recursive: true });
    file.settle();
    expect(errors()).toHaveLength(2);
  });

  test('is known to be ours later on, and so is the draft of a killed agent', () => {
    file.set(TEXT);
    writeFileSync(join(folder, '.10-podroute.conflist.draft'), '{"cniV');
    writeFileSync(join(folder, '99-loopback.conf'), '{"name": "podroute"}');
    expect([...ownConfigurations(folder)].sort()).toEqual(
      ['.10-podroute.conflist.draft', '10-podroute.conflist'].map((name) => join(folder, name)),
    );
    expect(ownConfigurations(join(folder, 'none'))).toEqual([]);
  });
});
