/**
 * What the resources ask of this node and its settings or this machine leave without effect, in sentences for the log.
 *
 * Owns: the sentences. Must not know: how a plan is carried out. Pure.
 */
import { formatIpAddress, formatPrefix } from '../bgp/net/index.js';
import type { PoolConflict } from '../ipip/index.js';
import type { AgentSettings } from './config/index.js';
import type { Membership } from './membership/index.js';
import { podSubnets } from './pods/index.js';
import type { BgpFilter } from './resources/index.js';

const RULE_LISTS = ['importV4', 'exportV4', 'importV6', 'exportV6'] as const;
/** The tunnel of Calico, in filters that come from there. */
const CALICO_TUNNEL = 'tunl0';

/** Each once. */
export function noticesOf(
  membership: Membership,
  settings: Pick<AgentSettings, 'dataplane' | 'tunnelDevice' | 'cniConfDir' | 'cniPlugin'>,
): ReadonlySet<string> {
  const peers = [...membership.peers, ...membership.dynamicPeers];
  const filters = new Set(peers.flatMap((peer) => peer.filters));
  return new Set([
    ...(settings.dataplane ? [] : gatewaysInVain(membership)),
    ...[...filters].flatMap((filter) => tunnelNames(filter, settings.tunnelDevice)),
    ...podsInVain(membership, settings),
  ]);
}

function gatewaysInVain({ peers }: Membership): string[] {
  return peers.flatMap(({ id, address, gateway }) =>
    gateway === undefined
      ? []
      : [
          `reachableBy of ${id} has no effect: the data plane is off, so that no route to ${formatIpAddress(address)} is made; add one to the machine via ${formatIpAddress(gateway)}`,
        ],
  );
}

function tunnelNames(filter: BgpFilter, tunnelDevice: string): string[] {
  return RULE_LISTS.flatMap((list) =>
    filter[list].flatMap((rule, index) =>
      rule.interface === tunnelDevice || rule.interface === CALICO_TUNNEL
        ? [
            `BGPFilter/${filter.name} spec.${list}[${index}].interface: ${rule.interface} is a tunnel and matches no route: a route's interface is the one that its next hop is reached by`,
          ]
        : [],
    ),
  );
}

function podsInVain(
  { blocks, pools }: Membership,
  { dataplane, cniConfDir, cniPlugin: plugin }: Pick<AgentSettings, 'dataplane' | 'cniConfDir' | 'cniPlugin'>,
): string[] {
  if (cniConfDir === undefined) return [];
  if (!dataplane) {
    return [
      '--cni-conf-dir has no effect: the data plane is off, so that no packet of a pod would be forwarded; switch it on, or leave the setting out',
    ];
  }
  return podSubnets({ blocks, pools, plugin }).unused.map(
    ({ block, reason }) => `no pod gets an address of ${formatPrefix(block)}: ${reason}`,
  );
}

/** Pools that overlap what this machine reaches in another way: both named. */
export function poolsInTheWay(
  { pools }: Pick<Membership, 'pools'>,
  conflicts: readonly PoolConflict[],
): readonly string[] {
  return conflicts.flatMap(({ pool, route, device }) => {
    const name = pools.find(({ cidr }) => cidr === pool)?.name;
    if (name === undefined) return [];
    const way = device === undefined ? 'drops' : `reaches by ${device}`;
    return [
      `IPPool/${name} ${formatPrefix(pool)} overlaps ${formatPrefix(route)}, which this machine ${way}: an address of both is reached in one way alone; give the pool a range that nothing else uses, or take the route away`,
    ];
  });
}
