/**
 * What the capabilities of an OPEN change in the octets of a session: roles, refresh marks, long messages, IPv4 over IPv6,
 * 2-octet AS numbers. Each with a peer that has the capability, and with one that has not.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AGENT, ConformanceLab, type PeerKind, type Place } from '../support/conformance-lab.js';
import {
  asn4,
  IPV4_UNICAST,
  KEEPALIVE,
  type OpenFields,
  open,
  quad,
  type RawPeer,
  REFRESH_IPV4,
  TYPE,
  usualCapabilities,
} from '../support/raw-peer.js';
import { frame, hex, toHex, updateFrame } from '../support/wire.js';
import { announce, nlri24, received } from './conformance/route.js';
import { attribute, TWO_OCTET } from './conformance/update-rows.js';

let lab: ConformanceLab;
beforeAll(async () => {
  lab = await ConformanceLab.start();
});
afterAll(async () => {
  await lab?.stop();
});

const having = (capability: string): OpenFields => ({
  capabilities: `${usualCapabilities(65001)} ${capability}`,
});
const uses = (place: Place, network = place.prefix) => lab.uses(`${network}.0/24`, place);

/** A peer whose session is up. */
async function up(kind: PeerKind, fields: OpenFields = {}): Promise<{ place: Place; peer: RawPeer }> {
  const place = lab.place(kind);
  return { place, peer: await lab.session(place, fields) };
}

/** Announces and waits until the agent has it. @returns whether it is used */
async function announced({ place, peer }: { place: Place; peer: RawPeer }, more = {}): Promise<boolean> {
  peer.send(announce(place, place.prefix, more));
  expect(await peer.settled()).toBe('up');
  return await uses(place);
}

describe.concurrent('RFC 9234 4.2: roles in the OPEN, where the agent is the provider', () => {
  const role = (value: number) => `0901 ${value.toString(16).padStart(2, '0')}`;

  test.each([
    ['provider', role(0)],
    ['route server', role(1)],
    ['client of a route server', role(2)],
    ['peer', role(4)],
    ['a role that nobody has assigned', role(9)],
    ['two roles, one of which fits', `${role(3)} ${role(4)}`],
  ])('%s is 2/11', async (_what, capability) => {
    const place = lab.place('customer');
    const peer = await lab.connect(place);
    expect(toHex((await peer.expect(TYPE.OPEN)).body)).toContain('090100');
    peer.send(open({ id: place.address, ...having(capability) }));
    expect(await peer.ending()).toBe('2/11');
  });

  test.each([
    ['customer', role(3)],
    ['customer, twice', role(3).repeat(2)],
    ['no role', ''],
    ['a role of two octets, which is none', '0902 0000'],
  ])('%s is accepted', async (_what, capability) => {
    expect(await (await up('customer', having(capability))).peer.settled()).toBe('up');
  });

  test('two roles that differ are 2/11 where none is configured, too', async () => {
    const place = lab.place();
    const peer = await lab.connect(place);
    peer.send(open({ id: place.address, ...having(`${role(3)} ${role(4)}`) }));
    await peer.expect(TYPE.OPEN);
    expect(await peer.ending()).toBe('2/11');
  });
});

describe.concurrent('RFC 9234 5: the attribute ONLY_TO_CUSTOMER', () => {
  const OTC = 35;
  const otc = (asn: number) => ({ [OTC]: attribute('c0', OTC, asn.toString(16).padStart(8, '0')) });
  const ours = `c0 ${AGENT.asn.toString(16).padStart(8, '0')}`;
  const peers = `c0 ${(65001).toString(16).padStart(8, '0')}`;

  test.each<readonly [PeerKind, string, object, boolean]>([
    ['customer', 'any', otc(7), false],
    ['customer', 'its own AS', otc(65001), false],
    ['lateral', 'its own AS', otc(65001), true],
    ['lateral', 'another AS', otc(7), false],
    ['provider', 'another AS', otc(7), true],
    ['transit', 'another AS', otc(7), true],
  ])('from a %s with %s', async (kind, _asn, attributes, used) => {
    expect(await announced(await up(kind), attributes)).toBe(used);
  });

  test('a route without it: from a customer it goes everywhere, and is marked where it goes down or aside', async () => {
    const source = await up('customer');
    const [above, beside, below] = await Promise.all([up('provider'), up('lateral'), up('customer')]);
    await announced(source);
    const at = async ({ peer }: { peer: RawPeer }) => (await received(peer, source.place.prefix))[OTC];
    expect([await at(above), await at(beside), await at(below)]).toEqual([undefined, ours, ours]);
  });

  test.each<readonly [PeerKind, string, object, string]>([
    ['provider', 'without it: marked with the AS of the provider', {}, peers],
    ['lateral', 'without it: marked with the AS of the peer', {}, peers],
    ['provider', 'with it: left as it is', otc(7), 'c0 00000007'],
  ])(
    'from a %s %s; it goes to customers and to those without a role, and no further',
    async (kind, _what, attributes, mark) => {
      const source = await up(kind);
      const last = await up('customer');
      const allowed = await Promise.all([up('customer'), up('transit')]);
      const forbidden = await Promise.all([up('provider'), up('lateral')]);
      await announced(source, attributes);
      for (const { peer } of allowed) {
        expect((await received(peer, source.place.prefix))[OTC]).toBe(mark);
      }
      // What comes after it arrives, so it was not sent.
      await announced(last);
      for (const { peer } of forbidden) {
        const before = await untilAnnounced(peer, last.place.prefix);
        expect(before).not.toContain(toHex(hex(nlri24(source.place.prefix))));
      }
    },
  );
});

test('RFC 5492 5: no family in common is a session without routes: 2/7 is never sent', async () => {
  const place = lab.place();
  const peer = await lab.connect(place);
  await peer.expect(TYPE.OPEN);
  const l2vpn = '0104 0019 0046';
  peer.send(open({ id: place.address, capabilities: `${l2vpn} ${asn4(65001)}` }), KEEPALIVE);
  await peer.expect(TYPE.KEEPALIVE);
  await expect(peer.next(300)).rejects.toThrow('nothing came');
  expect((await lab.agent.peer(`peer/${place.name}`)).state).toBe('Established');
});

/** All that comes up to the announcement of `network`, as hex. */
async function untilAnnounced(peer: RawPeer, network: string): Promise<string> {
  let all = '';
  for (;;) {
    const body = toHex((await peer.expect(TYPE.UPDATE)).body);
    if (body.endsWith(toHex(hex(nlri24(network))))) return all;
    all += `${body} `;
  }
}

describe.concurrent('RFC 7313: refreshes with a beginning and an end', () => {
  const ENHANCED = having('4600');
  const mark = (subtype: string, family = '0001') => frame(TYPE.ROUTE_REFRESH, `${family} ${subtype} 01`);
  const [BEGIN, END] = ['01', '02'];

  test('4: asked for a table, the agent says BoRR, the table, EoRR', async () => {
    const { peer } = await up('ebgp', ENHANCED);
    peer.send(REFRESH_IPV4);
    expect(toHex((await peer.expect(TYPE.ROUTE_REFRESH)).body)).toBe('00010101');
    expect(toHex((await peer.expect(TYPE.UPDATE)).body)).toContain(quad(AGENT.block).slice(0, 6));
    expect(toHex((await peer.expect(TYPE.ROUTE_REFRESH)).body)).toBe('00010201');
  });

  test('4: without the capability there is no mark', async () => {
    const { peer } = await up('ebgp');
    peer.send(REFRESH_IPV4);
    await peer.expect(TYPE.UPDATE);
    await expect(peer.next(300)).rejects.toThrow('nothing came');
  });

  test('4: what the peer does not tell again between its marks is gone, the rest stays', async () => {
    const { place, peer } = await up('ebgp', ENHANCED);
    const other = lab.place();
    peer.send(announce(place), announce(place, other.prefix), mark(BEGIN), announce(place));
    expect(await peer.settled()).toBe('up');
    expect([await uses(place), await uses(place, other.prefix)]).toEqual([true, true]);
    peer.send(mark(END));
    expect(await peer.settled()).toBe('up');
    expect([await uses(place), await uses(place, other.prefix)]).toEqual([true, false]);
  });

  test.each([
    ['an EoRR without a BoRR', mark(END)],
    ['marks of another family', Buffer.concat([mark(BEGIN, '0002'), mark(END, '0002')])],
    ['marks of a family that nobody negotiated', Buffer.concat([mark(BEGIN, '0019'), mark(END, '0019')])],
    ['a subtype that nobody knows', mark('09')],
  ])('5: %s removes nothing', async (_what, octets) => {
    const { place, peer } = await up('ebgp', ENHANCED);
    peer.send(announce(place), octets);
    expect(await peer.settled()).toBe('up');
    expect(await uses(place)).toBe(true);
  });

  test.each(['0001 01', '0001 01 01 00', '0001 02 01 abcd', ''])(
    '5: a body of "%s" is 7/1 with the whole message',
    async (body) => {
      const { peer } = await up('ebgp', ENHANCED);
      const message = frame(TYPE.ROUTE_REFRESH, body);
      peer.send(message);
      expect(await peer.ending()).toBe(`7/1 ${toHex(message)}`);
    },
  );
});

describe.concurrent('RFC 8654: messages of more than 4096 octets', () => {
  const EXTENDED = having('0600');
  /** Makes an UPDATE of about 5000 octets. */
  const LONG = { 99: attribute('e0', 99, 'ab'.repeat(4900)) };

  test('4: from a peer that has announced them they are read; from one that has not they are 1/2', async () => {
    expect(await announced(await up('ebgp', EXTENDED), LONG)).toBe(true);
    const { place, peer } = await up('ebgp');
    const message = announce(place, place.prefix, LONG);
    expect(message.length).toBeGreaterThan(4900);
    peer.send(message);
    expect(await peer.ending()).toBe(`1/2 ${message.length.toString(16).padStart(4, '0')}`);
  });

  test('4: they are sent to a peer that has announced them; another gets the routes that fit, and no others', async () => {
    const source = await up('transit', EXTENDED);
    const next = await up('transit');
    const [reads, doesNot] = await Promise.all([up('transit', EXTENDED), up('transit')]);
    expect(await announced(source, LONG)).toBe(true);
    expect((await received(reads.peer, source.place.prefix))[99]).toBe(`e0 ${'ab'.repeat(4900)}`);
    await announced(next);
    const before = await untilAnnounced(doesNot.peer, next.place.prefix);
    expect(before).not.toContain(toHex(hex(nlri24(source.place.prefix))));
  });

  test('4: the longest one there is', async () => {
    const { place, peer } = await up('ebgp', EXTENDED);
    const room = 65_535 - announce(place, place.prefix, { 99: attribute('e0', 99, 'ab'.repeat(300)) }).length;
    const message = announce(place, place.prefix, { 99: attribute('e0', 99, 'ab'.repeat(300 + room)) });
    expect(message).toHaveLength(65_535);
    peer.send(message);
    expect(await peer.settled()).toBe('up');
    expect(await uses(place)).toBe(true);
  });

  test('4: an OPEN stays within 4096 octets, a KEEPALIVE is 19', async () => {
    const place = lab.place();
    const opening = await lab.connect(place);
    await opening.expect(TYPE.OPEN);
    // RFC 9072: the capability, and one parameter of unknown capabilities that makes it too long.
    const padding = '63 ff'.concat('00'.repeat(255)).repeat(16);
    const parameters = `02 ${(2 + hex(padding).length).toString(16).padStart(4, '0')} 0600 ${padding}`;
    const rest = `ff ff ${hex(parameters).length.toString(16).padStart(4, '0')} ${parameters}`;
    const message = open({ id: place.address, rest });
    expect(message.length).toBeGreaterThan(4096);
    opening.send(message);
    expect(await opening.ending()).toBe(`1/2 ${message.length.toString(16).padStart(4, '0')}`);
    const { peer } = await up('ebgp', EXTENDED);
    peer.send(frame(TYPE.KEEPALIVE, new Uint8Array(5000)));
    expect(await peer.ending()).toBe('1/2 139b');
  });
});

describe.concurrent('RFC 8950: IPv4 over an IPv6 next hop', () => {
  const OVER_IPV6 = '0506 0001 0001 0002';
  /** A place on IPv6, with an identifier of its own. */
  const session = async (capabilities: string) => {
    const place = lab.place('ipv6');
    const fields = { id: '192.0.2.6', capabilities };
    return { place, peer: await lab.session(place, fields) };
  };
  const octets6 = (address: string) =>
    address.replace('fd00:31::', `fd000031${'0'.repeat(20)}`).replace(/(\d\d)$/, '00$1');
  const reach = (place: Place, hop: string) =>
    updateFrame({
      attributes: `${attribute('80', 14, `0001 01 ${hop} 00 ${nlri24(place.prefix)}`)} 40 01 01 00 40 02 06 02 01 0000fde9`,
    });

  test('4: with capability 5 routes go both ways', async () => {
    const place = lab.place('ipv6');
    const peer = await lab.connect(place);
    expect(toHex((await peer.expect(TYPE.OPEN)).body)).toContain(toHex(hex(OVER_IPV6)));
    peer.send(open({ id: '192.0.2.6', ...having(OVER_IPV6) }), KEEPALIVE);
    const { body } = await peer.expect(TYPE.UPDATE);
    const own = `0001 01 10 ${octets6('fd00:31::01')} 00 ${nlri24('10.244.0')}`;
    expect(toHex(body)).toContain(toHex(hex(own)));
    peer.send(reach(place, `10 ${octets6(place.address)}`));
    expect(await peer.settled()).toBe('up');
    expect(await uses(place)).toBe(true);
    peer.send(updateFrame({ attributes: attribute('80', 15, `0001 01 ${nlri24(place.prefix)}`) }));
    expect(await peer.settled()).toBe('up');
    expect(await uses(place)).toBe(false);
  });

  test('3: a next hop of 32 octets, the second link-local', async () => {
    const { place, peer } = await session(`${usualCapabilities(65001)} ${OVER_IPV6}`);
    peer.send(reach(place, `20 ${octets6(place.address)} fe800000000000000000000000000006`));
    expect(await peer.settled()).toBe('up');
    expect(await uses(place)).toBe(true);
  });

  test('4: without it such a route is not used, and no IPv4 route is announced', async () => {
    const { place, peer } = await session(usualCapabilities(65001));
    peer.send(reach(place, `10 ${octets6(place.address)}`), frame(TYPE.ROUTE_REFRESH, '0001 00 01'));
    await expect(peer.next(500)).rejects.toThrow('nothing came');
    expect(await uses(place)).toBe(false);
    expect((await lab.agent.peer(`peer/${place.name}`)).state).toBe('Established');
  });
});

describe.concurrent('RFC 6793: a peer with 2-octet AS numbers', () => {
  const AS4_PATH = 17;
  const AS4_AGGREGATOR = 18;
  const seen = async (attributes: Partial<Record<number, string>>, kind: PeerKind = 'transit') => {
    const [source, observer] = await Promise.all([up(kind, TWO_OCTET), up('transit')]);
    source.peer.send(announce(source.place, source.place.prefix, attributes));
    return await received(observer.peer, source.place.prefix);
  };

  test('4.2.3: AS4_PATH takes the place of the end of AS_PATH', async () => {
    const attributes = await seen({
      2: attribute('40', 2, '02 03 fde9 5ba0 5ba0'),
      17: attribute('c0', AS4_PATH, '02 02 fa56ea01 fa56ea02'),
    });
    expect(attributes[2]).toBe('40 02040000fc000000fde9fa56ea01fa56ea02');
    expect(attributes).not.toHaveProperty(`${AS4_PATH}`);
  });

  test('4.2.3: an AS4_PATH longer than the AS_PATH is ignored', async () => {
    const attributes = await seen({
      2: attribute('40', 2, '02 02 fde9 5ba0'),
      17: attribute('c0', AS4_PATH, '02 03 00000001 fa56ea01 fa56ea02'),
    });
    expect(attributes[2]).toBe('40 02030000fc000000fde900005ba0');
  });

  test('4.2.3: an AGGREGATOR with AS_TRANS is that of AS4_AGGREGATOR; one with another AS voids both', async () => {
    const path = attribute('40', 2, '02 02 fde9 5ba0');
    const path4 = attribute('c0', AS4_PATH, '02 01 fa56ea01');
    const aggregator4 = attribute('c0', AS4_AGGREGATOR, 'fa56ea01 c0000201');
    const trans = await seen({ 2: path, 7: attribute('c0', 7, '5ba0 c0000202'), 17: path4, 18: aggregator4 });
    expect(trans).toMatchObject({ 2: '40 02030000fc000000fde9fa56ea01', 7: 'c0 fa56ea01c0000201' });
    const other = await seen({ 2: path, 7: attribute('c0', 7, 'fde9 c0000202'), 17: path4, 18: aggregator4 });
    expect(other).toMatchObject({ 2: '40 02030000fc000000fde900005ba0', 7: 'c0 0000fde9c0000202' });
  });

  test('4.1, 4.2.2: our own AS of four octets: AS_TRANS in the OPEN and in AS_PATH, the AS itself in capability 65 and AS4_PATH', async () => {
    const place = lab.place('wide');
    const peer = await lab.connect(place);
    const body = toHex((await peer.expect(TYPE.OPEN)).body);
    expect(body.slice(0, 6)).toBe('045ba0');
    expect(body).toContain(toHex(hex(asn4(AGENT.wideAsn))));
    peer.send(open({ id: place.address, capabilities: IPV4_UNICAST }), KEEPALIVE);
    expect(await received(peer, '10.244.0')).toMatchObject({
      1: '40 00',
      2: '40 02015ba0',
      3: `40 ${quad(AGENT.host)}`,
      17: 'c0 0201fa56ea00',
    });
  });

  test('4.2.2: an AGGREGATOR of four octets is AS_TRANS with AS4_AGGREGATOR', async () => {
    const [source, observer] = await Promise.all([up('transit'), up('transit', TWO_OCTET)]);
    await announced(source, { 7: attribute('c0', 7, 'fa56ea01 c0000201') });
    expect(await received(observer.peer, source.place.prefix)).toMatchObject({
      7: 'c0 5ba0c0000201',
      18: 'c0 fa56ea01c0000201',
    });
  });
});
