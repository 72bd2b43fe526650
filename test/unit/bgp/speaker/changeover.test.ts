/**
 * Peers that become others while sessions are up: under another name, gone because others come, clients no more.
 */
import { describe, expect, test } from 'vitest';
import { formatPrefix } from '../../../../bgp/net/index.js';
import type { PeerConfig } from '../../../../bgp/speaker/index.js';
import { prefix } from '../../../support/addresses.js';
import { must } from '../../../support/machine.js';
import { type Member, MemoryMesh, peerConfig } from '../../../support/memory-mesh.js';

const SECOND = 1000;
const RESTART_SECONDS = 120;
const TAIL_SECONDS = 120;

async function mesh(...numbers: readonly number[]) {
  const network = new MemoryMesh();
  const members = await Promise.all(
    numbers.map((number) =>
      network.member({ address: `192.168.1.${number}`, blocks: [`10.244.${number}.0/24`] }),
    ),
  );
  network.connect(...members);
  network.clock.advance(5 * SECOND);
  const member = (number: number) => must(members[numbers.indexOf(number)]);
  return { network, member };
}

/** `10.244.2.0/24 from NAME`, with ` stale` where it is. */
function learned(member: Member): readonly string[] {
  return [...member.speaker.rib.bestRoutes()]
    .filter(({ path }) => path.peer !== undefined)
    .map(({ prefix: to, path }) => `${formatPrefix(to)} from ${path.peer?.id}${path.stale ? ' stale' : ''}`)
    .sort();
}

/** Prefixes that ever became unreachable. */
const lost = (member: Member) => member.changes.filter(({ best }) => best === undefined).length;

const status = (member: Member) => member.speaker.peers();

describe('the same router under another name', () => {
  const named = (a: Member, b: Member, settings: Partial<PeerConfig> = {}) =>
    peerConfig(a, b, { id: 'peer/reflectors', ...settings });

  test('keeps its session and its routes, and later lines of the log have the new name', async () => {
    const { network, member } = await mesh(11, 12);
    const [a, b] = [member(11), member(12)];
    const before = must(status(a)[0]);
    a.speaker.setPeers([named(a, b, { routeReflectorClient: true })]);
    network.clock.advance(SECOND);
    expect(status(a)).toMatchObject([{ config: { id: 'peer/reflectors' }, sinceMs: before.sinceMs }]);
    expect(learned(a)).toEqual(['10.244.12.0/24 from peer/reflectors']);
    expect(must(status(b)[0]).flaps).toBe(0);
    a.speaker.resetPeer('peer/reflectors');
    expect(a.log.findLast(({ msg }) => msg === 'the peer is reset')).toMatchObject({
      peer: 'peer/reflectors',
    });
    network.clock.advance(30 * SECOND);
    expect(learned(a)).toEqual(['10.244.12.0/24 from peer/reflectors']);
  });

  test('with settings that need a new session: the routes outlive the old one', async () => {
    const { network, member } = await mesh(11, 12);
    const [a, b] = [member(11), member(12)];
    a.speaker.setPeers([named(a, b, { holdTimeSeconds: 30 })]);
    expect(learned(a)).toEqual(['10.244.12.0/24 from 192.168.1.12 stale']);
    network.clock.advance(30 * SECOND);
    expect(status(a)).toMatchObject([{ state: 'Established', session: { holdTimeSeconds: 30 } }]);
    expect(learned(a)).toEqual(['10.244.12.0/24 from peer/reflectors']);
    expect([lost(a), lost(b)]).toEqual([0, 0]);
  });

  test('without a session: what the old name has left goes on until the new one has a session', async () => {
    const { network, member } = await mesh(11, 12);
    const [a, b] = [member(11), member(12)];
    network.network.reset(a.address, b.address);
    expect(learned(a)).toEqual(['10.244.12.0/24 from 192.168.1.12 stale']);
    a.speaker.setPeers([named(a, b)]);
    network.clock.advance(60 * SECOND);
    expect(learned(a)).toEqual(['10.244.12.0/24 from peer/reflectors']);
    expect([lost(a), lost(b)]).toEqual([0, 0]);
  });

  test('shut down by its operator: it stays so', async () => {
    const { network, member } = await mesh(11, 12);
    const [a, b] = [member(11), member(12)];
    a.speaker.shutdownPeer('192.168.1.12', 'rack is moved');
    a.speaker.setPeers([named(a, b)]);
    network.clock.advance(60 * SECOND);
    expect(status(a)).toMatchObject([
      { config: { id: 'peer/reflectors' }, shutdown: { by: 'administrator' } },
    ]);
    expect(learned(a)).toEqual([]);
  });
});

describe('a peer that leaves because others come', () => {
  /** 11 and 12 part; 13 reflects between them from now on, or not. */
  async function parted(reflects: boolean) {
    const { network, member } = await mesh(11, 12, 13);
    const [a, b, c] = [member(11), member(12), member(13)];
    if (reflects) {
      const client = { routeReflectorClient: true };
      c.speaker.setPeers([peerConfig(c, a, client), peerConfig(c, b, client)]);
    }
    a.speaker.setPeers([peerConfig(a, c)], new Set(['192.168.1.12']));
    return { network, a, b, c };
  }

  test('both sides keep its routes until another has told of them', async () => {
    const { network, a, b, c } = await parted(true);
    network.clock.advance(SECOND);
    expect(learned(a)).toEqual(['10.244.12.0/24 from 192.168.1.13', '10.244.13.0/24 from 192.168.1.13']);
    // The other side has it as a peer still, that restarts.
    expect(learned(b)).toContain('10.244.11.0/24 from 192.168.1.11 stale');
    b.speaker.setPeers([peerConfig(b, c)], new Set(['192.168.1.11']));
    network.clock.advance(SECOND);
    expect(learned(b)).toContain('10.244.11.0/24 from 192.168.1.13');
    expect([lost(a), lost(b), lost(c)]).toEqual([0, 0, 0]);
  });

  test('they stay for its restart time where nobody does, and then they go', async () => {
    const { network, a } = await parted(false);
    network.clock.advance((RESTART_SECONDS - 1) * SECOND);
    expect(learned(a)).toContain('10.244.12.0/24 from 192.168.1.12 stale');
    network.clock.advance(2 * SECOND);
    expect(learned(a)).toEqual(['10.244.13.0/24 from 192.168.1.13']);
    expect(a.log.at(-1)).toMatchObject({
      level: 40,
      msg: 'nobody took the place of a peer: its routes are removed',
    });
  });

  test('it comes back, and its routes are there all the time', async () => {
    const { network, a, b, c } = await parted(false);
    network.clock.advance(5 * SECOND);
    a.speaker.setPeers([peerConfig(a, b), peerConfig(a, c)]);
    network.clock.advance(60 * SECOND);
    expect(learned(a)).toEqual(['10.244.12.0/24 from 192.168.1.12', '10.244.13.0/24 from 192.168.1.13']);
    expect([lost(a), lost(b)]).toEqual([0, 0]);
  });

  test('without graceful restart nothing is kept', async () => {
    const { network, member } = await mesh(11, 12);
    const [a, b] = [member(11), member(12)];
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const)
      one.speaker.setPeers([peerConfig(one, other, { restartTimeSeconds: 0 })]);
    network.clock.advance(30 * SECOND);
    a.speaker.setPeers([], new Set(['192.168.1.12']));
    expect(learned(a)).toEqual([]);
  });
});

describe('a reflector that is told to stop', () => {
  async function reflection() {
    const { network, member } = await mesh(11, 12, 13);
    const [a, b, c] = [member(11), member(12), member(13)];
    const asClients = () => {
      const client = { routeReflectorClient: true };
      c.speaker.setPeers([peerConfig(c, a, client), peerConfig(c, b, client)]);
    };
    c.speaker.setClusterId(network.addressOf('244.0.0.1'));
    asClients();
    a.speaker.setPeers([peerConfig(a, c)]);
    b.speaker.setPeers([peerConfig(b, c)]);
    network.clock.advance(SECOND);
    expect(learned(a)).toContain('10.244.12.0/24 from 192.168.1.13');
    const stop = () => {
      c.speaker.setClusterId(undefined);
      c.speaker.setPeers([peerConfig(c, a), peerConfig(c, b)]);
    };
    return { network, a, b, c, stop, asClients };
  }

  test('goes on for a while, in which its clients find each other', async () => {
    const { network, a, b, c, stop } = await reflection();
    const updates = () => must(status(c)[0]).counters.updatesOut;
    const before = updates();
    stop();
    network.clock.advance((TAIL_SECONDS - 1) * SECOND);
    expect(learned(a)).toContain('10.244.12.0/24 from 192.168.1.13');
    // Once more the same route, with its own identifier in the CLUSTER_LIST.
    expect(updates()).toBe(before + 1);
    network.clock.advance(2 * SECOND);
    expect(learned(a)).toEqual(['10.244.13.0/24 from 192.168.1.13']);
    expect(learned(b)).toEqual(['10.244.13.0/24 from 192.168.1.13']);
    expect(status(c).map(({ flaps }) => flaps)).toEqual([0, 0]);
  });

  test('hears whoever reflects for its cluster from then on', async () => {
    const { network, a, b, c, stop } = await reflection();
    const clusterId = network.addressOf('244.0.0.1');
    stop();
    a.speaker.setClusterId(clusterId);
    const client = { routeReflectorClient: true };
    a.speaker.setPeers([peerConfig(a, b, client), peerConfig(a, c, client)]);
    b.speaker.setPeers([peerConfig(b, a)]);
    network.clock.advance(10 * SECOND);
    expect(learned(c)).toContain('10.244.12.0/24 from 192.168.1.11');
    expect(c.speaker.rib.best(prefix('10.244.12.0/24'))?.attributes.clusterList).toEqual([clusterId]);
  });

  test('and asked again meanwhile, it does not stop', async () => {
    const { network, a, c, stop, asClients } = await reflection();
    stop();
    network.clock.advance(60 * SECOND);
    c.speaker.setClusterId(network.addressOf('244.0.0.1'));
    asClients();
    network.clock.advance(300 * SECOND);
    expect(learned(a)).toContain('10.244.12.0/24 from 192.168.1.13');
    const reflected = a.speaker.rib.best(prefix('10.244.12.0/24'));
    expect(reflected?.attributes.clusterList).toEqual([network.addressOf('244.0.0.1')]);
    expect(lost(a)).toBe(1); // when 11 and 12 parted, before the reflection
  });
});
