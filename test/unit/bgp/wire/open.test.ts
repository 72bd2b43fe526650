/**
 * OPEN: RFC 4271 section 6.2, and the ways in which peers announce capabilities.
 */
import { describe, expect, test } from 'vitest';
import {
  type Capability,
  capabilityText,
  decodeMessage,
  encodeMessage,
  findCapability,
  type OpenMessage,
} from '../../../../bgp/wire/index.js';
import { address4 } from '../../../support/addresses.js';
import { decodeFault, EBGP, frame, hex, toHex } from '../../../support/wire.js';

const AS4 = '41 04 0000fdea';

/** An OPEN with these fields; parameters as hex, their length octet made here unless given. */
function open(
  fields: {
    readonly version?: string;
    readonly myAs?: string;
    readonly holdTime?: string;
    readonly identifier?: string;
    readonly parameters?: string;
    readonly parametersLength?: string;
  } = {},
): Uint8Array {
  const parameters = hex(fields.parameters ?? '');
  const length = fields.parametersLength ?? parameters.length.toString(16).padStart(2, '0');
  const { version = '04', myAs = 'fdea', holdTime = '005a', identifier = 'c0000201' } = fields;
  return frame(1, `${version} ${myAs} ${holdTime} ${identifier} ${length} ${toHex(parameters)}`);
}

/** One capabilities parameter. */
function capabilities(...values: readonly string[]): string {
  const value = toHex(hex(values.join(' ')));
  return `02 ${(value.length / 2).toString(16).padStart(2, '0')} ${value}`;
}

function decodeOpen(bytes: Uint8Array): OpenMessage {
  const message = decodeMessage(bytes, EBGP);
  if (message.type !== 'OPEN') throw new Error(`not an OPEN: ${message.type}`);
  return message;
}

describe('RFC 4271 §6.2 OPEN errors', () => {
  test.each([
    ['2/1 with version 3; data: the version we speak', open({ version: '03' }), '2/1 0004'],
    ['2/1 with version 5', open({ version: '05' }), '2/1 0004'],
    ['2/2 with AS 0 (RFC 7607)', open({ myAs: '0000' }), '2/2'],
    [
      '2/2 with AS 0 in capability 65 (RFC 7607)',
      open({ myAs: '5ba0', parameters: capabilities('41 04 00000000') }),
      '2/2',
    ],
    ['2/2 where capability 65 disagrees', open({ myAs: 'fdeb', parameters: capabilities(AS4) }), '2/2'],
    [
      '2/2 where two capabilities 65 disagree',
      open({ parameters: capabilities(AS4, '41 04 0000fdeb') }),
      '2/2',
    ],
    [
      '2/2 where the field is not AS_TRANS for a 4-octet AS',
      open({ parameters: capabilities('41 04 0001fdea') }),
      '2/2',
    ],
    ['2/3 with identifier 0.0.0.0', open({ identifier: '00000000' }), '2/3'],
    ['2/4 with the parameter of authentication', open({ parameters: '01 01 00' }), '2/4'],
    [
      '2/4 with an unknown parameter after a known one',
      open({ parameters: `${capabilities(AS4)} 09 00` }),
      '2/4',
    ],
    ['2/6 with hold time 1', open({ holdTime: '0001' }), '2/6'],
    ['2/6 with hold time 2', open({ holdTime: '0002' }), '2/6'],
  ])('%s', (_name, bytes, fault) => {
    expect(decodeFault(bytes, EBGP)).toBe(fault);
  });

  test.each(['0000', '0003', 'ffff'])('hold time %s is accepted', (holdTime) => {
    expect(decodeOpen(open({ holdTime })).holdTimeSeconds).toBe(Number.parseInt(holdTime, 16));
  });

  test('any identifier but 0 is accepted, 255.255.255.255 too (RFC 6286)', () => {
    expect(decodeOpen(open({ identifier: 'ffffffff' })).bgpIdentifier).toBe(address4('255.255.255.255'));
  });
});

describe('RFC 4271 §6.2 malformed optional parameters are 2/0', () => {
  test.each([
    ['length promises more than there is', open({ parametersLength: '01' })],
    ['length promises less than there is', open({ parametersLength: '00', parameters: capabilities(AS4) })],
    ['a parameter without its length', open({ parameters: '02' })],
    ['a parameter that overruns', open({ parameters: '02 07 41 04 0000fdea' })],
    ['a capability without its length', open({ parameters: '02 01 41' })],
    [
      'a capability that overruns its parameter',
      open({ parameters: `02 06 41 05 0000fdea ${capabilities(AS4)}` }),
    ],
    ['the mark of RFC 9072 behind a length of 0', open({ parametersLength: '00', parameters: 'ff 0000' })],
    ['the mark of RFC 9072 and nothing else', open({ parameters: 'ff' })],
    ['the mark of RFC 9072 and half a length', open({ parametersLength: 'ff', parameters: 'ff 00' })],
    [
      'an extended length that promises more',
      open({ parametersLength: 'ff', parameters: 'ff 0004 02 0000' }),
    ],
    [
      'an extended parameter without room for its length',
      open({ parametersLength: 'ff', parameters: 'ff 0002 02 00' }),
    ],
    [
      'an extended parameter that overruns',
      open({ parametersLength: 'ff', parameters: 'ff 0004 02 0002 41' }),
    ],
  ])('%s', (_name, bytes) => {
    expect(decodeFault(bytes, EBGP)).toBe('2/0');
  });
});

describe('RFC 5492 capabilities', () => {
  test('a peer without any works', () => {
    expect(decodeOpen(open())).toEqual({
      type: 'OPEN',
      asn: 65002,
      holdTimeSeconds: 90,
      bgpIdentifier: address4('192.0.2.1'),
      capabilities: [],
    });
  });

  test('split over several parameters, empty ones among them', () => {
    const parameters = `${capabilities('01 04 00010001')} 02 00 ${capabilities('02 00', AS4)}`;
    expect(decodeOpen(open({ parameters })).capabilities).toEqual([
      { kind: 'multiprotocol', family: 'ipv4' },
      { kind: 'routeRefresh' },
      { kind: 'fourOctetAs', asn: 65002 },
    ]);
  });

  test('repeated ones are kept as they came', () => {
    const { capabilities: found, asn } = decodeOpen(
      open({ parameters: capabilities(AS4, '02 00', AS4, '02 00') }),
    );
    expect(found.map(({ kind }) => kind)).toEqual([
      'fourOctetAs',
      'routeRefresh',
      'fourOctetAs',
      'routeRefresh',
    ]);
    expect(asn).toBe(65002);
  });

  test.each([
    ['multiprotocol of a family that we do not speak', '01 04 00190046'],
    ['multiprotocol of length 3', '01 03 000100'],
    ['multiprotocol of length 5', '01 05 0001000100'],
    ['route refresh with a value', '02 01 00'],
    ['extended next hop of length 5', '05 05 0001000100'],
    ['graceful restart of length 0', '40 00'],
    ['graceful restart of length 3', '40 03 007800'],
    ['graceful restart of length 4', '40 04 00780001'],
    ['graceful restart with half a family', '40 05 0078000101'],
    ['4-octet AS of length 2', '41 02 fdea'],
    ['4-octet AS of length 5', '41 05 0000fdea00'],
    ['a code that nobody knows', 'ff 00'],
  ])('%s is ignored: kept as unknown', (_name, text) => {
    const octets = hex(text);
    expect(decodeOpen(open({ parameters: capabilities(text, AS4) })).capabilities).toEqual([
      { kind: 'unknown', code: octets[0], value: octets.slice(2) },
      { kind: 'fourOctetAs', asn: 65002 },
    ]);
  });

  test('families that we do not speak are left out of graceful restart and extended next hop', () => {
    const parameters = capabilities('40 0a 0078 0019 46 80 0001 01 80', '05 0c 000100010002 000200010019');
    expect(decodeOpen(open({ parameters })).capabilities).toEqual([
      {
        kind: 'gracefulRestart',
        restarting: false,
        notification: false,
        restartTimeSeconds: 120,
        families: [{ family: 'ipv4', forwarding: true }],
      },
      { kind: 'extendedNextHop', families: [{ family: 'ipv4', nextHopFamily: 'ipv6' }] },
    ]);
  });
});

describe('RFC 9072 extended parameters', () => {
  test('in several parameters, with a length octet other than 255', () => {
    const parameters = 'ff 0010 02 0006 01 04 00010001 02 0004 02 00 46 00';
    expect(
      decodeOpen(open({ parametersLength: '07', parameters })).capabilities.map(({ kind }) => kind),
    ).toEqual(['multiprotocol', 'routeRefresh', 'enhancedRouteRefresh']);
  });

  test('an unknown parameter is 2/4', () => {
    expect(decodeFault(open({ parametersLength: 'ff', parameters: 'ff 0003 ff 0000' }), EBGP)).toBe('2/4');
  });

  test.each([
    [253, '00 sized for the classic form', 253 + 2 + 29],
    [254, 'one octet more', 254 + 3 + 3 + 29],
  ])('%i octets of capabilities: %s', (octets, _name, length) => {
    const message: OpenMessage = {
      ...decodeOpen(open()),
      capabilities: [{ kind: 'unknown', code: 200, value: new Uint8Array(octets - 2) }],
    };
    const bytes = encodeMessage(message, EBGP);
    expect(bytes).toHaveLength(length);
    expect(decodeMessage(bytes, EBGP)).toEqual(message);
  });

  test('a capability longer than 255 octets is a bug of ours', () => {
    const capability: Capability = { kind: 'unknown', code: 200, value: new Uint8Array(256) };
    expect(() => encodeMessage({ ...decodeOpen(open()), capabilities: [capability] }, EBGP)).toThrow(
      RangeError,
    );
  });
});

describe('RFC 6793 the speaker’s AS', () => {
  test.each([
    ['the field where there is no capability 65', open({ myAs: 'ffff' }), 65535],
    ['capability 65 where both agree', open({ parameters: capabilities(AS4) }), 65002],
    [
      'capability 65 behind AS_TRANS',
      open({ myAs: '5ba0', parameters: capabilities('41 04 00010000') }),
      65536,
    ],
    ['a 2-octet AS behind AS_TRANS', open({ myAs: '5ba0', parameters: capabilities(AS4) }), 65002],
    ['the largest', open({ myAs: '5ba0', parameters: capabilities('41 04 ffffffff') }), 4294967295],
  ])('is %s', (_name, bytes, asn) => {
    expect(decodeOpen(bytes).asn).toBe(asn);
  });

  test.each([
    [65535, 'ffff'],
    [65536, '5ba0'],
    [4294967295, '5ba0'],
  ])('AS %i is written as %s', (asn, field) => {
    const bytes = encodeMessage({ ...decodeOpen(open()), asn, capabilities: [] }, EBGP);
    expect(toHex(bytes.subarray(20, 22))).toBe(field);
  });
});

test('findCapability: the first of its kind', () => {
  const found: Capability[] = [
    { kind: 'routeRefresh' },
    { kind: 'fourOctetAs', asn: 1 },
    { kind: 'fourOctetAs', asn: 2 },
  ];
  expect(findCapability(found, 'fourOctetAs')?.asn).toBe(1);
  expect(findCapability(found, 'gracefulRestart')).toBeUndefined();
});

test.each<[Capability, string]>([
  [{ kind: 'multiprotocol', family: 'ipv6' }, 'multiprotocol ipv6 unicast'],
  [{ kind: 'routeRefresh' }, 'route refresh'],
  [{ kind: 'enhancedRouteRefresh' }, 'enhanced route refresh'],
  [{ kind: 'extendedMessage' }, 'extended message'],
  [{ kind: 'fourOctetAs', asn: 4200000001 }, '4-octet AS 4200000001'],
  [
    { kind: 'extendedNextHop', families: [{ family: 'ipv4', nextHopFamily: 'ipv6' }] },
    'extended next hop (ipv4 over ipv6)',
  ],
  [
    {
      kind: 'gracefulRestart',
      restarting: false,
      notification: false,
      restartTimeSeconds: 120,
      families: [],
    },
    'graceful restart 120 s',
  ],
  [
    {
      kind: 'gracefulRestart',
      restarting: true,
      notification: true,
      restartTimeSeconds: 5,
      families: [
        { family: 'ipv4', forwarding: true },
        { family: 'ipv6', forwarding: false },
      ],
    },
    'graceful restart 5 s (restarting, notification, ipv4 forwarding, ipv6)',
  ],
  [{ kind: 'unknown', code: 71, value: hex('') }, 'capability 71 (long-lived graceful restart)'],
  [{ kind: 'role', role: 'rs-client' }, 'role rs-client'],
  [{ kind: 'unknown', code: 9, value: hex('05') }, 'capability 9 (BGP role) 05'],
  [{ kind: 'unknown', code: 200, value: hex('abcd') }, 'capability 200 abcd'],
])('capability text of %o', (capability, text) => {
  expect(capabilityText(capability)).toBe(text);
});
