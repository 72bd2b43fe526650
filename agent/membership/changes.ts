/**
 * What differs between two plans, in words, and whether a session can live on.
 *
 * Owns: the comparison of peers field by field. Must not know: how a change is carried out.
 */
import { formatIpAddress, formatPrefix, type Ipv6 } from '../../bgp/net/index.js';
import type { Membership, PeerChange, PeerChanges, PeerSpec } from './types.js';

/** A field of a value: its name for people, its text, and whether a session ends when it changes. */
interface Field<T> {
  readonly name: string;
  readonly text: (value: T) => string;
  readonly needsReset: boolean;
}

/** What the two ends agreed on, what the connection is bound to, and how a session's routes are treated: all but words. */
const PEER_FIELDS: readonly Field<PeerSpec>[] = [
  { name: 'address', text: (peer) => formatIpAddress(peer.address), needsReset: true },
  { name: 'port', text: (peer) => String(peer.port), needsReset: true },
  { name: 'AS number', text: (peer) => String(peer.asn), needsReset: true },
  { name: 'type', text: (peer) => peer.type, needsReset: true },
  {
    name: 'source address',
    text: (peer) =>
      peer.sourceAddress === undefined ? 'of the kernel' : formatIpAddress(peer.sourceAddress),
    needsReset: true,
  },
  { name: 'place', text: (peer) => peer.place, needsReset: true },
  {
    name: 'dial',
    text: ({ dial }) => (typeof dial === 'string' ? dial : `after ${dial.afterSeconds} s`),
    needsReset: true,
  },
  { name: 'description', text: (peer) => peer.description, needsReset: false },
];

const addressOrNone = (address: Ipv6 | undefined) =>
  address === undefined ? 'none' : formatIpAddress(address);

/** What our OPEN or our socket carries: a change ends every session. */
const LOCAL_FIELDS: readonly Field<Membership>[] = [
  { name: 'AS number', text: (plan) => String(plan.localAs), needsReset: true },
  { name: 'BGP identifier', text: (plan) => formatIpAddress(plan.bgpIdentifier), needsReset: true },
  { name: 'node address', text: (plan) => formatIpAddress(plan.nodeAddress), needsReset: true },
  { name: 'IPv6 node address', text: (plan) => addressOrNone(plan.nodeAddress6), needsReset: true },
  { name: 'node network', text: (plan) => formatPrefix(plan.nodeSubnet), needsReset: false },
  { name: 'listen port', text: (plan) => String(plan.listenPort), needsReset: true },
  {
    name: 'listen address',
    text: (plan) => (plan.listenAddress === undefined ? 'any' : formatIpAddress(plan.listenAddress)),
    needsReset: true,
  },
];

/** Compares by id. The order of each list is that of the plans. */
export function planPeerChanges(before: readonly PeerSpec[], after: readonly PeerSpec[]): PeerChanges {
  const old = new Map(before.map((peer) => [peer.id, peer]));
  const kept = new Set(after.map((peer) => peer.id));
  return {
    added: after.filter((peer) => !old.has(peer.id)),
    removed: before.filter((peer) => !kept.has(peer.id)),
    changed: after.flatMap((peer) => {
      const previous = old.get(peer.id);
      return previous === undefined ? [] : changeOf(previous, peer);
    }),
  };
}

function changeOf(before: PeerSpec, after: PeerSpec): PeerChange[] {
  const difference = differences(PEER_FIELDS, before, after);
  return difference.reasons.length === 0 ? [] : [{ before, after, ...difference }];
}

/** The own values of the node that differ; `needsReset`: every session ends, because its OPEN or socket is stale. */
export function planLocalChanges(
  before: Membership,
  after: Membership,
): { readonly reasons: readonly string[]; readonly needsReset: boolean } {
  return differences(LOCAL_FIELDS, before, after);
}

function differences<T>(fields: readonly Field<T>[], before: T, after: T) {
  const changed = fields.filter((field) => field.text(before) !== field.text(after));
  return {
    reasons: changed.map((field) => `${field.name} ${field.text(before)} -> ${field.text(after)}`),
    needsReset: changed.some((field) => field.needsReset),
  };
}
