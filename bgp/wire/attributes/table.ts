/**
 * The one table of path attributes. To add an attribute: one file with its row, one line here.
 *
 * Owns: which attributes we know. Must not know: how a list of them is read (attribute-list.ts).
 */
import { AGGREGATOR } from './aggregator.js';
import { AS_PATH } from './as-path.js';
import { AS4_AGGREGATOR } from './as4-aggregator.js';
import { AS4_PATH } from './as4-path.js';
import { ATOMIC_AGGREGATE } from './atomic-aggregate.js';
import { CLUSTER_LIST } from './cluster-list.js';
import { COMMUNITIES } from './communities.js';
import { EXTENDED_COMMUNITIES } from './extended-communities.js';
import { IPV6_EXTENDED_COMMUNITIES } from './ipv6-extended-communities.js';
import { LARGE_COMMUNITY } from './large-communities.js';
import { LOCAL_PREF } from './local-pref.js';
import { MP_REACH_NLRI } from './mp-reach.js';
import { MP_UNREACH_NLRI } from './mp-unreach.js';
import { MULTI_EXIT_DISC } from './multi-exit-disc.js';
import { NEXT_HOP } from './next-hop.js';
import { ONLY_TO_CUSTOMER } from './only-to-customer.js';
import { ORIGIN } from './origin.js';
import { ORIGINATOR_ID } from './originator-id.js';
import type { AttributeRow } from './row.js';
import { TUNNEL_ENCAPSULATION } from './tunnel-encapsulation.js';

/** Ascending by code. */
export const ATTRIBUTES: readonly AttributeRow[] = [
  ORIGIN,
  AS_PATH,
  NEXT_HOP,
  MULTI_EXIT_DISC,
  LOCAL_PREF,
  ATOMIC_AGGREGATE,
  AGGREGATOR,
  COMMUNITIES,
  ORIGINATOR_ID,
  CLUSTER_LIST,
  MP_REACH_NLRI,
  MP_UNREACH_NLRI,
  EXTENDED_COMMUNITIES,
  AS4_PATH,
  AS4_AGGREGATOR,
  TUNNEL_ENCAPSULATION,
  IPV6_EXTENDED_COMMUNITIES,
  LARGE_COMMUNITY,
  ONLY_TO_CUSTOMER,
];

const BY_CODE: ReadonlyMap<number, AttributeRow> = new Map(ATTRIBUTES.map((row) => [row.code, row]));

/** @returns undefined for a code that we do not know. */
export function attributeRow(code: number): AttributeRow | undefined {
  return BY_CODE.get(code);
}

/** The attribute's name in its RFC, or `attribute 99`. */
export function attributeName(code: number): string {
  return BY_CODE.get(code)?.name ?? `attribute ${code}`;
}
