/**
 * BGP messages as `podroute decode` prints them: one JSON object each.
 *
 * Owns: the names and the forms of the fields. Must not know: bytes, files, where a message came from. Pure.
 * A field that a message does not have is absent. Addresses and prefixes are text, octets are hex.
 */
import { formatIpAddress, formatIpv4, formatPrefix } from '../../bgp/net/index.js';
import {
  type AttributeFault,
  type Capability,
  capabilityText,
  endOfRib,
  MESSAGE_TYPE_OCTET,
  type Message,
  type NextHop,
  type NotificationMessage,
  notificationText,
  type PathAttributes,
  type Reach,
  type UpdateMessage,
  type WireFault,
} from '../../bgp/wire/index.js';

/** What `JSON.stringify` takes. */
export type MessageJson = Readonly<Record<string, unknown>>;

/** A decoded message; `type` is the number in its header. */
export function messageJson(message: Message): MessageJson {
  return { type: MESSAGE_TYPE_OCTET[message.type], ...bodyJson(message) };
}

/** A message that a speaker refuses: the NOTIFICATION that it sends, and what is wrong in words. */
export function faultJson({ notification, reason }: WireFault): MessageJson {
  return { error: { ...notificationJson(notification), reason } };
}

/** Input that is no encoded message at all. There is no NOTIFICATION with code 0. */
export function problemJson(reason: string): MessageJson {
  return { error: { code: 0, subcode: 0, reason } };
}

function bodyJson(message: Message): MessageJson {
  switch (message.type) {
    case 'OPEN':
      return {
        asn: message.asn,
        holdtime: message.holdTimeSeconds,
        id: formatIpv4(message.bgpIdentifier),
        capabilities: message.capabilities.map(capabilityJson),
      };
    case 'UPDATE':
      return updateJson(message);
    case 'NOTIFICATION':
      return notificationJson(message);
    case 'KEEPALIVE':
      return {};
    case 'ROUTE-REFRESH':
      return { family: message.family, subtype: message.subtype };
    default:
      return message satisfies never;
  }
}

function capabilityJson(capability: Capability): MessageJson {
  const text = capabilityText(capability);
  if (capability.kind !== 'unknown') return { ...capability, text };
  return { ...capability, value: hex(capability.value), text };
}

function notificationJson(message: NotificationMessage): MessageJson {
  const { code, subcode, data } = message;
  return { code, subcode, data: hex(data), text: notificationText(message) };
}

/** Both lists of prefixes are always there, whatever the families; `taw` says that some are treated as withdrawn. */
function updateJson(update: UpdateMessage): MessageJson {
  const { reach, unreach, attributes, faults } = update;
  const ended = endOfRib(update);
  return {
    announced: reach.flatMap(({ prefixes }) => prefixes.map(formatPrefix)),
    withdrawn: unreach.flatMap(({ prefixes }) => prefixes.map(formatPrefix)),
    ...(faults.some(({ outcome }) => outcome === 'treat-as-withdraw') && { taw: true }),
    ...(ended !== undefined && { eor: ended }),
    ...(attributes !== undefined && { ...attributesJson(attributes), ...reachJson(reach) }),
    ...(faults.length > 0 && { faults: faults.map(attributeFaultJson) }),
  };
}

/** The next hop of the first prefixes; where the message has two, each with its prefixes as well. */
function reachJson(reach: readonly Reach[]): MessageJson {
  const [first] = reach;
  if (first === undefined) return {};
  if (reach.length === 1) return nextHopJson(first.nextHop);
  const entries = reach.map(({ family, nextHop, prefixes }) => ({
    family,
    ...nextHopJson(nextHop),
    announced: prefixes.map(formatPrefix),
  }));
  return { ...nextHopJson(first.nextHop), reach: entries };
}

function nextHopJson({ address, linkLocal }: NextHop): MessageJson {
  return {
    nexthop: formatIpAddress(address),
    ...(linkLocal !== undefined && { linklocal: formatIpAddress(linkLocal) }),
  };
}

function attributesJson(attributes: PathAttributes): MessageJson {
  const {
    origin,
    asPath,
    med,
    localPref,
    atomicAggregate,
    aggregator,
    communities,
    originatorId,
    clusterList,
    extendedCommunities,
    largeCommunities,
    otc,
    partial,
    unknown,
    ...nothingElse
  } = attributes;
  nothingElse satisfies Record<string, never>;
  return {
    origin,
    aspath: asPath.flatMap(({ asns }) => asns),
    // The flat list says all there is of a path without sets.
    ...(asPath.some(({ kind }) => kind !== 'sequence') && { segments: asPath }),
    ...(med !== undefined && { med }),
    ...(localPref !== undefined && { localpref: localPref }),
    ...(atomicAggregate && { atomicaggregate: true }),
    ...(aggregator && { aggregator: { asn: aggregator.asn, address: formatIpv4(aggregator.address) } }),
    ...(communities && { communities: communities.map(communityText) }),
    ...(originatorId !== undefined && { originatorid: formatIpv4(originatorId) }),
    ...(clusterList && { clusterlist: clusterList.map(formatIpv4) }),
    ...(extendedCommunities && { extcommunities: extendedCommunities.map(extendedCommunityHex) }),
    ...(largeCommunities && {
      largecommunities: largeCommunities.map(
        ({ globalAdministrator, localData1, localData2 }) =>
          `${globalAdministrator}:${localData1}:${localData2}`,
      ),
    }),
    ...(otc !== undefined && { otc }),
    ...(partial && { partial }),
    ...(unknown && {
      unknown: unknown.map(({ code, flags, value }) => ({ code, flags, value: hex(value) })),
    }),
  };
}

function attributeFaultJson({ code, outcome, reason }: AttributeFault): MessageJson {
  return { code, outcome, reason };
}

/** RFC 1997: the AS and its value. */
function communityText(community: number): string {
  return `${community >>> 16}:${community & 0xffff}`;
}

function extendedCommunityHex(community: bigint): string {
  return community.toString(16).padStart(16, '0');
}

function hex(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString('hex');
}
