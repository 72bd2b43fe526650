/**
 * Random messages for the codec's properties: everything that we may send, in the form in which it is received.
 */
import fc from 'fast-check';
import { type Family, ipv4, ipv6, isLinkLocal, type Prefix, prefix4, prefix6 } from '../../bgp/net/index.js';
import type {
  AsPathSegment,
  Capability,
  CodecContext,
  Message,
  NextHop,
  OpenMessage,
  PathAttributes,
  Reach,
  Unreach,
  UpdateMessage,
} from '../../bgp/wire/index.js';

const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const family: fc.Arbitrary<Family> = fc.constantFrom('ipv4', 'ipv6');

export const arbitraryIpv4 = u32.map(ipv4);
export const arbitraryIpv6 = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map(ipv6);
export const arbitraryPrefix4 = fc
  .tuple(arbitraryIpv4, fc.integer({ min: 0, max: 32 }))
  .map(([a, n]) => prefix4(a, n));
export const arbitraryPrefix6 = fc
  .tuple(arbitraryIpv6, fc.integer({ min: 0, max: 128 }))
  .map(([a, n]) => prefix6(a, n));

/** AS 0 is nobody's; the boundaries of the 2-octet numbers come often. */
const arbitraryAsn = fc.oneof(
  fc.constantFrom(1, 23456, 65535, 65536, 0xffffffff),
  fc.integer({ min: 1, max: 0xffffffff }),
);
const arbitraryAsn2 = fc.integer({ min: 1, max: 65535 });

/** All combinations of the codec's context, always with room for one message of every sort. */
export const arbitraryContext: fc.Arbitrary<CodecContext> = fc.record({
  as4: fc.boolean(),
  peerType: fc.constantFrom('ibgp', 'ebgp'),
  maxMessageLength: fc.constantFrom(4096, 65535),
});

const arbitraryCapability: fc.Arbitrary<Capability> = fc.oneof(
  fc.record({ kind: fc.constant('multiprotocol' as const), family }),
  fc.constantFrom<Capability>(
    { kind: 'routeRefresh' },
    { kind: 'enhancedRouteRefresh' },
    { kind: 'extendedMessage' },
  ),
  fc.record({
    kind: fc.constant('extendedNextHop' as const),
    families: fc.array(fc.record({ family, nextHopFamily: family }), { maxLength: 3 }),
  }),
  fc.record({
    kind: fc.constant('gracefulRestart' as const),
    restarting: fc.boolean(),
    notification: fc.boolean(),
    restartTimeSeconds: fc.integer({ min: 0, max: 4095 }),
    families: fc.array(fc.record({ family, forwarding: fc.boolean() }), { maxLength: 4 }),
  }),
  fc.record({
    kind: fc.constant('unknown' as const),
    // Codes without a row of ours.
    code: u8.filter((code) => ![1, 2, 5, 6, 64, 65, 70].includes(code)),
    value: fc.uint8Array({ maxLength: 255 }),
  }),
);

export const arbitraryOpen: fc.Arbitrary<OpenMessage> = fc
  .record({
    asn: arbitraryAsn,
    holdTimeSeconds: fc.oneof(fc.constantFrom(0, 3, 65535), fc.integer({ min: 3, max: 65535 })),
    bgpIdentifier: fc.integer({ min: 1, max: 0xffffffff }).map(ipv4),
    before: fc.array(arbitraryCapability, { maxLength: 6 }),
    after: fc.array(arbitraryCapability, { maxLength: 6 }),
  })
  .map(({ before, after, ...fields }) => ({
    type: 'OPEN',
    ...fields,
    capabilities: [...before, { kind: 'fourOctetAs', asn: fields.asn }, ...after],
  }));

function segments(context: CodecContext): fc.Arbitrary<readonly AsPathSegment[]> {
  // Over eBGP there are no confederation segments; a 2-octet peer hides the 4-octet ASes in them for good.
  const withConfederations = context.peerType === 'ibgp';
  const plain = fc.record<AsPathSegment>({
    kind: fc.constantFrom('sequence', 'set'),
    asns: fc.array(arbitraryAsn, { minLength: 1, maxLength: 8 }),
  });
  const confederation = fc.record<AsPathSegment>({
    kind: fc.constantFrom('confedSequence', 'confedSet'),
    asns: fc.array(context.as4 ? arbitraryAsn : arbitraryAsn2, { minLength: 1, maxLength: 3 }),
  });
  // RFC 6793 §4.2.3 restores a confederation segment only at the head of the path.
  const heads = withConfederations ? fc.array(confederation, { maxLength: 2 }) : fc.constant([]);
  const anywhere = withConfederations && context.as4 ? fc.oneof(plain, confederation) : plain;
  return fc.tuple(heads, fc.array(anywhere, { maxLength: 4 })).map(([head, rest]) => [...head, ...rest]);
}

/** The optional transitive attributes that we know, whose Partial bit has to be kept. */
const PARTIAL_CODES: ReadonlyMap<number, keyof PathAttributes> = new Map([
  [7, 'aggregator'],
  [8, 'communities'],
  [16, 'extendedCommunities'],
  [32, 'largeCommunities'],
  [35, 'otc'],
]);

function attributes(context: CodecContext): fc.Arbitrary<PathAttributes> {
  const internal = context.peerType === 'ibgp';
  const unknown = fc
    .uniqueArray(
      fc.record({
        // Codes without a row of ours.
        code: u8.filter((code) => code === 0 || code > 35),
        // Optional, transitive, Partial, and the unused bits as they come.
        flags: fc.integer({ min: 0, max: 15 }).map((low) => 0xe0 | low),
        value: fc.oneof(fc.uint8Array({ maxLength: 8 }), fc.uint8Array({ minLength: 250, maxLength: 260 })),
      }),
      { selector: ({ code }) => code, minLength: 1, maxLength: 3 },
    )
    .map((list) => list.sort((a, b) => a.code - b.code));
  return fc
    .tuple(
      fc.record({
        origin: fc.constantFrom('IGP' as const, 'EGP' as const, 'INCOMPLETE' as const),
        asPath: segments(context),
      }),
      fc.record(
        {
          med: u32,
          atomicAggregate: fc.constant(true as const),
          aggregator: fc.record({ asn: arbitraryAsn, address: arbitraryIpv4 }),
          communities: fc.array(u32, { minLength: 1, maxLength: 80 }),
          extendedCommunities: fc.array(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), {
            minLength: 1,
            maxLength: 5,
          }),
          largeCommunities: fc.array(
            fc.record({ globalAdministrator: u32, localData1: u32, localData2: u32 }),
            { minLength: 1, maxLength: 5 },
          ),
          otc: u32,
          unknown,
        },
        { requiredKeys: [] },
      ),
      internal
        ? fc.record(
            {
              localPref: u32,
              originatorId: arbitraryIpv4,
              clusterList: fc.array(arbitraryIpv4, { minLength: 1, maxLength: 5 }),
            },
            { requiredKeys: ['localPref'] },
          )
        : fc.constant({}),
      fc.subarray([...PARTIAL_CODES.keys()]),
    )
    .map(([mandatory, optional, reflection, codes]) => {
      const partial = codes.filter((code) => Object.hasOwn(optional, PARTIAL_CODES.get(code) ?? ''));
      return { ...mandatory, ...optional, ...reflection, ...(partial.length > 0 && { partial }) };
    });
}

const hostIpv4 = fc.integer({ min: 0x01000000, max: 0xdfffffff }).map(ipv4);
const hostIpv6 = fc.bigInt({ min: 2n, max: (0xffn << 120n) - 1n }).map(ipv6);
const linkLocal = fc.bigInt({ min: 1n, max: (1n << 64n) - 1n }).map((host) => ipv6((0xfe80n << 112n) | host));

const nextHop6: fc.Arbitrary<NextHop> = fc.oneof(
  fc.record({ address: hostIpv6 }),
  fc.record({ address: hostIpv6.filter((address) => !isLinkLocal(address)), linkLocal }),
);

function prefixes(of: fc.Arbitrary<Prefix>, minLength: number): fc.Arbitrary<readonly Prefix[]> {
  return fc.array(of, { minLength, maxLength: 20 });
}

const classicReach: fc.Arbitrary<Reach> = fc.record({
  family: fc.constant('ipv4' as const),
  nextHop: fc.record({ address: hostIpv4 }),
  prefixes: prefixes(arbitraryPrefix4, 1),
});

const mpReach: fc.Arbitrary<Reach> = fc.oneof(
  fc.record({
    family: fc.constant('ipv6' as const),
    nextHop: nextHop6,
    prefixes: prefixes(arbitraryPrefix6, 1),
  }),
  fc.record({
    family: fc.constant('ipv4' as const),
    nextHop: nextHop6,
    prefixes: prefixes(arbitraryPrefix4, 1),
  }),
);

const unreach: fc.Arbitrary<readonly Unreach[]> = fc
  .tuple(prefixes(arbitraryPrefix4, 0), prefixes(arbitraryPrefix6, 0))
  .map(([v4, v6]) => [
    ...(v4.length > 0 ? [{ family: 'ipv4' as const, prefixes: v4 }] : []),
    ...(v6.length > 0 ? [{ family: 'ipv6' as const, prefixes: v6 }] : []),
  ]);

/** An UPDATE that a session with this context may carry; End-of-RIB among them. */
export function arbitraryUpdate(context: CodecContext): fc.Arbitrary<UpdateMessage> {
  const endOfRib = family.map<UpdateMessage>((ended) => ({
    type: 'UPDATE',
    unreach: [{ family: ended, prefixes: [] }],
    reach: [],
    faults: [],
  }));
  const withdrawal = unreach
    .filter((entries) => entries.length > 0)
    .map<UpdateMessage>((entries) => ({ type: 'UPDATE', unreach: entries, reach: [], faults: [] }));
  const announcement = fc
    .tuple(
      unreach,
      fc.oneof(
        classicReach.map((reach) => [reach]),
        mpReach.map((reach) => [reach]),
        fc.tuple(classicReach, mpReach),
      ),
      attributes(context),
    )
    .map<UpdateMessage>(([entries, reach, route]) => ({
      type: 'UPDATE',
      unreach: entries,
      reach,
      attributes: route,
      faults: [],
    }));
  return fc.oneof(
    { weight: 1, arbitrary: endOfRib },
    { weight: 2, arbitrary: withdrawal },
    { weight: 7, arbitrary: announcement },
  );
}

const notificationMessage: fc.Arbitrary<Message> = fc.record({
  type: fc.constant('NOTIFICATION' as const),
  code: u8,
  subcode: u8,
  data: fc.uint8Array({ maxLength: 300 }),
});

const routeRefresh: fc.Arbitrary<Message> = fc.record({
  type: fc.constant('ROUTE-REFRESH' as const),
  family: fc.oneof(
    family,
    fc.record({ afi: u16, safi: u8 }).filter(({ afi, safi }) => safi !== 1 || (afi !== 1 && afi !== 2)),
  ),
  subtype: u8,
});

/** Any message of any type, with the context of its session. */
export const arbitraryMessage: fc.Arbitrary<readonly [Message, CodecContext]> = arbitraryContext.chain(
  (context) => {
    const message = fc.oneof<fc.MaybeWeightedArbitrary<Message>[]>(
      { weight: 1, arbitrary: arbitraryOpen },
      { weight: 4, arbitrary: arbitraryUpdate(context) },
      { weight: 1, arbitrary: notificationMessage },
      { weight: 1, arbitrary: fc.constant<Message>({ type: 'KEEPALIVE' }) },
      { weight: 1, arbitrary: routeRefresh },
    );
    return fc.tuple(message, fc.constant(context));
  },
);
