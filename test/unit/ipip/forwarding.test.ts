/** The kernel settings of forwarding: set only where they stand in the way, and put back. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { DataplaneEvent } from '../../../ipip/events.js';
import { Forwarding, type ForwardingNeeds } from '../../../ipip/forwarding.js';
import { forwardingNeeds } from '../../../ipip/forwarding-needs.js';
import { kernelError } from '../../../ipip/kernel/errors.js';
import { interfaceIndex, type KernelLink, type Lookup, MAIN_TABLE } from '../../../ipip/kernel/kernel.js';
import {
  restoreSetting,
  type SettingChange,
  SettingRecord,
  SettingRecordError,
  settingText,
  volatileStore,
} from '../../../ipip/setting-record.js';
import type { TunnelStatus } from '../../../ipip/types.js';
import { address, prefix } from '../../support/addresses.js';
import { FakeSysctl } from '../../support/fake-machine.js';
import { FACTS } from '../../support/plane.js';

const V4 = 'net/ipv4/ip_forward';
const V6 = 'net/ipv6/conf/all/forwarding';
const rp = (device: string) => `net/ipv4/conf/${device}/rp_filter`;

let sysctl: FakeSysctl;
let store: ReturnType<typeof volatileStore>;
let events: DataplaneEvent[];
let forwarding: Forwarding;

/** A new run over what the last one left. */
function run(): void {
  events = [];
  forwarding = new Forwarding(sysctl, new SettingRecord(store), (event) => events.push(event));
}

const NOTHING: ForwardingNeeds = { ipv6: false, advertised: () => [] };
const tunnelOn = (...devices: readonly string[]): ForwardingNeeds => ({
  ...NOTHING,
  tunnelDevices: new Set(devices),
});

function cleanup(): readonly (readonly [string, string])[] {
  return [...new SettingRecord(store).changes()]
    .reverse()
    .map((change) => [change.name, restoreSetting(sysctl, change).outcome]);
}

beforeEach(() => {
  sysctl = new FakeSysctl();
  for (const device of ['all', 'default', 'lo', 'eth0', 'eth1', 'podroute0']) {
    sysctl.values.set(rp(device), '0');
    sysctl.values.set(`net/ipv4/conf/${device}/forwarding`, '0');
    sysctl.values.set(`net/ipv6/conf/${device}/forwarding`, '0');
    sysctl.values.set(`net/ipv6/conf/${device}/accept_ra`, '1');
  }
  sysctl.values.set('net/ipv4/conf/all/accept_redirects', '1');
  store = volatileStore();
  run();
});

describe('the way back', () => {
  test('what was there is remembered before it is changed, and restored over several runs', () => {
    const before = new Map(sysctl.values);
    sysctl.values.set(rp('all'), '1');
    forwarding.enable();
    forwarding.follow(tunnelOn('podroute0', 'eth0'));
    run();
    forwarding.enable();
    forwarding.follow(tunnelOn('podroute0', 'eth0'));
    expect(events).toEqual([]);
    expect(forwarding.changes().map(({ name, original, ours }) => [name, original, ours])).toEqual([
      [V4, '0', '1'],
      [rp('podroute0'), '0', '2'],
      [rp('eth0'), '0', '2'],
    ]);
    expect(cleanup().every(([, outcome]) => outcome === 'restored')).toBe(true);
    expect(sysctl.values).toEqual(new Map(before).set(rp('all'), '1'));
  });

  test('a setting that cannot be remembered is not changed, and that is told', () => {
    store.save = () => {
      throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    };
    forwarding.enable();
    expect(sysctl.read(V4)).toBe('0');
    expect(events).toEqual([
      {
        kind: 'settingWrong',
        setting: 'net.ipv4.ip_forward',
        value: '0',
        remedy: 'ENOSPC: no space left on device: set net.ipv4.ip_forward=1 on the host',
      },
    ]);
    expect(forwarding.changes()).toEqual([]);
  });

  test('a setting that cannot be written is not remembered as ours', () => {
    sysctl.isReadOnly = true;
    forwarding.enable();
    expect(forwarding.changes()).toEqual([]);
    expect(store.load()).toBeUndefined();
  });

  test('what somebody else has changed since is left', () => {
    sysctl.values.set(rp('eth0'), '1');
    forwarding.follow(tunnelOn('eth0'));
    sysctl.write(rp('eth0'), '0');
    expect(cleanup()).toEqual([[rp('eth0'), 'left']]);
    expect(sysctl.read(rp('eth0'))).toBe('0');
  });

  test('of a device that is gone nothing is put back', () => {
    sysctl.values.set(rp('eth0'), '1');
    forwarding.follow(tunnelOn('eth0'));
    sysctl.values.delete(rp('eth0'));
    expect(cleanup()).toEqual([[rp('eth0'), 'gone']]);
  });

  test('what the kernel changes along with ip_forward is put back too', () => {
    sysctl.values.set('net/ipv4/conf/eth1/forwarding', '1');
    sysctl.values.set('net/ipv4/conf/all/accept_redirects', '0');
    forwarding.enable();
    // As the kernel does when the switch is turned off.
    sysctl.values.set('net/ipv4/conf/eth1/forwarding', '0');
    sysctl.values.set('net/ipv4/conf/all/accept_redirects', '1');
    expect(cleanup()).toEqual([[V4, 'restored']]);
    expect(sysctl.read('net/ipv4/conf/eth1/forwarding')).toBe('1');
    expect(sysctl.read('net/ipv4/conf/all/accept_redirects')).toBe('0');
  });

  test.each([['text'], [{ changes: 'none' }], [{ changes: [{ name: V4 }] }], [[]]])(
    'a record that is none of ours is not guessed at: %j',
    (kept) => {
      store.load = () => kept;
      expect(run).toThrow(SettingRecordError);
    },
  );
});

describe('rp_filter', () => {
  test.each([
    ['all 0, device 0: not filtered', '0', '0', '0'],
    ['all 1, device 0: strict', '1', '0', '2'],
    ['all 0, device 1: strict', '0', '1', '2'],
    ['all 2, device 1: loose by the larger of the two', '2', '1', '1'],
    ['all 1, device 2: loose by the larger of the two', '1', '2', '2'],
  ])('%s', (_name, all, own, after) => {
    sysctl.values.set(rp('all'), all);
    sysctl.values.set(rp('eth0'), own);
    forwarding.follow(tunnelOn('podroute0', 'eth0'));
    expect(sysctl.read(rp('eth0'))).toBe(after);
  });

  test('only while the tunnel is in use, and only on the devices that it uses', () => {
    sysctl.values.set(rp('eth0'), '1');
    sysctl.values.set(rp('eth1'), '1');
    forwarding.follow(tunnelOn('eth0'));
    expect([sysctl.read(rp('eth0')), sysctl.read(rp('eth1'))]).toEqual(['2', '1']);
    forwarding.follow(NOTHING); // not known whether it is in use: nothing moves
    expect([sysctl.read(rp('eth0')), sysctl.read(rp('eth1'))]).toEqual(['2', '1']);
    forwarding.follow(tunnelOn('eth1'));
    expect([sysctl.read(rp('eth0')), sysctl.read(rp('eth1'))]).toEqual(['1', '2']);
    forwarding.follow(tunnelOn());
    expect([sysctl.read(rp('eth0')), sysctl.read(rp('eth1'))]).toEqual(['1', '1']);
    expect(forwarding.changes()).toEqual([]);
    expect(events.filter(({ kind }) => kind === 'settingChanged')).toHaveLength(4);
  });

  test('a value that somebody set meanwhile is left when the tunnel goes, and that is told', () => {
    sysctl.values.set(rp('eth0'), '1');
    forwarding.follow(tunnelOn('eth0'));
    sysctl.write(rp('eth0'), '0');
    forwarding.follow(tunnelOn());
    expect(sysctl.read(rp('eth0'))).toBe('0');
    expect(events).toContainEqual({
      kind: 'settingLeft',
      setting: 'net.ipv4.conf.eth0.rp_filter',
      value: '0',
      original: '1',
    });
  });
});

describe('IPv6 forwarding', () => {
  const ipv6: ForwardingNeeds = { ipv6: true, advertised: () => ['eth0'] };

  test('on with IPv6, off again without', () => {
    forwarding.follow(NOTHING);
    expect(sysctl.read(V6)).toBe('0');
    forwarding.follow({ ipv6: true, advertised: () => [] });
    expect(sysctl.read(V6)).toBe('1');
    expect(sysctl.read('net/ipv6/conf/eth0/accept_ra')).toBe('1');
    forwarding.follow(NOTHING);
    expect(sysctl.read(V6)).toBe('0');
  });

  test('a device that heard a router goes on hearing it: accept_ra first, and last on the way back', () => {
    forwarding.follow(ipv6);
    const names = forwarding.changes().map(({ name }) => name);
    expect(names).toEqual(['net/ipv6/conf/eth0/accept_ra', V6]);
    expect(sysctl.read('net/ipv6/conf/eth0/accept_ra')).toBe('2');
    expect(sysctl.read('net/ipv6/conf/eth1/accept_ra')).toBe('1');
    events.length = 0;
    forwarding.follow(NOTHING);
    expect(events.map((event) => 'setting' in event && event.setting)).toEqual([
      'net.ipv6.conf.all.forwarding',
      'net.ipv6.conf.eth0.accept_ra',
    ]);
  });

  test('where accept_ra cannot be set, forwarding stays off: the node keeps its way out', () => {
    const write = sysctl.write.bind(sysctl);
    sysctl.write = (name, value) => {
      if (name.endsWith('accept_ra')) throw kernelError(30, `/proc/sys/${name}`);
      write(name, value);
    };
    forwarding.follow(ipv6);
    expect(sysctl.read(V6)).toBe('0');
  });

  test('a kernel without IPv6 is left alone', () => {
    sysctl.values.delete(V6);
    forwarding.follow(ipv6);
    expect(events).toEqual([]);
  });
});

describe('what the node needs', () => {
  const link = (index: number, name: string): KernelLink => ({
    index: interfaceIndex(index),
    name,
    up: true,
    carrier: true,
    mtuBytes: 1500,
  });
  const host = {
    links: [link(1, 'lo'), link(2, 'eth0'), link(3, 'eth1'), link(4, 'podroute0')],
    addresses: [{ index: interfaceIndex(2), address: FACTS.nodeAddress, lengthBits: 24 }],
  };
  const up: TunnelStatus = { device: 'podroute0', state: 'up', reason: '' };
  const lookups = new Map<ReturnType<typeof address>, Lookup>([
    [
      address('192.168.2.11'),
      {
        kind: 'gateway',
        gateway: address('192.168.9.1'),
        interfaceIndex: interfaceIndex(3),
        prefix: prefix('0.0.0.0/0'),
      },
    ],
    [
      address('192.168.1.12'),
      { kind: 'onlink', interfaceIndex: interfaceIndex(2), prefix: prefix('192.168.1.0/24') },
    ],
  ]);
  const needs = (facts = FACTS, tunnel = up) => forwardingNeeds(facts, host, tunnel, lookups, () => []);

  test('the tunnel, the underlay with the node address, and the devices towards its other ends', () => {
    expect([...(needs().tunnelDevices ?? [])].sort()).toEqual(['eth0', 'eth1', 'podroute0']);
  });

  test('unused: none; not made, or failed: not known', () => {
    expect(needs(FACTS, { ...up, state: 'unused' }).tunnelDevices).toEqual(new Set());
    expect(needs(FACTS, { ...up, state: 'failed' }).tunnelDevices).toBeUndefined();
  });

  test('IPv6: a subnet or a pool of it', () => {
    expect(needs().ipv6).toBe(false);
    expect(needs({ ...FACTS, blocks: [...FACTS.blocks, prefix('fd00:1::/64')] }).ipv6).toBe(true);
    const pool = { prefix: prefix('fd00::/32'), ipipMode: 'Never' as const };
    expect(needs({ ...FACTS, pools: [...FACTS.pools, pool] }).ipv6).toBe(true);
  });

  test('a device with a route of protocol ra is an advertised one', () => {
    const hop = { interfaceIndex: interfaceIndex(3), onlink: false };
    const route = (protocol: number) => ({
      prefix: prefix('::/0'),
      table: MAIN_TABLE,
      tos: 0,
      metric: 1024,
      protocol,
      type: 'unicast' as const,
      nextHops: [hop],
    });
    const advertised = (protocol: number) => [
      ...forwardingNeeds(FACTS, host, up, lookups, () => [[prefix('::/0'), [route(protocol)]]]).advertised(),
    ];
    expect(advertised(9)).toEqual(['eth1']);
    expect(advertised(3)).toEqual([]);
  });
});

test('a setting is named as sysctl(8) names it, dots of a device as slashes', () => {
  expect(settingText('net/ipv4/conf/eth0.100/rp_filter')).toBe('net.ipv4.conf.eth0/100.rp_filter');
});

test('changes are kept in the order in which they were made, each setting once', () => {
  const record = new SettingRecord(store);
  const change = (name: string, original: string): SettingChange => ({
    name,
    original,
    ours: '2',
    along: {},
  });
  record.note(change('a', '1'));
  record.note(change('b', '1'));
  record.note(change('a', '0'));
  expect(record.changes().map(({ name, original }) => [name, original])).toEqual([
    ['b', '1'],
    ['a', '0'],
  ]);
  expect(new SettingRecord(store).changes()).toEqual(record.changes());
  record.forget('a');
  record.forget('b');
  expect(store.load()).toBeUndefined();
});
