/**
 * The resources that a world asks for, as the text that every agent reads. Peerings are BGPPeers of two nodes each, so
 * that they come and go one by one; short times let the consequences of an event be seen within the walk.
 */
import { pairKey, type World } from './world.js';

export const CLUSTER_AS = 64512;
export const ROUTER_AS = 65001;

/** The times of every session, in seconds. */
export interface SessionTimes {
  readonly holdTime: number;
  readonly restartTime: number;
}

export function clusterText(world: World, { holdTime, restartTime }: SessionTimes): string {
  const times = `holdTime: ${holdTime}s, maxRestartTime: ${restartTime}s`;
  return [
    resource('BGPConfiguration', 'default', `{asNumber: ${CLUSTER_AS}, nodeToNodeMeshEnabled: false}`),
    resource('IPPool', 'pods', '{cidr: 10.244.0.0/16, blockSize: 24, ipipMode: CrossSubnet}'),
    ...world.plans.map((plan) => {
      const bgp = `{ipv4Address: ${plan.address}/${plan.lengthBits}}`;
      return resource('Node', plan.name, `{bgp: ${bgp}, podCIDRs: [${world.blocks(plan).join(', ')}]}`, {
        node: plan.name,
        router: world.router?.neighbors.includes(plan.name) === true ? 'yes' : 'no',
      });
    }),
    ...world
      .pairs()
      .filter(([a, b]) => world.peerings.has(pairKey(a.name, b.name)))
      .map(([a, b]) =>
        resource(
          'BGPPeer',
          `${a.name}.${b.name}`,
          `{nodeSelector: "node == '${a.name}'", peerSelector: "node == '${b.name}'", ${times}}`,
        ),
      ),
    ...(world.router !== undefined && world.routerPeering
      ? [
          resource(
            'BGPPeer',
            'router',
            `{nodeSelector: "router == 'yes'", peerIP: ${world.router.address}, asNumber: ${ROUTER_AS}, ${times}}`,
          ),
        ]
      : []),
  ].join('---\n');
}

function resource(
  kind: string,
  name: string,
  spec: string,
  labels?: Readonly<Record<string, string>>,
): string {
  const metadata = { name, ...(labels === undefined ? {} : { labels }) };
  return `apiVersion: projectcalico.org/v3\nkind: ${kind}\nmetadata: ${JSON.stringify(metadata)}\nspec: ${spec}\n`;
}
