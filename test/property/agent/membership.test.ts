/** The mesh seen from all of its nodes: each pair agrees about its session, whatever the resources. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type PeerSpec, planMembership, planPeerChanges } from '../../../agent/membership/index.js';
import { parseResources, type Resources } from '../../../agent/resources/index.js';
import { formatIpv4, ipv4 } from '../../../bgp/net/index.js';
import { configuration, manifest, peer } from '../../support/manifests.js';

const letters = ['a', 'b', 'c', 'd', 'e', 'f'] as const;
const selector = fc.constantFrom(
  'all()',
  "rack == 'a'",
  "rack in {'a', 'b', 'c'}",
  '!has(rack)',
  "rack != 'b'",
);

/** Nodes with distinct addresses anywhere, some without one; peerings by label; the mesh on or off. */
const clusters: fc.Arbitrary<Resources> = fc
  .record({
    hosts: fc.uniqueArray(fc.integer({ min: 0x0a00_0001, max: 0xdeff_fffe }), {
      minLength: 1,
      maxLength: letters.length,
    }),
    asNumbers: fc.array(fc.constantFrom(undefined, 64512, 64999), {
      minLength: letters.length,
      maxLength: letters.length,
    }),
    isSilent: fc.array(fc.boolean(), { minLength: letters.length, maxLength: letters.length }),
    nodeToNodeMeshEnabled: fc.boolean(),
    peerings: fc.array(fc.record({ nodeSelector: selector, peerSelector: selector }), { maxLength: 3 }),
  })
  .map(({ hosts, asNumbers, isSilent, nodeToNodeMeshEnabled, peerings }) => {
    const nodes = hosts.map((host, index) => {
      const letter = letters[index] ?? 'x';
      const bgp = { ipv4Address: `${formatIpv4(ipv4(host))}/32`, asNumber: asNumbers[index] };
      const spec = isSilent[index] === true ? {} : { bgp };
      return manifest('Node', `node-${letter}`, spec, { labels: { rack: letter } });
    });
    const peers = peerings.map((peering, index) => peer(`peering-${index}`, peering));
    const text = [...nodes, ...peers, configuration({ nodeToNodeMeshEnabled })].join('\n---\n');
    const result = parseResources([{ path: 'cluster.yaml', text }]);
    if ('errors' in result) throw new Error(JSON.stringify(result.errors));
    return result.resources;
  });

/** The peers of every node that takes part, by node name. */
function plans(cluster: Resources): ReadonlyMap<string, readonly PeerSpec[]> {
  return new Map(
    cluster.nodes.flatMap(({ name }) => {
      const result = planMembership(cluster, name);
      return 'membership' in result ? [[name, result.membership.peers] as const] : [];
    }),
  );
}

describe('membership', () => {
  test('each session is planned by both ends, and exactly one of them dials at once', () => {
    fc.assert(
      fc.property(clusters, (cluster) => {
        const all = plans(cluster);
        const asNumberOf = (name: string) =>
          cluster.nodes.find((node) => node.name === name)?.asNumber ?? cluster.configuration.asNumber;
        for (const [name, peers] of all) {
          for (const towards of peers) {
            const back = all.get(towards.node ?? '')?.filter((candidate) => candidate.node === name) ?? [];
            expect(back).toHaveLength(1);
            expect([towards.dial, back[0]?.dial].filter((dial) => dial === 'now')).toHaveLength(1);
            expect(back[0]?.sourceAddress).toBe(towards.address);
            expect(back[0]?.type).toBe(towards.type);
            expect(towards.asn).toBe(asNumberOf(towards.node ?? ''));
            expect(towards.type === 'ibgp').toBe(asNumberOf(name) === towards.asn);
          }
        }
      }),
    );
  });

  test('with the mesh every node that takes part has every other as a peer, once', () => {
    fc.assert(
      fc.property(clusters, (cluster) => {
        fc.pre(cluster.configuration.nodeToNodeMeshEnabled);
        const all = plans(cluster);
        for (const [name, peers] of all) {
          const expected = [...all.keys()].filter((other) => other !== name).sort();
          expect(peers.map((spec) => spec.node).sort()).toEqual(expected);
        }
      }),
    );
  });

  test('ids are unique, and carrying out the changes leads from one plan to the other', () => {
    fc.assert(
      fc.property(clusters, clusters, (before, after) => {
        const [first] = plans(before).values();
        const [second] = plans(after).values();
        const [from, to] = [first ?? [], second ?? []];
        expect(new Set(to.map(({ id }) => id)).size).toBe(to.length);
        const changes = planPeerChanges(from, to);
        const result = new Map(from.map((spec) => [spec.id, spec]));
        for (const spec of changes.removed) result.delete(spec.id);
        for (const { before } of changes.changed) {
          expect(result.get(before.id)).toBe(before);
          result.delete(before.id);
        }
        for (const spec of changes.added) result.set(spec.id, spec);
        for (const { before, after } of changes.changed) {
          if (after.id !== before.id) expect(after.address).toBe(before.address);
          result.set(after.id, after);
        }
        const byId = (a: PeerSpec, b: PeerSpec) => (a.id < b.id ? -1 : 1);
        expect([...result.values()].sort(byId)).toEqual([...to].sort(byId));
      }),
    );
  });
});
