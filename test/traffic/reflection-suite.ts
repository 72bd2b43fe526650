/**
 * The mesh becomes a reflection and a mesh again, in one write and step by step: no packet is lost, and no route is taken
 * away meanwhile.
 */
import { describe, expect, test } from 'vitest';
import { getPeers } from '../lab/api.js';
import { until } from '../support/until.js';
import type { Stage } from './stage.js';

/** One on each network. The flows are between a client and a reflector, and between two clients. */
const REFLECTORS = ['node-b', 'node-d'];
const PATIENCE_MS = 60_000;
const POLL_MS = 200;

const PEERING = `---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: { name: reflectors }
spec: { nodeSelector: all(), peerSelector: reflector == 'yes' }
`;

type Change = (resources: string) => string;

/** The Node, with its cluster id. */
const reflecting: Change = (resources) => {
  let changed = resources;
  for (const name of REFLECTORS) {
    changed = replaced(changed, `name: ${name}, labels: { `, "$&reflector: 'yes', ");
    changed = replaced(changed, `(name: ${name},[^]*?bgp: { )`, '$1routeReflectorClusterID: 244.0.0.1, ');
  }
  return `${changed}${PEERING}`;
};

const meshless: Change = (resources) =>
  replaced(resources, 'nodeToNodeMeshEnabled: true', 'nodeToNodeMeshEnabled: false');

function replaced(text: string, pattern: string, by: string): string {
  const changed = text.replace(new RegExp(pattern), by);
  if (changed === text) throw new Error(`the resources hold no ${pattern}`);
  return changed;
}

export function reflectionSuite(stage: Stage): void {
  const { mesh } = stage;

  /** With whom each node has a session, by what name. */
  const isShape = async (names: (node: string, other: string) => string | undefined) => {
    for (const node of mesh.nodes) {
      const wanted = mesh.nodes.flatMap((other) => (other === node ? [] : (names(node, other) ?? [])));
      const peers = (await getPeers(mesh.lab, node)).filter(({ name }) => name !== 'peer/tor');
      if (!peers.every(({ state }) => state === 'Established')) return false;
      if (peers.map(({ name }) => name).join() !== wanted.sort().join()) return false;
    }
    return true;
  };
  const inMesh = (_node: string, other: string) => `mesh/${other}`;
  const byReflectors = (node: string, other: string) =>
    [node, other].some((name) => REFLECTORS.includes(name)) ? `peer/reflectors/${other}` : undefined;

  async function write(names: Parameters<typeof isShape>[0], ...changes: readonly Change[]): Promise<void> {
    mesh.writeResources((resources) => changes.reduce((text, change) => change(text), resources));
    await until('every node has the sessions that it shall have', () => isShape(names), PATIENCE_MS, POLL_MS);
    await mesh.settled();
  }

  const sessionsSince = async () => {
    const peers = await Promise.all(REFLECTORS.map((node) => getPeers(mesh.lab, node)));
    return peers.map((list) => Object.fromEntries(list.map(({ address, since }) => [address, since])));
  };

  describe('a mesh that becomes a reflection, and a mesh again', () => {
    test('in one write each: nothing is lost, and the sessions of the reflectors live on', async () => {
      await write(inMesh);
      const before = await sessionsSince();
      await stage.losesNothing('mesh to reflectors and back, one write each', stage.both, async () => {
        await write(byReflectors, reflecting, meshless);
        await write(inMesh);
      });
      expect(await sessionsSince()).toEqual(before);
    });

    test('step by step: nothing is lost', async () => {
      await stage.losesNothing('mesh to reflectors and back, step by step', stage.both, async () => {
        const alsoInMesh = (node: string, other: string) => byReflectors(node, other) ?? `mesh/${other}`;
        await write(alsoInMesh, reflecting);
        await write(byReflectors, reflecting, meshless);
        await write(alsoInMesh, reflecting);
        await write(inMesh);
      });
      mesh.setTimers(stage.usualTimers);
      await stage.isAsBefore();
    });
  });
}
