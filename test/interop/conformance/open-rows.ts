/**
 * RFC 4271 sections 6.1 and 6.2: headers and OPENs that a speaker refuses, and odd ones that it must take.
 */
import {
  asn4,
  IPV4_UNICAST,
  KEEPALIVE,
  type OpenFields,
  open,
  usualCapabilities,
} from '../../support/raw-peer.js';
import { frame, hex } from '../../support/wire.js';

export interface HeaderRow {
  readonly rfc: string;
  readonly what: string;
  readonly bytes: Uint8Array;
  /** The NOTIFICATION: code/subcode, data. */
  readonly answer: string;
}

/** A header with this length field and type, and a body up to `octets` in all. */
function header(length: number, type: number, octets = Math.max(length, 19)): Uint8Array {
  const bytes = new Uint8Array(Math.min(octets, 4096)).fill(0);
  bytes.fill(0xff, 0, 16);
  bytes.set([length >> 8, length & 0xff, type], 16);
  return bytes;
}

const length = (what: string, octets: number, type: number): HeaderRow => ({
  rfc: 'RFC 4271 6.1',
  what: `${what} of ${octets} octets`,
  bytes: header(octets, type),
  answer: `1/2 ${octets.toString(16).padStart(4, '0')}`,
});

/** Sent instead of an OPEN. */
export const HEADER_ROWS: readonly HeaderRow[] = [
  {
    rfc: 'RFC 4271 6.1',
    what: 'a marker that begins with zero',
    bytes: hex(`00${'ff'.repeat(15)} 0013 04`),
    answer: '1/1',
  },
  {
    rfc: 'RFC 4271 6.1',
    what: 'a marker that ends with zero',
    bytes: hex(`${'ff'.repeat(15)}00 0013 04`),
    answer: '1/1',
  },
  {
    rfc: 'RFC 4271 6.1',
    what: 'a line of HTTP',
    bytes: Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'),
    answer: '1/1',
  },
  length('a message', 0, 1),
  length('a message', 18, 2),
  length('a message', 4097, 2),
  length('a message', 65535, 3),
  length('an OPEN', 28, 1),
  length('an UPDATE', 22, 2),
  length('a NOTIFICATION', 20, 3),
  length('a KEEPALIVE', 20, 4),
  length('a KEEPALIVE', 18, 4),
  ...[0, 6, 255].map((type) => ({
    rfc: 'RFC 4271 6.1',
    what: `message type ${type}`,
    bytes: header(23, type),
    answer: `1/3 ${type.toString(16).padStart(2, '0')}`,
  })),
];

export interface OpenRow {
  readonly rfc: string;
  readonly what: string;
  readonly open: OpenFields;
  readonly from?: 'ebgp' | 'ibgp';
  /** The NOTIFICATION; absent: the session comes up. */
  readonly answer?: string;
}

const parameter = (type: string, value: string) => {
  const octets = hex(value).length;
  return `${type} ${octets.toString(16).padStart(2, '0')} ${value}`;
};
const rest = (parameters: string) => `${hex(parameters).length.toString(16).padStart(2, '0')} ${parameters}`;

const REFUSED: readonly OpenRow[] = [
  ...[0, 3, 5].map((version) => ({
    rfc: 'RFC 4271 6.2',
    what: `version ${version}`,
    open: { version },
    answer: '2/1 0004',
  })),
  { rfc: 'RFC 4271 6.2', what: 'another AS than the configured one', open: { asn: 65009 }, answer: '2/2' },
  { rfc: 'RFC 7607 2', what: 'AS 0', open: { asn: 0, capabilities: '' }, answer: '2/2' },
  { rfc: 'RFC 7607 2', what: 'AS 0 in capability 65', open: { capabilities: asn4(0) }, answer: '2/2' },
  {
    rfc: 'RFC 6793 4.2.1',
    what: 'capability 65 that contradicts the field',
    open: { capabilities: asn4(65009) },
    answer: '2/2',
  },
  {
    rfc: 'RFC 6793 4.2.1',
    what: 'capability 65 with our own AS',
    open: { asn: 64512, capabilities: asn4(64512) },
    answer: '2/2',
  },
  { rfc: 'RFC 4271 6.2', what: 'identifier 0.0.0.0', open: { id: '0.0.0.0' }, answer: '2/3' },
  {
    rfc: 'RFC 6286 2.2',
    what: 'our own identifier over iBGP',
    from: 'ibgp',
    open: { id: '172.31.0.1' },
    answer: '2/3',
  },
  {
    rfc: 'RFC 4271 6.2',
    what: 'optional parameter 1',
    open: { rest: rest(parameter('01', 'abcd')) },
    answer: '2/4',
  },
  {
    rfc: 'RFC 4271 6.2',
    what: 'optional parameter 77',
    open: { rest: rest(parameter('4d', '')) },
    answer: '2/4',
  },
  ...[1, 2].map((holdTime) => ({
    rfc: 'RFC 4271 6.2',
    what: `hold time ${holdTime}`,
    open: { holdTime },
    answer: '2/6',
  })),
  {
    rfc: 'RFC 4271 6.2',
    what: 'optional parameters shorter than their length',
    open: { rest: '20 02 02 0200' },
    answer: '2/0',
  },
  {
    rfc: 'RFC 4271 6.2',
    what: 'optional parameters longer than their length',
    open: { rest: '00 02 02 0200' },
    answer: '2/0',
  },
  {
    rfc: 'RFC 4271 6.2',
    what: 'a length of parameters and nothing behind it',
    open: { rest: '04' },
    answer: '2/0',
  },
  { rfc: 'RFC 4271 6.2', what: 'a parameter that overruns', open: { rest: '04 02 20 0200' }, answer: '2/0' },
  { rfc: 'RFC 4271 6.2', what: 'a parameter without a length', open: { rest: '01 02' }, answer: '2/0' },
  {
    rfc: 'RFC 5492 4',
    what: 'a capability that overruns its parameter',
    open: { rest: rest(parameter('02', '41 ff 0000')) },
    answer: '2/0',
  },
  {
    rfc: 'RFC 5492 4',
    what: 'a capability without a length',
    open: { rest: rest(parameter('02', '41')) },
    answer: '2/0',
  },
  {
    rfc: 'RFC 9072 2',
    what: 'the extended form without room for its length',
    open: { rest: 'ff ff' },
    answer: '2/0',
  },
  {
    rfc: 'RFC 9072 2',
    what: 'the extended form with a length beyond the message',
    open: { rest: 'ff ff ffff 02' },
    answer: '2/0',
  },
  {
    rfc: 'RFC 9072 2',
    what: 'the extended form with a length shorter than what follows',
    open: { rest: 'ff ff 0002 02 0006 0104 0001 0001' },
    answer: '2/0',
  },
  {
    rfc: 'RFC 9072 2',
    what: 'the extended form with a parameter of one length octet',
    open: { rest: 'ff ff 0008 02 06 0104 0001 0001' },
    answer: '2/0',
  },
  {
    rfc: 'RFC 9072 2',
    what: 'the extended form with a parameter of type 1',
    open: { rest: 'ff ff 0005 01 0002 abcd' },
    answer: '2/4',
  },
];

/** Odd, and nothing wrong with them. */
const ACCEPTED: readonly OpenRow[] = [
  { rfc: 'RFC 4271 4.2', what: 'hold time 0', open: { holdTime: 0 } },
  { rfc: 'RFC 4271 4.2', what: 'hold time 65535', open: { holdTime: 65535 } },
  { rfc: 'RFC 5492 3', what: 'no capability at all', open: { capabilities: '' } },
  {
    rfc: 'RFC 5492 3',
    what: 'unknown capabilities',
    open: { capabilities: `${usualCapabilities(65001)} 6303abcdef ff00` },
  },
  {
    rfc: 'RFC 5492 4',
    what: 'every capability in a parameter of its own',
    open: {
      capabilities: IPV4_UNICAST,
      rest: rest(
        `${parameter('02', IPV4_UNICAST)} ${parameter('02', '0200')} ${parameter('02', asn4(65001))}`,
      ),
    },
  },
  {
    rfc: 'RFC 5492 4',
    what: 'every capability twice',
    open: { capabilities: usualCapabilities(65001).repeat(2) },
  },
  {
    rfc: 'RFC 5492 4',
    what: 'an empty parameter of capabilities',
    open: { capabilities: IPV4_UNICAST, rest: rest(`0200 ${parameter('02', IPV4_UNICAST)}`) },
  },
  {
    rfc: 'RFC 5492 5',
    what: 'capability 1 of two octets: ignored',
    open: { capabilities: `${IPV4_UNICAST} 0102 0001 ${asn4(65001)}` },
  },
  {
    rfc: 'RFC 6793 4.2.2',
    what: 'AS_TRANS in the field, the AS in capability 65',
    open: { asn: 23456, capabilities: `${IPV4_UNICAST} ${asn4(65001)}` },
  },
  { rfc: 'RFC 6286 2.1', what: 'our own identifier over eBGP', open: { id: '172.31.0.1' } },
  { rfc: 'RFC 6286 2.1', what: 'an identifier that is no host address', open: { id: '255.0.0.1' } },
  {
    rfc: 'RFC 9072 2',
    what: 'the extended form',
    open: { capabilities: IPV4_UNICAST, rest: 'ff ff 0009 02 0006 0104 0001 0001' },
  },
  {
    rfc: 'RFC 9072 2',
    what: 'the extended form behind a length octet that is not 255',
    open: { capabilities: IPV4_UNICAST, rest: '01 ff 0009 02 0006 0104 0001 0001' },
  },
  {
    rfc: 'RFC 9072 2',
    what: 'the extended form with several parameters, one of them of 1028 octets',
    open: {
      capabilities: IPV4_UNICAST,
      rest: `ff ff 0410 02 0006 ${IPV4_UNICAST} 02 0404 ${`63 ff ${'ab'.repeat(255)}`.repeat(4)}`,
    },
  },
  {
    rfc: 'RFC 9072 2',
    what: 'the extended form without a parameter',
    open: { capabilities: '', rest: 'ff ff 0000' },
  },
];

export const OPEN_ROWS: readonly OpenRow[] = [...REFUSED, ...ACCEPTED];

/** RFC 4271 section 8.2.2, RFC 6608: messages in states that have no use for them; the data is the type octet. */
export const UNEXPECTED: readonly {
  readonly state: 'OpenSent' | 'OpenConfirm' | 'Established';
  readonly what: string;
  readonly bytes: Uint8Array;
  readonly answer: string;
}[] = [
  { state: 'OpenSent', what: 'KEEPALIVE', bytes: KEEPALIVE, answer: '5/1 04' },
  { state: 'OpenSent', what: 'UPDATE', bytes: frame(2, '0000 0000'), answer: '5/1 02' },
  { state: 'OpenSent', what: 'ROUTE-REFRESH', bytes: frame(5, '0001 00 01'), answer: '5/1 05' },
  { state: 'OpenConfirm', what: 'OPEN', bytes: open({}), answer: '5/2 01' },
  { state: 'OpenConfirm', what: 'UPDATE', bytes: frame(2, '0000 0000'), answer: '5/2 02' },
  { state: 'OpenConfirm', what: 'ROUTE-REFRESH', bytes: frame(5, '0001 00 01'), answer: '5/2 05' },
  { state: 'Established', what: 'OPEN', bytes: open({}), answer: '5/3 01' },
];
