/**
 * RFC 9687: a peer that sends but does not read.
 */
import { expect, test } from 'vitest';
import type { PeerConfig, PeerStatus } from '../../../../bgp/speaker/index.js';
import { prefix } from '../../../support/addresses.js';
import { type Member, MemoryMesh, peerConfig } from '../../../support/memory-mesh.js';
import { MemoryPeer } from '../../../support/memory-peer.js';
import { acceptAll } from '../../../support/rib.js';

const SECOND = 1000;
const DEAF = '192.168.1.66';
const ROUTES = 1000;

/** A speaker, a peer that may stop reading, and one that reads always. */
async function three() {
  const mesh = new MemoryMesh();
  const [a, good] = (await Promise.all(
    ['192.168.1.11', '192.168.1.13'].map((address) => mesh.member({ address, policy: acceptAll })),
  )) as [Member, Member];
  const deafConfig = (changes: Partial<PeerConfig> = {}) =>
    peerConfig(a, { address: mesh.addressOf(DEAF) }, { asn: 65066, dial: 'never', ...changes });
  a.speaker.setPeers([peerConfig(a, good), deafConfig()]);
  good.speaker.setPeers([peerConfig(good, a)]);
  const deaf = new MemoryPeer(mesh, a.address, { address: DEAF, asn: 65066 });
  mesh.clock.advance(5 * SECOND);
  return { mesh, a, deaf, good, deafConfig };
}

function peer(of: Member, id: string): PeerStatus {
  const found = of.speaker.peers().find(({ config }) => config.id === id);
  if (found === undefined) throw new Error(`no peer ${id}`);
  return found;
}

/** Gives every route other attributes, each its own, so that each peer is told all of them anew. */
function churn({ speaker }: Member, round: number): void {
  speaker.setLocalRoutes(
    Array.from({ length: ROUTES }, (_, index) => ({
      prefix: prefix(`10.${index >> 8}.${index & 255}.0/24`),
      communities: [round + 1, index + 1],
    })),
  );
}

test('RFC 9687 3: it is given up after the SendHoldTime with 8/0, in bounded memory, and disturbs nobody', async () => {
  const { mesh, a, deaf, good } = await three();
  const deafAddress = mesh.addressOf(DEAF);
  mesh.network.stall(a.address, deafAddress);
  const read = deaf.messages.length;
  let most = 0;
  for (let round = 0; round < 23; round += 1) {
    churn(a, round);
    mesh.clock.advance(20 * SECOND);
    most = Math.max(most, mesh.network.pendingBytes(a.address, deafAddress));
    expect(peer(a, DEAF)).toMatchObject({ state: 'Established', flaps: 0 });
  }
  expect(deaf.messages).toHaveLength(read);
  // One batch and the KEEPALIVEs since, of the 1.5 MB that 23 rounds amount to.
  expect(most).toBeGreaterThan(1000);
  expect(most).toBeLessThan(262_144);
  mesh.clock.advance(40 * SECOND);
  expect(peer(a, DEAF).lastError?.text).toBe('the peer does not read: the send hold timer expired');
  expect(peer(a, DEAF).flaps).toBe(1);
  expect(peer(a, '192.168.1.13')).toMatchObject({ state: 'Established', flaps: 0 });
  expect(good.speaker.rib.size('ipv4')).toBe(ROUTES);
});

test('RFC 9687 3: one that reads slowly but reads is left alone, and has the latest state in the end', async () => {
  const { mesh, a, deaf } = await three();
  for (let round = 0; round < 6; round += 1) {
    mesh.network.stall(a.address, mesh.addressOf(DEAF));
    churn(a, round);
    mesh.clock.advance(400 * SECOND);
    mesh.network.resume(a.address, mesh.addressOf(DEAF));
    mesh.clock.advance(SECOND);
  }
  expect(peer(a, DEAF)).toMatchObject({ state: 'Established', flaps: 0 });
  expect(peer(a, DEAF).counters.updatesOut).toBeGreaterThan(ROUTES);
  const last = deaf.messages.findLast((message) => message.type === 'UPDATE');
  expect(last?.type === 'UPDATE' && last.attributes?.communities?.[0]).toBe(6);
});

test('RFC 9687 5: the time is configurable, and a change of it needs no reset', async () => {
  const { mesh, a, good, deafConfig } = await three();
  a.speaker.setPeers([peerConfig(a, good), deafConfig({ sendHoldTimeSeconds: 100 })]);
  mesh.clock.advance(60 * SECOND);
  mesh.network.stall(a.address, mesh.addressOf(DEAF));
  mesh.clock.advance(60 * SECOND);
  expect(peer(a, DEAF)).toMatchObject({ state: 'Established', flaps: 0 });
  mesh.clock.advance(50 * SECOND);
  expect(peer(a, DEAF).flaps).toBe(1);
});
