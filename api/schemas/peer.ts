/**
 * One row of `GET /peers`: a BGP peer, its session and its counters.
 *
 * Owns: the shape. Source of the words: RFC 4271 section 8, RFC 4273 (BGP4-MIB).
 */
import { type Static, Type } from 'typebox';
import { PEER_TYPES } from './route.js';
import { asNumber, count, list, orNull, record, time } from './shape.js';

/** RFC 4271 section 8.2.2, in the order and with the numbers (from 1) of bgpPeerState in RFC 4273. */
export const PEER_STATES = ['Idle', 'Connect', 'Active', 'OpenSent', 'OpenConfirm', 'Established'] as const;

const LastError = record({
  text: Type.String(),
  at: time(),
  direction: Type.Enum(['sent', 'received', 'local'], {
    description:
      'a NOTIFICATION that we sent or received, or a failure on this side (no connection, a timer)',
  }),
});

const Counters = record({
  messagesIn: count(),
  messagesOut: count(),
  updatesIn: count(),
  updatesOut: count(),
  prefixesReceived: count('prefixes in the table received from the peer'),
  prefixesAccepted: count('of these, what the import policy let through'),
  prefixesRejected: count('of these, what it did not'),
  prefixesAdvertised: count('prefixes the peer holds from us'),
  flaps: count('how often an established session ended'),
});

export const Peer = record({
  name: Type.String(),
  description: orNull(Type.String()),
  address: Type.String(),
  port: Type.Integer({ minimum: 1, maximum: 65_535 }),
  localAddress: orNull(Type.String(), 'our end of the session; null: no connection'),
  asn: asNumber(),
  localAs: asNumber(),
  type: Type.Enum(PEER_TYPES),
  place: Type.Enum(['cluster', 'outside'], { description: 'a node of our own mesh, or a router' }),
  dial: Type.Enum(['now', 'delayed', 'never'], {
    description: 'who connects: we do, we do if the peer does not, only the peer does',
  }),
  state: Type.Enum(PEER_STATES),
  since: time('of the last change of the state'),
  direction: orNull(Type.Enum(['outgoing', 'incoming']), 'who opened the connection; null: no session'),
  bgpIdentifier: orNull(Type.String(), "the peer's; null: it has not said"),
  shutdown: orNull(
    record({ by: Type.Enum(['administrator', 'maxPrefixes']), text: Type.String(), since: time() }),
    'down on purpose, until it is enabled; null: it is not',
  ),
  lastError: orNull(LastError),
  counters: Counters,
  capabilities: record({
    ours: list(Type.String()),
    theirs: orNull(list(Type.String()), 'null: no OPEN received'),
    negotiated: list(Type.String(), 'in force; empty: no session'),
  }),
  timers: record({
    holdTimeSeconds: orNull(count(), 'negotiated, 0: no hold timer; null: no session'),
    keepaliveSeconds: orNull(count(), 'negotiated, 0: no keepalives; null: no session'),
    configured: record({ holdTimeSeconds: count(), connectRetrySeconds: count() }),
  }),
  families: list(Type.String(), 'negotiated; empty: no session'),
  endOfRib: list(
    record({ family: Type.String(), received: Type.Boolean(), sent: Type.Boolean() }),
    'RFC 4724 section 2, per family of the session',
  ),
  rejected: list(
    record({ prefix: Type.String(), reason: Type.String() }),
    'a few of the prefixes that the import policy refused, with the reason',
  ),
});

export const PeerList = record({ peers: list(Peer), total: count() });

export type PeerState = (typeof PEER_STATES)[number];
export type PeerRow = Static<typeof Peer>;
export type PeerList = Static<typeof PeerList>;
