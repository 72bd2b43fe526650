/**
 * What differs between two plans, in words, and whether a session can live on.
 *
 * Owns: the comparison of peers field by field. Must not know: how a change is carried out.
 */
import { formatIpAddress, formatPrefix, formatZoned, type IpAddress } from '../../bgp/net/index.js';
import type { SecretSource } from '../resources/index.js';
import { MESH } from './membership.js';
import type { DynamicPeerSpec, Membership, PeerChange, PeerChanges, PeerSpec } from './types.js';

/** A field of a value: its name for people, its text, and whether a session ends when it changes. */
interface Field<T> {
  readonly name: string;
  readonly text: (value: T) => string;
  readonly needsReset: boolean | ((before: T, after: T) => boolean);
  /** The text is for the comparison alone. */
  readonly isLong?: true;
}

/** What a peer and a range of peers have in common. */
type SessionSpec = Pick<
  PeerSpec,
  'sourceAddress' | 'localAs' | 'routeReflectorClient' | 'nextHop' | 'filters' | 'options'
>;

/** A new session is for what the two ends agreed on and what the connection is bound to. */
const RESETTING_FIELDS: readonly Field<SessionSpec>[] = [
  {
    name: 'source address',
    text: (peer) =>
      peer.sourceAddress === undefined ? 'of the kernel' : formatIpAddress(peer.sourceAddress),
    needsReset: true,
  },
  { name: 'local AS number', text: (peer) => String(peer.localAs), needsReset: true },
  {
    name: 'password',
    text: ({ options }) => secretText(options.password),
    // From one key to another a connection can change.
    needsReset: (before, after) =>
      before.options.password === undefined || after.options.password === undefined,
  },
  { name: 'restart time', text: ({ options }) => secondsText(options.restartTimeSeconds), needsReset: true },
  { name: 'hold time', text: ({ options }) => secondsText(options.holdTimeSeconds), needsReset: true },
  { name: 'TTL security', text: ({ options }) => numberText(options.ttlSecurityHops), needsReset: true },
  { name: 'role', text: ({ options }) => options.role ?? 'none', needsReset: true },
];

/** What is in no OPEN and no connection: routes are judged anew, and only differences are sent. */
const LIVE_FIELDS: readonly Field<SessionSpec>[] = [
  {
    name: 'own AS numbers allowed',
    text: ({ options }) => numberText(options.allowedOwnAs),
    needsReset: false,
  },
  { name: 'limit of prefixes', text: ({ options }) => limitText(options.maxPrefixes), needsReset: false },
  {
    name: 'reflection client',
    text: ({ routeReflectorClient }) => (routeReflectorClient ? 'yes' : 'no'),
    needsReset: false,
  },
  { name: 'next hop', text: (peer) => peer.nextHop, needsReset: false },
  {
    name: 'filters',
    text: ({ filters }) => filters.map(({ name }) => name).join(', ') || 'none',
    needsReset: false,
  },
  { name: 'filter rules', text: ({ filters }) => contentText(filters), needsReset: false, isLong: true },
];

const PEER_FIELDS: readonly Field<PeerSpec>[] = [
  { name: 'address', text: ({ address, zone }) => formatZoned(address, zone), needsReset: true },
  { name: 'port', text: (peer) => String(peer.port), needsReset: true },
  { name: 'AS number', text: (peer) => String(peer.asn), needsReset: true },
  { name: 'type', text: (peer) => peer.type, needsReset: true },
  ...RESETTING_FIELDS,
  { name: 'place', text: (peer) => peer.place, needsReset: false },
  { name: 'gateway', text: ({ gateway }) => addressOrNone(gateway), needsReset: false },
  {
    name: 'dial',
    text: ({ dial }) => (typeof dial === 'string' ? dial : `after ${dial.afterSeconds} s`),
    needsReset: false,
  },
  { name: 'encapsulation', text: (peer) => peer.encapsulation ?? 'auto', needsReset: false },
  ...LIVE_FIELDS,
  { name: 'name', text: ({ id }) => id, needsReset: false },
  { name: 'description', text: (peer) => peer.description, needsReset: false },
];

/** A router that is in the range before and afterwards is a peer before and afterwards. */
const RANGE_FIELDS: readonly Field<DynamicPeerSpec>[] = [
  { name: 'AS number', text: ({ asn }) => (asn === undefined ? 'any' : String(asn)), needsReset: true },
  ...RESETTING_FIELDS,
  { name: 'range', text: ({ range }) => formatPrefix(range), needsReset: false },
  { name: 'limit of peers', text: ({ limit }) => String(limit), needsReset: false },
  ...LIVE_FIELDS,
];

const secondsText = (seconds: number | undefined) => (seconds === undefined ? 'default' : `${seconds} s`);
const numberText = (number: number | undefined) => (number === undefined ? 'none' : String(number));

const addressOrNone = (address: IpAddress | undefined) =>
  address === undefined ? 'none' : formatIpAddress(address);

/** Where it is kept, never what it is. */
function secretText(source: SecretSource | undefined): string {
  switch (source?.type) {
    case undefined:
      return 'none';
    case 'file':
      return `in ${source.path}`;
    case 'env':
      return `in $${source.name}`;
    case 'secret':
      return `in key ${source.key} of Secret ${source.name}`;
  }
}

function limitText(limit: PeerSpec['options']['maxPrefixes']): string {
  return limit === undefined ? 'none' : `${limit.limit} (${limit.action})`;
}

/** IPv6 prefixes are bigints, which JSON has no word for. */
function contentText(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part));
}

/** With `needsReset`, what our OPEN or our socket carries: a change ends every session. */
const LOCAL_FIELDS: readonly Field<Membership>[] = [
  { name: 'AS number', text: (plan) => String(plan.localAs), needsReset: true },
  { name: 'BGP identifier', text: (plan) => formatIpAddress(plan.bgpIdentifier), needsReset: true },
  { name: 'node address', text: (plan) => formatIpAddress(plan.nodeAddress), needsReset: true },
  { name: 'IPv6 node address', text: (plan) => addressOrNone(plan.nodeAddress6), needsReset: true },
  { name: 'cluster id', text: (plan) => addressOrNone(plan.clusterId), needsReset: false },
  { name: 'node network', text: (plan) => formatPrefix(plan.nodeSubnet), needsReset: false },
  { name: 'listen port', text: (plan) => String(plan.listenPort), needsReset: true },
  {
    name: 'listen address',
    text: (plan) => (plan.listenAddress === undefined ? 'any' : formatIpAddress(plan.listenAddress)),
    needsReset: true,
  },
  {
    name: 'advertisements',
    text: (plan) => plan.advertisements.map(formatPrefix).join(', ') || 'none',
    needsReset: false,
  },
  {
    name: 'communities of announced prefixes',
    text: (plan) => contentText(plan.prefixCommunities),
    needsReset: false,
    isLong: true,
  },
];

/**
 * Compares by id, and by address where that is new: a node of the mesh that a BGPPeer selects is the peer that it was. The
 * order of each list is that of the plans.
 */
export function planPeerChanges(before: readonly PeerSpec[], after: readonly PeerSpec[]): PeerChanges {
  const old = new Map(before.map((peer) => [peer.id, peer]));
  const ids = new Set(after.map(({ id }) => id));
  const renamed = new Map(before.filter(({ id }) => !ids.has(id)).map((peer) => [placeOf(peer), peer]));
  const previous = (peer: PeerSpec) => old.get(peer.id) ?? renamed.get(placeOf(peer));
  const kept = new Set(after.map(previous));
  return {
    added: after.filter((peer) => previous(peer) === undefined),
    removed: before.filter((peer) => !kept.has(peer)),
    changed: after.flatMap((peer) => {
      const earlier = previous(peer);
      return earlier === undefined ? [] : changeOf(earlier, peer);
    }),
  };
}

/** What differs of a range of routers; `needsReset`: the sessions of all that came from it end. */
export function planRangeChange(
  before: DynamicPeerSpec,
  after: DynamicPeerSpec,
): { readonly reasons: readonly string[]; readonly needsReset: boolean } {
  return differences(RANGE_FIELDS, before, after);
}

const placeOf = ({ address, zone }: PeerSpec) => formatZoned(address, zone);

/**
 * Of the peers that go, those whose routes may stay until others have told of them: nodes that are still in the cluster,
 * where the change is of how nodes learn from each other. That is so when the mesh ends, or when others come or are
 * asked for in another way. A BGPPeer that is deleted and nothing else was not wanted any more.
 */
export function leavingPeers(before: Membership, after: Membership): ReadonlySet<string> {
  const { added, removed, changed } = planPeerChanges(before.peers, after.peers);
  const isRearranged =
    added.some(isNode) ||
    changed.some(({ before, after }) => before.id !== after.id) ||
    removed.some(({ id }) => id.startsWith(MESH));
  const nodes = new Set(after.nodes.map(({ name }) => name));
  const stays = ({ node }: PeerSpec) => node !== undefined && nodes.has(node);
  return new Set(isRearranged ? removed.filter(stays).map(({ id }) => id) : []);
}

const isNode = ({ node }: PeerSpec) => node !== undefined;

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
    reasons: changed.map(({ name, text, isLong }) =>
      isLong ? `${name} changed` : `${name} ${text(before)} -> ${text(after)}`,
    ),
    needsReset: changed.some(({ needsReset }) =>
      typeof needsReset === 'boolean' ? needsReset : needsReset(before, after),
    ),
  };
}
