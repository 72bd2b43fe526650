/**
 * What two OPENs agree on, and which OPEN is refused.
 */
import { describe, expect, test } from 'vitest';
import { negotiate } from '../../../../bgp/fsm/index.js';
import { ipv4 } from '../../../../bgp/net/index.js';
import type { Capability } from '../../../../bgp/wire/index.js';
import {
  capabilitiesOf,
  fsmConfig,
  gracefulRestart,
  notificationOf,
  OUR_AS,
  OUR_ID,
  PEER_AS,
  PEER_ID,
  peerOpen,
} from '../../../support/fsm-builders.js';

const IPV4: Capability = { kind: 'multiprotocol', family: 'ipv4' };
const IPV6: Capability = { kind: 'multiprotocol', family: 'ipv6' };
const L2VPN: Capability = { kind: 'unknown', code: 1, value: Uint8Array.of(0, 25, 0, 70) };
const CUT_SHORT: Capability = { kind: 'unknown', code: 1, value: Uint8Array.of(0, 1) };

/** What both agree on when we announce `ours` and the peer `theirs`. */
function agreed(ours: readonly Capability[], theirs: readonly Capability[]) {
  return negotiate(peerOpen({ capabilities: theirs }), fsmConfig({ capabilities: () => ours }), 'outgoing');
}

test('RFC 4271 4.2: two OPENs that fit make a session', () => {
  const capabilities = capabilitiesOf(PEER_AS);
  expect(negotiate(peerOpen({ holdTimeSeconds: 30 }), fsmConfig(), 'incoming')).toEqual({
    direction: 'incoming',
    peerAs: PEER_AS,
    peerIdentifier: PEER_ID,
    peerType: 'ebgp',
    holdTimeSeconds: 30,
    keepaliveSeconds: 10,
    as4: true,
    families: ['ipv4'],
    routeRefresh: true,
    enhancedRouteRefresh: false,
    maxMessageLength: 4096,
    extendedNextHop: [],
    peerCapabilities: capabilities,
  });
});

describe('RFC 4271 6.2 Bad Peer AS', () => {
  test.each([
    ['another AS', 64999],
    ['our own AS where eBGP is configured', OUR_AS],
    ['AS 0 (RFC 7607)', 0],
  ])('%s is NOTIFICATION 2/2', (_name, asn) => {
    expect(negotiate(peerOpen({ asn }), fsmConfig(), 'outgoing')).toMatchObject({
      notification: notificationOf(2, 2),
    });
  });
});

describe('RFC 6286 BGP Identifier', () => {
  const ibgp = fsmConfig({ peerAs: OUR_AS });

  test('0 is NOTIFICATION 2/3', () => {
    const open = peerOpen({ bgpIdentifier: ipv4(0) });
    expect(negotiate(open, fsmConfig(), 'outgoing')).toMatchObject({ notification: notificationOf(2, 3) });
  });

  test('our own is NOTIFICATION 2/3 over iBGP', () => {
    const open = peerOpen({ asn: OUR_AS, bgpIdentifier: OUR_ID });
    expect(negotiate(open, ibgp, 'outgoing')).toMatchObject({ notification: notificationOf(2, 3) });
  });

  test('our own is fine over eBGP', () => {
    const open = peerOpen({ bgpIdentifier: OUR_ID });
    expect(negotiate(open, fsmConfig(), 'outgoing')).toMatchObject({
      peerType: 'ebgp',
      peerIdentifier: OUR_ID,
    });
  });

  test('any non-zero 32-bit number is fine, such as 255.255.255.255', () => {
    const open = peerOpen({ asn: OUR_AS, bgpIdentifier: ipv4(0xffffffff) });
    expect(negotiate(open, ibgp, 'outgoing')).toMatchObject({ peerType: 'ibgp' });
  });
});

describe('RFC 4760 8 families', () => {
  test.each<[string, readonly Capability[], readonly Capability[], readonly string[]]>([
    ['both of both', [IPV4, IPV6], [IPV6, IPV4], ['ipv4', 'ipv6']],
    ['only what both announce', [IPV4, IPV6], [IPV6], ['ipv6']],
    ['a peer without the capability speaks IPv4 (RFC 4271)', [IPV4, IPV6], [], ['ipv4']],
    ['so do we without it', [], [IPV4, IPV6], ['ipv4']],
    ['none in common is a session without routes', [IPV6], [IPV4], []],
    ['one announced twice counts once', [IPV4, IPV4], [IPV4, IPV4], ['ipv4']],
    ['a peer of another family alone does not speak IPv4', [IPV4, IPV6], [L2VPN], []],
    ['a family cut short says nothing', [IPV4, IPV6], [CUT_SHORT], ['ipv4']],
  ])('%s', (_name, ours, theirs, families) => {
    expect(agreed(ours, theirs)).toMatchObject({ families });
  });
});

describe('capabilities that need both sides', () => {
  const cases: readonly (readonly [string, Capability, object, object])[] = [
    ['RFC 6793 4-octet AS', { kind: 'fourOctetAs', asn: 1 }, { as4: true }, { as4: false }],
    ['RFC 2918 route refresh', { kind: 'routeRefresh' }, { routeRefresh: true }, { routeRefresh: false }],
    [
      'RFC 7313 enhanced route refresh',
      { kind: 'enhancedRouteRefresh' },
      { enhancedRouteRefresh: true },
      { enhancedRouteRefresh: false },
    ],
    [
      'RFC 8654 extended messages',
      { kind: 'extendedMessage' },
      { maxMessageLength: 65535 },
      { maxMessageLength: 4096 },
    ],
  ];
  test.each(cases)('%s', (_name, capability, withBoth, otherwise) => {
    expect(agreed([capability], [capability])).toMatchObject(withBoth);
    expect(agreed([capability], [])).toMatchObject(otherwise);
    expect(agreed([], [capability])).toMatchObject(otherwise);
  });
});

describe('RFC 4724 3 graceful restart', () => {
  test("the session carries the peer's capability, whatever ours says", () => {
    const theirs = gracefulRestart({ restartTimeSeconds: 77 });
    expect(agreed([], [theirs])).toMatchObject({ gracefulRestart: theirs });
  });

  test('of several instances the last one counts', () => {
    const last = gracefulRestart({ restartTimeSeconds: 2 });
    expect(agreed([], [gracefulRestart({ restartTimeSeconds: 1 }), last])).toMatchObject({
      gracefulRestart: last,
    });
  });

  test('absent stays absent', () => {
    expect(agreed([gracefulRestart()], [])).not.toHaveProperty('gracefulRestart');
  });
});

describe('RFC 9234 4.2 roles', () => {
  const role = (value: 'provider' | 'customer' | 'peer'): Capability => ({ kind: 'role', role: value });
  const unassigned: Capability = { kind: 'unknown', code: 9, value: Uint8Array.of(9) };
  const tooLong: Capability = { kind: 'unknown', code: 9, value: Uint8Array.of(0, 0) };
  const MISMATCH = { notification: notificationOf(2, 11) };

  test.each<readonly [string, readonly Capability[], readonly Capability[]]>([
    ['a role that does not go with ours', [role('provider')], [role('peer')]],
    ['a role that nobody has assigned', [role('provider')], [unassigned]],
    ['two roles, the first of which fits', [role('provider')], [role('customer'), role('peer')]],
    ['two roles that differ, where we announce none', [], [role('customer'), role('peer')]],
    ['two roles, one of them not assigned, where we announce none', [], [role('customer'), unassigned]],
  ])('%s: NOTIFICATION 2/11', (_what, ours, theirs) => {
    expect(agreed([IPV4, ...ours], [IPV4, ...theirs])).toMatchObject(MISMATCH);
  });

  test.each<readonly [string, readonly Capability[], readonly Capability[]]>([
    ['the counterpart of ours', [role('provider')], [role('customer')]],
    ['the same role twice', [role('provider')], [role('customer'), role('customer')]],
    ['none from the peer', [role('provider')], []],
    ['one from the peer, none from us', [], [role('peer')]],
    ['one not assigned, none from us', [], [unassigned]],
    ['a value of two octets, which is no role', [role('provider')], [tooLong]],
  ])('%s: a session', (_what, ours, theirs) => {
    expect(agreed([IPV4, ...ours], [IPV4, ...theirs])).toHaveProperty('families');
  });

  test('between routers of one AS they say nothing', () => {
    const open = peerOpen({ asn: OUR_AS, capabilities: [IPV4, role('customer'), role('peer')] });
    expect(negotiate(open, fsmConfig({ peerAs: OUR_AS }), 'outgoing')).toHaveProperty('families');
  });
});
