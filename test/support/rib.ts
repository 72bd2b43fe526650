/**
 * Builders for the routing tables' tests, and a peer that keeps the table which the UPDATEs given to it make.
 */
import type { Family, Prefix } from '../../bgp/net/index.js';
import type { PeerId, Rib, RibPeer, RoutePolicy } from '../../bgp/rib/index.js';
import {
  attributesKey,
  type CodecContext,
  endOfRib,
  type PathAttributes,
  type RouteRefreshMessage,
  type UpdateMessage,
} from '../../bgp/wire/index.js';
import { address, address4 as identifier, prefix } from './addresses.js';

export { address, address4 as identifier, prefix } from './addresses.js';

export const CONTEXT: CodecContext = { as4: true, peerType: 'ibgp', maxMessageLength: 4096 };

/** A node of the mesh with the address 192.168.1.NUMBER, unless said otherwise. */
export function node(number: number, changes: Partial<RibPeer> = {}): RibPeer {
  return {
    id: `node-${number}`,
    type: 'ibgp',
    place: 'cluster',
    asn: 64512,
    address: address(`192.168.1.${number}`),
    identifier: identifier(`192.168.1.${number}`),
    localAddress: address('192.168.1.1'),
    localAddress6: address('fd00::1'),
    localAs: 64512,
    families: ['ipv4', 'ipv6'],
    ...changes,
  };
}

/** A router outside the cluster, AS 65000 + NUMBER, on the subnet of the node. */
export function router(number: number, changes: Partial<RibPeer> = {}): RibPeer {
  return node(number, {
    id: `router-${number}`,
    type: 'ebgp',
    place: 'outside',
    asn: 65000 + number,
    sharedSubnet: prefix('192.168.1.0/24'),
    ...changes,
  });
}

export function attributes(changes: Partial<PathAttributes> = {}): PathAttributes {
  return { origin: 'IGP', asPath: [], ...changes };
}

/** AS_PATH of one AS_SEQUENCE. */
export function sequence(...asns: readonly number[]): PathAttributes['asPath'] {
  return asns.length === 0 ? [] : [{ kind: 'sequence', asns }];
}

export function announce(
  prefixes: readonly string[],
  nextHop: string,
  changes: Partial<PathAttributes> = {},
): UpdateMessage {
  const family: Family = nextHop.includes(':') ? 'ipv6' : 'ipv4';
  return {
    type: 'UPDATE',
    unreach: [],
    reach: [{ family, nextHop: { address: address(nextHop) }, prefixes: prefixes.map(prefix) }],
    attributes: attributes(changes),
    faults: [],
  };
}

export function withdraw(...prefixes: readonly string[]): UpdateMessage {
  const family: Family = prefixes.some((text) => text.includes(':')) ? 'ipv6' : 'ipv4';
  return { type: 'UPDATE', unreach: [{ family, prefixes: prefixes.map(prefix) }], reach: [], faults: [] };
}

/** Takes and gives everything: what is left are the rules of the protocol. */
export const acceptAll: RoutePolicy = {
  importRoute: () => ({ accept: true }),
  exportRoute: () => ({ accept: true }),
};

/** What a peer would hold after reading UPDATEs: prefix to content. */
export class PeerTable {
  readonly routes = new Map<Prefix, string>();
  readonly endOfRibs: Family[] = [];
  withdrawn = 0;
  announced = 0;

  apply(update: UpdateMessage): void {
    const complete = endOfRib(update);
    if (complete !== undefined) this.endOfRibs.push(complete);
    for (const { prefixes } of update.unreach) {
      this.withdrawn += prefixes.length;
      for (const one of prefixes) this.routes.delete(one);
    }
    for (const { nextHop, prefixes } of update.reach) {
      if (update.attributes === undefined) throw new Error('an announcement without attributes');
      this.announced += prefixes.length;
      for (const one of prefixes) this.routes.set(one, attributesKey(update.attributes, nextHop));
    }
  }
}

/** Pulls up to `most` messages. */
export function pull(
  rib: Rib,
  id: PeerId,
  most = Number.POSITIVE_INFINITY,
  context = CONTEXT,
): UpdateMessage[] {
  return pullMessages(rib, id, most, context).filter((message) => message.type === 'UPDATE');
}

/** As `pull`, with the marks of a refresh (RFC 7313). */
export function pullMessages(
  rib: Rib,
  id: PeerId,
  most = Number.POSITIVE_INFINITY,
  context = CONTEXT,
): (UpdateMessage | RouteRefreshMessage)[] {
  const messages: (UpdateMessage | RouteRefreshMessage)[] = [];
  while (messages.length < most) {
    const message = rib.nextMessage(id, context);
    if (message === undefined) break;
    messages.push(message);
  }
  return messages;
}

/** Pulls everything but the End-of-RIBs. */
export function pullRoutes(rib: Rib, id: PeerId): UpdateMessage[] {
  return pull(rib, id).filter((update) => endOfRib(update) === undefined);
}
