/** Facts about the next hop: as communities and back, and where they end. */
import { describe, expect, test } from 'vitest';
import { exportPath } from '../../../../bgp/rib/export.js';
import { decodeFacts, type EncapsulationFacts, encodeFacts, type Path } from '../../../../bgp/rib/index.js';
import type { PathAttributes } from '../../../../bgp/wire/index.js';
import { address, address4, prefix } from '../../../support/addresses.js';
import { attributes, identifier, node, router } from '../../../support/rib.js';

const ASN = 64512;
const FACTS: EncapsulationFacts = {
  onlink: [prefix('192.168.1.0/24'), prefix('0.0.0.0/0'), prefix('255.255.255.255/32')],
  overrides: new Map([
    [address4('192.168.1.12'), 'direct'],
    [address4('255.255.255.254'), 'ipip'],
  ]),
};
const large = (localData1: number, localData2: number, globalAdministrator = ASN) => ({
  globalAdministrator,
  localData1,
  localData2,
});
/** The same by hand: RFC 9012 section 4.1 for the first, the table of encapsulation.ts for the rest. */
const COMMUNITIES = {
  extendedCommunities: [0x030c000000000007n],
  largeCommunities: [
    large(179_124, 0xc0a80100),
    large(179_100, 0),
    large(179_132, 0xffffffff),
    large(179_201, 0xc0a8010c),
    large(179_202, 0xfffffffe),
  ],
};

describe('RFC 9012 §4.1, RFC 8092: the facts as communities', () => {
  test('both ways', () => {
    expect(encodeFacts(ASN, FACTS)).toEqual(COMMUNITIES);
    expect(decodeFacts(ASN, attributes(COMMUNITIES))).toEqual(FACTS);
  });

  test('a 4-octet AS number', () => {
    const asn = 4_200_000_001;
    expect(decodeFacts(asn, attributes(encodeFacts(asn, FACTS)))).toEqual(FACTS);
  });

  test.each<[string, Partial<PathAttributes>, EncapsulationFacts | undefined]>([
    ['no community at all', {}, undefined],
    ['without the encapsulation community', { largeCommunities: COMMUNITIES.largeCommunities }, undefined],
    ['of another tunnel type (8, VXLAN)', { extendedCommunities: [0x030c000000000008n] }, undefined],
    [
      'nothing but IP-in-IP',
      { extendedCommunities: [0x030c000000000007n] },
      { onlink: [], overrides: new Map() },
    ],
    [
      'large communities of another AS, or of another use',
      {
        ...COMMUNITIES,
        largeCommunities: [large(179_124, 1, 65001), large(179_133, 1), large(179_203, 1), large(1, 2)],
      },
      { onlink: [], overrides: new Map() },
    ],
    [
      'host bits in a prefix are cut',
      { ...COMMUNITIES, largeCommunities: [large(179_124, 0xc0a801ff)] },
      { onlink: [prefix('192.168.1.0/24')], overrides: new Map() },
    ],
    [
      'said both ways: the tunnel counts',
      { ...COMMUNITIES, largeCommunities: [large(179_202, 7), large(179_201, 7)] },
      { onlink: [], overrides: new Map([[address4('0.0.0.7'), 'ipip']]) },
    ],
  ])('%s', (_name, carried, expected) => {
    expect(decodeFacts(ASN, attributes(carried))).toEqual(expected);
  });
});

describe('they describe the next hop, and end where it changes', () => {
  const OTHERS = {
    extendedCommunities: [0x0002_fc00_0000_0001n],
    largeCommunities: [large(1, 2), large(179_124, 1, 65001)],
  };
  const carried = attributes({
    extendedCommunities: [...COMMUNITIES.extendedCommunities, ...OTHERS.extendedCommunities],
    largeCommunities: [...COMMUNITIES.largeCommunities, ...OTHERS.largeCommunities],
    communities: [5],
  });
  const client = node(3, { routeReflectorClient: true });
  const learned: Path = { peer: node(2), nextHop: { address: address('192.168.1.2') }, attributes: carried };
  const told = (...[peer, path, mode = 'auto']: [typeof client, Path, ('auto' | 'self')?]) => {
    const result = exportPath(peer, 'ipv4', path, path, mode, identifier('192.168.1.1'));
    if ('refusal' in result) throw new Error(result.refusal);
    const { extendedCommunities, largeCommunities, communities } = result.attributes;
    return { extendedCommunities, largeCommunities, communities, nextHop: result.nextHop.address };
  };
  const { extendedCommunities, largeCommunities, communities } = carried;

  test('reflected with its next hop: kept', () => {
    expect(told(client, learned)).toEqual({
      extendedCommunities,
      largeCommunities,
      communities,
      nextHop: address('192.168.1.2'),
    });
  });

  test('to a router on the same subnet, which sends to the node itself (RFC 4271 §5.1.3): kept', () => {
    expect(told(router(4), learned)).toMatchObject({ extendedCommunities, nextHop: address('192.168.1.2') });
  });

  test('reflected with next hop self, and to a router elsewhere: taken off, and nothing else', () => {
    const stripped = { ...OTHERS, communities, nextHop: address('192.168.1.1') };
    expect(told(client, learned, 'self')).toEqual(stripped);
    expect(told(router(4, { sharedSubnet: prefix('192.168.7.0/24') }), learned)).toEqual(stripped);
  });

  test('an own route has no next hop yet: what it says is said of us', () => {
    const own: Path = { attributes: carried, nextHop: { address: address('0.0.0.0') } };
    expect(told(client, own)).toMatchObject({ extendedCommunities, largeCommunities });
    expect(told(router(4), own)).toMatchObject({ extendedCommunities, largeCommunities });
  });

  test('a route without facts keeps large communities that look alike', () => {
    const path: Path = {
      ...learned,
      attributes: attributes({ largeCommunities: COMMUNITIES.largeCommunities }),
    };
    expect(told(client, path, 'self').largeCommunities).toEqual(COMMUNITIES.largeCommunities);
  });
});
