/**
 * How a session ends for a reason that is no error of the protocol, octet by octet: limits, administrators, changes of the
 * configuration, and the hard reset around them.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConformanceLab, type Place } from '../support/conformance-lab.js';
import { open, type RawPeer, TYPE, usualCapabilities } from '../support/raw-peer.js';
import { until } from '../support/until.js';
import { frame, toHex, updateFrame } from '../support/wire.js';
import { announce } from './conformance/route.js';
import { attribute } from './conformance/update-rows.js';

let lab: ConformanceLab;
beforeAll(async () => {
  lab = await ConformanceLab.start();
});
afterAll(async () => {
  await lab?.stop();
});

/** Graceful restart with a restart time of 60 s; the N bit says that a NOTIFICATION is no end (RFC 8538 section 2). */
const RESTARTING = { capabilities: `${usualCapabilities(65001)} 4006 003c 0001 01 80` };
const WITH_N_BIT = { capabilities: `${usualCapabilities(65001)} 4006 403c 0001 01 80` };

const TEXT = 'Wartung für heute';
/** The text as the data of a Cease: its length in octets of UTF-8, then they (RFC 9003 section 2). */
const TEXT_DATA = `12${toHex(Buffer.from(TEXT, 'utf8'))}`;

const idOf = ({ name }: Place) => `peer/${name}`;
const stateOf = async ({ prefix }: Place) =>
  (await lab.agent.routes()).find((route) => route.prefix === `${prefix}.0/24`)?.state;

/** Up, with a route in use. */
async function routed(place: Place, fields = {}): Promise<RawPeer> {
  const peer = await lab.session(place, fields);
  peer.send(announce(place));
  expect(await peer.settled()).toBe('up');
  expect(await lab.uses(`${place.prefix}.0/24`, place)).toBe(true);
  return peer;
}

/** One route more than the two that the peer may announce. */
async function exceed(place: Place, fields = {}): Promise<RawPeer> {
  const peer = await routed(place, fields);
  const others = [lab.place('limited'), lab.place('limited')];
  peer.send(...others.map(({ prefix }) => announce(place, prefix)));
  return peer;
}

describe.concurrent('RFC 4486 4: 6/1, more prefixes than allowed', () => {
  test('the data is the family and the limit; the peer stays out, 6/5, until it is enabled', async () => {
    const place = lab.place('limited');
    expect(await (await exceed(place)).ending()).toBe('6/1 00010100000002');
    expect(await stateOf(place)).toBeUndefined();
    expect(await (await lab.connect(place)).ending()).toBe('6/5');
    await lab.agent.administer('enable', idOf(place), '');
    expect(await (await lab.session(place)).settled()).toBe('up');
  });

  test('the same for IPv6', async () => {
    const peer = await lab.session(lab.place('limited'));
    const prefixes = ['0a', '0b', '0c']
      .map((octet) => `7a fd0002440000000000000000 0000${octet}00`)
      .join(' ');
    const nextHop = '10 fd000002000000000000000000000002';
    const reach = attribute('80', 14, `0002 01 ${nextHop} 00 ${prefixes}`);
    peer.send(updateFrame({ attributes: `${reach} 40 01 01 00 40 02 06 02 01 0000fde9` }));
    expect(await peer.ending()).toBe('6/1 00020100000002');
  });
});

describe.concurrent('RFC 9003 2: what an administrator tells the peer', () => {
  test.each([
    ['shutdown', '6/2', 'a text', TEXT, TEXT_DATA],
    ['shutdown', '6/2', 'no text', '', ''],
    ['reset', '6/4', 'a text', TEXT, TEXT_DATA],
    ['reset', '6/4', 'no text', '', ''],
    [
      'shutdown',
      '6/2',
      'a text of 400 octets, cut between two letters',
      'ü'.repeat(200),
      `fe${'c3bc'.repeat(127)}`,
    ],
  ] as const)('%s is %s with %s', async (action, code, _what, text, data) => {
    const place = lab.place();
    const peer = await routed(place);
    await lab.agent.administer(action, idOf(place), text);
    expect(await peer.ending()).toBe(`${code} ${data}`.trim());
    await until('the route is gone', async () => (await stateOf(place)) === undefined);
  });

  test('RFC 4486 4: a peer that is shut down is refused with 6/5, one that was reset is back at once', async () => {
    const [down, reset] = [lab.place(), lab.place()];
    const peers = await Promise.all([lab.session(down), lab.session(reset)]);
    await lab.agent.administer('shutdown', idOf(down), TEXT);
    await lab.agent.administer('reset', idOf(reset), TEXT);
    await Promise.all(peers.map((peer) => peer.ending()));
    expect(await (await lab.connect(down)).ending()).toBe('6/5');
    expect(await (await lab.session(reset)).settled()).toBe('up');
    await lab.agent.administer('enable', idOf(down), '');
    expect(await (await lab.session(down)).settled()).toBe('up');
  });
});

describe.concurrent('RFC 8538 3: where both sides have set the N bit', () => {
  test('6/9 around 6/2 with its text: nothing is kept', async () => {
    const place = lab.place();
    const peer = await routed(place, WITH_N_BIT);
    await lab.agent.administer('shutdown', idOf(place), TEXT);
    expect(await peer.ending()).toBe(`6/9 0602${TEXT_DATA}`);
    expect(await stateOf(place)).toBeUndefined();
  });

  test('6/9 around 6/1 with its data', async () => {
    const place = lab.place('limited');
    expect(await (await exceed(place, WITH_N_BIT)).ending()).toBe('6/9 060100010100000002');
    expect(await stateOf(place)).toBeUndefined();
  });

  test('6/4 goes as it is, and the routes stay as stale', async () => {
    const place = lab.place();
    const peer = await routed(place, WITH_N_BIT);
    await lab.agent.administer('reset', idOf(place), TEXT);
    expect(await peer.ending()).toBe(`6/4 ${TEXT_DATA}`);
    await until('the route is stale', async () => (await stateOf(place)) === 'stale');
  });

  test.each([
    ['a hard reset, 6/9 around 6/2', '06 09 06 02', undefined],
    ['an empty hard reset', '06 09', undefined],
    ['6/4', '06 04', 'stale'],
    ['6/2, which its sender did not mean for good', '06 02', 'stale'],
    ['4/0', '04 00', 'stale'],
    ['3/1', '03 01', 'stale'],
  ])('%s from the peer', async (_what, body, state) => {
    const place = lab.place();
    const peer = await routed(place, WITH_N_BIT);
    peer.send(frame(TYPE.NOTIFICATION, body));
    expect(await peer.ending()).toBe('closed');
    await until('that is their state', async () => (await stateOf(place)) === state);
  });

  test('RFC 4724 4: without the bit at the peer 6/2 goes as it is, and a NOTIFICATION of either side ends all', async () => {
    const [ours, theirs] = [lab.place(), lab.place()];
    const [told, tells] = [await routed(ours, RESTARTING), await routed(theirs, RESTARTING)];
    await lab.agent.administer('shutdown', idOf(ours), TEXT);
    expect(await told.ending()).toBe(`6/2 ${TEXT_DATA}`);
    tells.send(frame(TYPE.NOTIFICATION, '06 04'));
    await until('both routes are gone', async () =>
      [await stateOf(ours), await stateOf(theirs)].every((state) => state === undefined),
    );
  });

  test('a faulty UPDATE is answered with its own code, not with a hard reset', async () => {
    const place = lab.place();
    const peer = await routed(place, WITH_N_BIT);
    peer.send(updateFrame({ nlri: '21 0af4010000' }));
    expect(await peer.ending()).toBe('3/10');
    expect(await stateOf(place)).toBe('stale');
  });
});

describe('RFC 4486 4: changes of the configuration', () => {
  test('6/3 for a peer that is gone, as 6/9 where both set the N bit; 6/6 for another AS, which is no hard reset', async () => {
    const [gone, goneForGood, changed, bystander] = [lab.place(), lab.place(), lab.place(), lab.place()];
    const peers = [
      await lab.session(gone),
      await routed(goneForGood, WITH_N_BIT),
      await routed(changed, WITH_N_BIT),
      await lab.session(bystander),
    ] as const;
    lab.agent.configure(lab.resources([gone, goneForGood], new Map([[changed.name, 65009]])));
    expect(await peers[0].ending()).toBe('6/3');
    expect(await peers[1].ending()).toBe('6/9 0603');
    expect(await peers[2].ending()).toBe('6/6');
    expect(await peers[3].settled()).toBe('up');
    // Another AS is another router: nothing of the old one stays.
    expect([await stateOf(goneForGood), await stateOf(changed)]).toEqual([undefined, undefined]);
    const stranger = await lab.connect(gone);
    stranger.send(open({ id: gone.address }));
    expect(await stranger.ending()).toBe('6/5');
    lab.agent.configure(lab.resources());
  });
});
