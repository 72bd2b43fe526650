/** What cleanup takes for ours, over a kernel in memory. */
import { beforeEach, describe, expect, test } from 'vitest';
import { type CleanupItem, cleanUp } from '../../../ipip/cleanup.js';
import { defaultDataplaneSettings } from '../../../ipip/index.js';
import { SettingRecord, volatileStore } from '../../../ipip/setting-record.js';
import { FakeMachine } from '../../support/fake-machine.js';
import { FakeRuleSets } from '../../support/fake-rule-sets.js';
import { changes, FACTS, learned, Plane } from '../../support/plane.js';

let machine: FakeMachine;
let ruleSets: FakeRuleSets;
let store: ReturnType<typeof volatileStore>;

const clean = (dryRun = false) =>
  cleanUp(
    {
      kernel: machine.kernel,
      sysctl: machine.sysctl,
      ruleSets,
      record: new SettingRecord(store),
      settings: defaultDataplaneSettings,
    },
    dryRun,
  );

const lines = (items: readonly CleanupItem[]) =>
  items.map(({ outcome, kind, what }) => `${outcome} ${kind} ${what}`);

beforeEach(async () => {
  machine = new FakeMachine({ hasIpip: true });
  ruleSets = new FakeRuleSets();
  store = volatileStore();
  machine.addDevice('eth0', '192.168.1.11/24');
  machine.ip('route add default via 192.168.1.254');
  machine.ip('route add 10.9.0.0/16 via 192.168.1.254 proto 4');
  machine.sysctl.values.set('net/ipv4/conf/eth0/rp_filter', '1');
  const plane = new Plane(machine, { settingStore: store });
  await plane.dataplane.start();
  plane.dataplane.setNode(FACTS);
  plane.dataplane.applyChanges(
    changes(learned('10.244.2.0/24', '192.168.1.12'), learned('10.244.3.0/24', '192.168.2.11')),
  );
  await plane.dataplane.settled();
  await plane.dataplane.stop();
  ruleSets.tables.set('ip', 'table ip podroute {}');
});

const ALL = [
  'removed table ip podroute',
  'removed route blackhole 10.244.1.0/24',
  'removed route 10.244.2.0/24 via 192.168.1.12 dev eth0',
  'removed route 10.244.3.0/24 via 192.168.2.11 dev podroute0',
  'restored setting net.ipv4.conf.eth0.rp_filter = 1 (was 2)',
  'restored setting net.ipv4.ip_forward = 0 (was 1)',
  'removed address 10.244.1.0/32 dev podroute0',
  'removed device podroute0',
];

const foreignRoutes = [
  '10.9.0.0/16 via 192.168.1.254 dev eth0 proto 4',
  'default via 192.168.1.254 dev eth0 proto 3',
];

test('a dry run names all of it and touches none', async () => {
  const before = [machine.routes(), [...machine.sysctl.values], [...ruleSets.tables], store.load()];
  expect(lines(await clean(true)).sort()).toEqual([...ALL].sort());
  expect([machine.routes(), [...machine.sysctl.values], [...ruleSets.tables], store.load()]).toEqual(before);
});

test('everything of ours goes and nothing of others; a second run finds nothing', async () => {
  expect(lines(await clean()).sort()).toEqual([...ALL].sort());
  expect([...machine.routes()].sort()).toEqual(foreignRoutes);
  expect(machine.sysctl.read('net/ipv4/ip_forward')).toBe('0');
  expect(machine.sysctl.read('net/ipv4/conf/eth0/rp_filter')).toBe('1');
  expect((await machine.kernel.links()).map(({ name }) => name)).not.toContain('podroute0');
  expect(ruleSets.tables.size).toBe(0);
  expect(store.load()).toBeUndefined();
  expect(await clean()).toEqual([]);
});

describe('what is not as we left it', () => {
  test('a device of the name that is no tunnel is left', async () => {
    machine.ip('link delete podroute0');
    machine.ip('link add podroute0 type bridge');
    expect(await clean()).toContainEqual({
      kind: 'device',
      what: 'podroute0',
      outcome: 'left',
      reason: "it is no ipip device (bridge), so it is not the agent's",
    });
  });

  test('a setting that somebody else has changed since is left, and forgotten', async () => {
    machine.sysctl.write('net/ipv4/conf/eth0/rp_filter', '0');
    expect(await clean()).toContainEqual({
      kind: 'setting',
      what: 'net.ipv4.conf.eth0.rp_filter = 0',
      outcome: 'left',
      reason: 'the agent had set 2 in the place of 1, and another program has changed it since',
    });
    expect(store.load()).toBeUndefined();
  });

  test('what fails is told with its reason, stops nothing else, and is there for the next run', async () => {
    machine.kernel.failNext('delete', 'EPERM');
    machine.sysctl.isReadOnly = true;
    ruleSets.failure = 'NFT_FAILED';
    const failed = (await clean()).filter(({ outcome }) => outcome === 'failed');
    expect(failed.map(({ kind }) => kind)).toEqual(['table', 'table', 'route', 'setting', 'setting']);
    expect(failed.every(({ reason }) => reason !== undefined && reason !== '')).toBe(true);
    machine.sysctl.isReadOnly = false;
    ruleSets.failure = undefined;
    expect((await clean()).map(({ outcome }) => outcome)).toEqual([
      'removed',
      'removed',
      'restored',
      'restored',
    ]);
  });

  test('without nftables there is no table to speak of', async () => {
    ruleSets.failure = 'NFT_MISSING';
    expect(lines(await clean()).filter((line) => line.includes('table'))).toEqual([]);
  });

  test('who may not change routes is told so before anything is done', async () => {
    machine.kernel.failNext('checkPermission', 'EPERM');
    await expect(clean()).rejects.toMatchObject({ code: 'KERNEL_EPERM' });
    expect(lines(await clean(true))).toHaveLength(ALL.length);
  });
});
