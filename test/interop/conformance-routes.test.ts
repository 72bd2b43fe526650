/**
 * What a stranger sees of the agent's routes: IPv6 on the same session, what it passes on and as what, what it prefers.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConformanceLab, NODE_B, nextHop } from '../support/conformance-lab.js';
import { type RawPeer, REFRESH_IPV4, TYPE, usualCapabilities } from '../support/raw-peer.js';
import { until } from '../support/until.js';
import { hex, toHex, updateFrame } from '../support/wire.js';
import { announce, nlri24, received } from './conformance/route.js';
import { attribute, TWO_OCTET } from './conformance/update-rows.js';

let lab: ConformanceLab;
beforeAll(async () => {
  lab = await ConformanceLab.start();
});
afterAll(async () => {
  await lab?.stop();
});

describe.concurrent('RFC 4760, RFC 2545: IPv6 on the same session', () => {
  const prefixOf = (number: number) => ({
    text: `fd00:244::${number.toString(16)}00/122`,
    octets: `7a fd0002440000000000000000${'0000'}${number.toString(16).padStart(2, '0')}00`,
  });
  const reach = (next: string, octets: string) => attribute('80', 14, `0002 01 ${next} 00 ${octets}`);
  const GLOBAL = 'fd000002000000000000000000000002';

  test.each([
    ['16 octets', 1, `10 ${GLOBAL}`],
    ['32 octets', 2, `20 ${GLOBAL} fe800000000000000000000000000002`],
  ])('a next hop of %s; withdrawn again', async (_what, number, next) => {
    const peer = await lab.session(lab.place());
    const { text, octets } = prefixOf(number);
    const head = '40 01 01 00 40 02 06 02 01 0000fde9';
    peer.send(updateFrame({ attributes: `${reach(next, octets)} ${head}` }));
    expect(await peer.settled()).toBe('up');
    expect(await lab.uses(text, { address: 'fd00:2::2' })).toBe(true);
    peer.send(updateFrame({ attributes: attribute('80', 15, `0002 01 ${octets}`) }));
    expect(await peer.settled()).toBe('up');
    expect(await lab.uses(text, { address: 'fd00:2::2' })).toBe(false);
  });

  test('RFC 7606 2: treat-as-withdraw takes the prefixes of MP_REACH_NLRI too', async () => {
    const peer = await lab.session(lab.place());
    const { text, octets } = prefixOf(3);
    const path = '40 02 06 02 01 0000fde9';
    peer.send(updateFrame({ attributes: `${reach(`10 ${GLOBAL}`, octets)} 40 01 01 00 ${path}` }));
    expect(await peer.settled()).toBe('up');
    expect(await lab.uses(text, { address: 'fd00:2::2' })).toBe(true);
    peer.send(updateFrame({ attributes: `${reach(`10 ${GLOBAL}`, octets)} 40 01 01 07 ${path}` }));
    expect(await peer.settled()).toBe('up');
    expect(await lab.uses(text, { address: 'fd00:2::2' })).toBe(false);
  });
});

describe('what is passed on', () => {
  let node: RawPeer;
  beforeAll(async () => {
    node = await lab.connect(NODE_B);
    await node.establish({ asn: NODE_B.asn, capabilities: usualCapabilities(NODE_B.asn) });
  });

  /** A route of the node; `more` are further attributes. */
  const fromNode = (network: string, path: string, ...more: readonly string[]) =>
    updateFrame({
      attributes: ['40 01 01 01', path, nextHop(NODE_B.address), '40 05 04 00000096', ...more].join(' '),
      nlri: nlri24(network),
    });

  test('RFC 4271 5: each attribute as an external peer must see it', async () => {
    const observer = await lab.session(lab.place());
    node.send(
      fromNode(
        '10.245.200',
        '40 02 00',
        '80 04 04 00000005',
        '40 06 00',
        'c0 07 08 0000fc00 c0000201',
        'c0 08 04 fc000007',
        '80 09 04 01020304',
        '80 0a 04 01020304',
        'c0 20 0c 0000fc00 00000001 00000002',
        'c0 63 02 abcd',
        'e0 64 01 ab',
        '80 65 01 ab',
      ),
    );
    expect(await received(observer, '10.245.200')).toEqual({
      1: '40 01', // 5.1.1
      2: '40 02010000fc00', // 5.1.2: our AS is prepended
      3: '40 ac1f0309', // 5.1.3: the node shares the subnet
      6: '40 ',
      7: 'c0 0000fc00c0000201',
      8: 'c0 fc000007', // RFC 1997
      32: 'c0 0000fc000000000100000002', // RFC 8092
      99: 'e0 abcd', // unknown transitive: Partial is set
      100: 'e0 ab', // and stays set
      // 4 MED (5.1.4), 5 LOCAL_PREF (5.1.5), 9 and 10 (RFC 4456), 101 unknown non-transitive: not passed on
    });
    node.send(updateFrame({ withdrawn: nlri24('10.245.200') }));
    expect(toHex((await observer.expect(TYPE.UPDATE)).body)).toBe('0004180af5c80000');
  });

  test('RFC 6793 4.2.2: a 2-octet peer gets AS_TRANS and AS4_PATH', async () => {
    const observer = await lab.session(lab.place(), TWO_OCTET);
    node.send(fromNode('10.245.201', '40 02 06 02 01 fa56ea00'));
    expect(await received(observer, '10.245.201')).toMatchObject({
      2: '40 0202fc005ba0',
      17: 'c0 02020000fc00fa56ea00',
    });
  });

  test('RFC 1997: NO_EXPORT and NO_ADVERTISE stay inside; RFC 8212: nothing between two outside peers', async () => {
    const other = lab.place();
    const neighbour = await lab.session(other);
    neighbour.send(announce(other));
    expect(await neighbour.settled()).toBe('up');
    const observer = await lab.session(lab.place());
    node.send(
      fromNode('10.245.202', '40 02 00', 'c0 08 04 ffffff01'),
      fromNode('10.245.203', '40 02 00', 'c0 08 04 ffffff02'),
      fromNode('10.245.204', '40 02 00'),
    );
    await until('the node has announced', async () => await lab.uses('10.245.204.0/24', NODE_B));
    observer.send(REFRESH_IPV4);
    const seen = await tableOf(observer);
    expect(seen).toContain(nlri('10.245.204'));
    for (const network of ['10.245.202', '10.245.203', other.prefix])
      expect(seen).not.toContain(nlri(network));
  });

  test('RFC 4271 9.2, split horizon: an internal peer gets no routes of an internal peer', async () => {
    const internal = await lab.session(lab.place('ibgp'));
    node.send(fromNode('10.245.205', '40 02 00'));
    await until('the node has announced', async () => await lab.uses('10.245.205.0/24', NODE_B));
    internal.send(REFRESH_IPV4);
    expect(await tableOf(internal)).not.toContain(nlri('10.245.205'));
  });

  test('attributes that leave no room for AS4_PATH: that route is not passed on, others are', async () => {
    const observer = await lab.session(lab.place(), TWO_OCTET);
    // With AS 4200000000 in its path the route needs six octets more than the 4096 it came in.
    const path = '40 02 06 02 01 fa56ea00';
    node.send(fromNode('10.245.206', path, attribute('c0', 99, 'ab'.repeat(4038))));
    node.send(fromNode('10.245.207', path));
    await until('the node has announced', async () => await lab.uses('10.245.207.0/24', NODE_B));
    expect(await lab.uses('10.245.206.0/24', NODE_B)).toBe(true);
    observer.send(REFRESH_IPV4);
    const seen = await tableOf(observer);
    expect(seen).toContain(nlri('10.245.207'));
    expect(seen).not.toContain(nlri('10.245.206'));
  });

  const nlri = (network: string) => toHex(hex(nlri24(network)));

  /** Everything that comes until the table was sent, which our own block is part of, and a moment more. */
  async function tableOf(peer: RawPeer): Promise<string> {
    let all = '';
    for (;;) {
      // What is sent together arrives together; half a second without a message is the end.
      const message = await peer.next(500).catch(() => undefined);
      if (message === undefined) return all;
      all += toHex(message.body);
    }
  }
});

describe.concurrent('RFC 4271 9.1.2.2: which of two routes is used, in either order of arrival', () => {
  const path = (...asns: readonly number[]) =>
    `40 02 ${(2 + 4 * asns.length).toString(16).padStart(2, '0')} 02 ${asns.length.toString(16).padStart(2, '0')} ${asns
      .map((asn) => asn.toString(16).padStart(8, '0'))
      .join('')}`;
  const SET_OF_THREE = '40 02 14 02 01 0000fde9 01 03 000000010000000200000003';
  const localPref = (value: number) => `40 05 04 ${value.toString(16).padStart(8, '0')}`;
  const med = (value: number) => `80 04 04 ${value.toString(16).padStart(8, '0')}`;

  interface Candidate {
    readonly kind: 'ebgp' | 'ibgp';
    readonly id?: string;
    readonly attributes?: Partial<Record<number, string>>;
  }

  /** The first of each pair wins. */
  test.each<readonly [string, Candidate, Candidate]>([
    [
      '9.1.1: higher LOCAL_PREF',
      { kind: 'ibgp', attributes: { 5: localPref(200), 2: path(1, 2, 3) } },
      { kind: 'ibgp' },
    ],
    [
      'a: shorter AS_PATH',
      { kind: 'ebgp', attributes: { 1: '40 01 01 02' } },
      { kind: 'ebgp', attributes: { 2: path(65001, 2) } },
    ],
    [
      'a: a set counts as one',
      { kind: 'ebgp', attributes: { 2: SET_OF_THREE } },
      { kind: 'ebgp', attributes: { 2: path(65001, 1, 2) } },
    ],
    [
      'b: lower ORIGIN',
      { kind: 'ebgp', attributes: { 4: med(9) } },
      { kind: 'ebgp', attributes: { 1: '40 01 01 01' } },
    ],
    [
      'c: lower MED of the same neighbour AS',
      { kind: 'ebgp', id: '9.9.9.9', attributes: { 4: med(1) } },
      { kind: 'ebgp', id: '1.1.1.1', attributes: { 4: med(2) } },
    ],
    [
      'c: no MED is the lowest',
      { kind: 'ebgp', id: '9.9.9.9' },
      { kind: 'ebgp', id: '1.1.1.1', attributes: { 4: med(1) } },
    ],
    [
      'c: MEDs of two neighbour ASes are not compared',
      { kind: 'ibgp', id: '1.1.1.1', attributes: { 2: path(65001), 4: med(9) } },
      { kind: 'ibgp', id: '9.9.9.9', attributes: { 2: path(65002), 4: med(1) } },
    ],
    [
      'd: external before internal',
      { kind: 'ebgp', id: '9.9.9.9' },
      { kind: 'ibgp', id: '1.1.1.1', attributes: { 2: path(65001) } },
    ],
    ['f: lower identifier', { kind: 'ebgp', id: '1.1.1.1' }, { kind: 'ebgp', id: '9.9.9.9' }],
    [
      'f, RFC 4456 9: ORIGINATOR_ID is the identifier',
      { kind: 'ibgp', id: '9.9.9.9', attributes: { 9: '80 09 04 01010101' } },
      { kind: 'ibgp', id: '8.8.8.8', attributes: { 9: '80 09 04 02020202' } },
    ],
    [
      'RFC 4456 9: shorter CLUSTER_LIST',
      { kind: 'ibgp', id: '9.9.9.9', attributes: { 9: '80 09 04 01010101', 10: '80 0a 04 05050505' } },
      {
        kind: 'ibgp',
        id: '8.8.8.8',
        attributes: { 9: '80 09 04 01010101', 10: '80 0a 08 0505050506060606' },
      },
    ],
    ['g: lower peer address', { kind: 'ebgp', id: '5.5.5.5' }, { kind: 'ebgp', id: '5.5.5.5' }],
  ])('%s', async (_rule, better, worse) => {
    // Places are handed out in ascending order, so the better one has the lower address.
    const winner = lab.place(better.kind);
    const loser = lab.place(worse.kind);
    const opening = ({ id }: Candidate) => (id === undefined ? {} : { id });
    const [first, second] = [
      await lab.session(winner, opening(better)),
      await lab.session(loser, opening(worse)),
    ];
    const network = winner.prefix;
    const best = announce(winner, network, better.attributes);
    first.send(best);
    expect(await first.settled()).toBe('up');
    second.send(announce(loser, network, worse.attributes));
    expect(await second.settled()).toBe('up');
    expect(await lab.uses(`${network}.0/24`, winner)).toBe(true);
    first.send(updateFrame({ withdrawn: nlri24(network) }));
    expect(await first.settled()).toBe('up');
    expect(await lab.uses(`${network}.0/24`, loser)).toBe(true);
    first.send(best);
    expect(await first.settled()).toBe('up');
    expect(await lab.uses(`${network}.0/24`, winner)).toBe(true);
  });
});
