/**
 * Outgoing NAT on the running kernel: who sees which address, and what becomes of the rules. Needs root, iproute2 and
 * nftables.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { DataplaneEvent } from '../../../ipip/events.js';
import { nftablesBy, type RuleSets } from '../../../ipip/kernel/nft.js';
import { OutgoingNat } from '../../../ipip/nat.js';
import type { NatFacts } from '../../../ipip/nat-rules.js';
import { address, prefix } from '../../support/addresses.js';
import { FakeClock } from '../../support/fake-clock.js';
import { ruleSetsIn } from '../../support/machine.js';
import { end, Namespace } from '../../support/netns.js';
import { flood, seeAddresses, seenFrom, seenSoFar } from '../../support/seen-address.js';
import { until } from '../../support/until.js';

const NODE = '192.0.2.1';
const NODE6 = '2001:db8::1';
const POD = '10.244.1.2';
const POD6 = 'fd00:244:1::2';
const QUIET_POD = '10.250.1.2';
const OUTSIDE = '192.0.2.100';
const OUTSIDE6 = '2001:db8::100';
const OTHER_NODE = '192.0.2.2';
const OTHER_NODE6 = '2001:db8::2';
const REMOTE_POD = '10.244.2.2';
const REMOTE_POD6 = 'fd00:244:2::2';

/** One pool of each family asks for NAT; another does not. */
const FACTS: NatFacts = {
  masqueraded: [prefix('10.244.0.0/16'), prefix('fd00:244::/32')],
  pools: [prefix('10.244.0.0/16'), prefix('10.250.0.0/16'), prefix('fd00:244::/32')],
  nodes: [NODE, OTHER_NODE, NODE6, OTHER_NODE6].map(address),
};

let folder: string;
let outside: Namespace;
let node: Namespace;
let other: Namespace;
let pod: Namespace;
let quietPod: Namespace;
let ruleSets: RuleSets;
let clock: FakeClock;
let events: DataplaneEvent[];
let nat: OutgoingNat;

/** A pod behind the node, with the node's end of the wire as its gateway. */
function addPod(device: string, ...addresses: readonly string[]): Namespace {
  const namespace = Namespace.create('nat-pod');
  node.ip('link', 'add', device, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace.name);
  node.ip('link', 'set', device, 'up');
  namespace.ip('link', 'set', 'eth0', 'up');
  for (const own of addresses) {
    const [network, length] = [own.replace(/2$/, ''), own.includes(':') ? '64' : '24'];
    node.ip(
      'address',
      'add',
      `${network}1/${length}`,
      'dev',
      device,
      ...(own.includes(':') ? ['nodad'] : []),
    );
    namespace.ip(
      'address',
      'add',
      `${own}/${length}`,
      'dev',
      'eth0',
      ...(own.includes(':') ? ['nodad'] : []),
    );
    namespace.ip('route', 'add', 'default', 'via', `${network}1`);
  }
  return namespace;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'podroute-nat-'));
  const machines = Namespace.bridged('nat', [
    [`${OUTSIDE}/24`, `${OUTSIDE6}/64`],
    [`${NODE}/24`, `${NODE6}/64`],
    [`${OTHER_NODE}/24`, `${OTHER_NODE6}/64`],
  ]);
  [outside, node, other] = machines as [Namespace, Namespace, Namespace];
  pod = addPod('pod0', POD, POD6);
  quietPod = addPod('pod1', QUIET_POD);
  node.run('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
  node.ip('route', 'add', '10.244.2.0/24', 'via', OTHER_NODE);
  node.ip('route', 'add', 'fd00:244:2::/64', 'via', OTHER_NODE6);
  other.ip('address', 'add', `${REMOTE_POD}/32`, 'dev', 'lo');
  other.ip('address', 'add', `${REMOTE_POD6}/128`, 'dev', 'lo', 'nodad');
  for (const machine of [outside, other]) {
    machine.ip('route', 'add', '10.244.1.0/24', 'via', NODE);
    machine.ip('route', 'add', '10.250.0.0/16', 'via', NODE);
    machine.ip('route', 'add', 'fd00:244:1::/64', 'via', NODE6);
  }
  await Promise.all([outside, other, pod, quietPod].map((machine) => seeAddresses(machine, folder)));

  ruleSets = ruleSetsIn(node);
});

afterAll(async () => {
  await Promise.all([outside, node, other, pod, quietPod].map((machine) => machine?.remove()));
  rmSync(folder, { recursive: true });
});

beforeEach(async () => {
  clock = new FakeClock();
  events = [];
  nat = new OutgoingNat({ ruleSets, clock, report: (event) => events.push(event) });
  nat.set(FACTS);
  await nat.settled();
  expect(nat.status()).toMatchObject({ state: 'on', reason: '' });
});

const tables = () => node.run('nft', 'list', 'tables').trim().split('\n').sort();

describe('who sees which address', () => {
  test.each([
    ['pod to outside: the node', () => pod, OUTSIDE, NODE],
    ['pod to outside, IPv6: the node', () => pod, OUTSIDE6, NODE6],
    ['pod to a pod of another node: the pod', () => pod, REMOTE_POD, POD],
    ['pod to a pod of another node, IPv6: the pod', () => pod, REMOTE_POD6, POD6],
    ['pod to a pod of a pool without NAT: the pod', () => pod, QUIET_POD, POD],
    ['pod to another node: the pod', () => pod, OTHER_NODE, POD],
    ['pod to another node, IPv6: the pod', () => pod, OTHER_NODE6, POD6],
    ['another node to a pod: that node', () => other, POD, OTHER_NODE],
    ['outside to a pod: itself', () => outside, POD, OUTSIDE],
    ['pod of a pool without NAT to outside: the pod', () => quietPod, OUTSIDE, QUIET_POD],
    ['this node to outside: the node', () => node, OUTSIDE, NODE],
  ])('%s', (_name, from, to, seen) => {
    expect(seenFrom(from(), to)).toBe(seen);
  });

  test('a live change moves NAT from one pool to the other', async () => {
    nat.set({ ...FACTS, masqueraded: [prefix('10.250.0.0/16')] });
    await nat.settled();
    expect(seenFrom(pod, OUTSIDE)).toBe(POD);
    expect(seenFrom(quietPod, OUTSIDE)).toBe(NODE);
    expect(tables()).toEqual(['table ip podroute']);
  });

  test('no packet meets a state between while the rules are replaced', async () => {
    const before = seenSoFar(outside, '127.0.0.1');
    const flows = flood(pod, OUTSIDE, folder);
    const count = () => (seenSoFar(outside, '127.0.0.1')[NODE] ?? 0) - (before[NODE] ?? 0);
    await until('the flood is there', () => count() > 100);
    const start = count();
    for (let change = 0; change < 40 || count() < start + 100; change++) {
      nat.set({ ...FACTS, nodes: [...FACTS.nodes, address(`192.0.2.${(change % 200) + 10}`)] });
      await nat.settled();
    }
    await end(flows, 'SIGKILL');
    expect(events.filter(({ kind }) => kind === 'natChanged').length).toBeGreaterThan(40);
    expect(seenSoFar(outside, '127.0.0.1')[POD] ?? 0).toBe(before[POD] ?? 0);
  });
});

describe('what becomes of the rules', () => {
  test.each([
    ['the table is removed', ['delete', 'table', 'ip', 'podroute']],
    ['a chain is emptied', ['flush', 'chain', 'ip', 'podroute', 'postrouting']],
    ['an element is added', ['add', 'element', 'ip', 'podroute', 'pools', '{ 192.0.2.0/24 }']],
  ])('%s: repaired at the next look', async (_name, command) => {
    node.run('nft', ...command);
    expect(seenFrom(pod, OUTSIDE)).toBe(POD);
    clock.advance(90_000);
    await nat.settled();
    expect(nat.status()).toMatchObject({ state: 'on', repairs: 1 });
    expect(seenFrom(pod, OUTSIDE)).toBe(NODE);
  });

  test('counting packets is no change', async () => {
    seenFrom(pod, OUTSIDE);
    clock.advance(90_000);
    await nat.settled();
    expect(nat.status().repairs).toBe(0);
  });

  test('no pool asks any more: our tables go, those of others stay', async () => {
    node.run('nft', 'add', 'table', 'ip', 'others');
    expect(tables()).toEqual(['table ip others', 'table ip podroute', 'table ip6 podroute']);
    nat.set({ ...FACTS, masqueraded: [] });
    await nat.settled();
    expect(tables()).toEqual(['table ip others']);
    expect(nat.status().state).toBe('off');
    node.run('nft', 'delete', 'table', 'ip', 'others');
  });

  test('where nft is not installed, one sentence names the package', async () => {
    await expect(nftablesBy('nft-that-nobody-has').list('ip', 'podroute')).rejects.toMatchObject({
      code: 'NFT_MISSING',
      message: 'nft is not installed: install the package nftables',
    });
  });

  test('a text that nft refuses is told with its reason, and nothing of it is in force', async () => {
    await expect(ruleSets.apply('add table ip extra\nadd rule ip extra none drop\n')).rejects.toMatchObject({
      code: expect.stringMatching(/^NFT_/),
      message: expect.stringContaining('No such file or directory'),
    });
    expect(tables()).not.toContain('table ip extra');
  });
});
