/**
 * What a stranger sees of the agent's sessions: timers, collisions, restarts, refreshes.
 *
 * Each test has peers and prefixes of its own, so those that wait for a timer wait together.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AGENT, ConformanceLab, KEY, nextHop, type Place } from '../support/conformance-lab.js';
import {
  KEEPALIVE,
  open,
  quad,
  RawPeer,
  REFRESH_IPV4,
  TYPE,
  usualCapabilities,
} from '../support/raw-peer.js';
import { until } from '../support/until.js';
import { frame, hex, toHex } from '../support/wire.js';
import { announce } from './conformance/route.js';

let lab: ConformanceLab;
beforeAll(async () => {
  lab = await ConformanceLab.start();
});
afterAll(async () => {
  await lab?.stop();
});

const notificationMessage = (body: string) => frame(TYPE.NOTIFICATION, body);
const shutdown = (text: string) => {
  const octets = hex(text);
  return notificationMessage(`06 02 ${octets.length.toString(16).padStart(2, '0')} ${text}`);
};

describe.concurrent('RFC 4271 6.4: a NOTIFICATION is never answered', () => {
  test.each(['OpenSent', 'OpenConfirm', 'Established'])('in %s', async (state) => {
    const place = lab.place();
    const peer = await lab.connect(place);
    if (state === 'Established') await peer.establish();
    else await peer.expect(TYPE.OPEN);
    if (state === 'OpenConfirm') {
      peer.send(open({ id: place.address }));
      await peer.expect(TYPE.KEEPALIVE);
    }
    peer.send(notificationMessage('06 04'));
    expect(await peer.ending()).toBe('closed');
  });

  test.each(['00 00', 'ff ff', '03 0b deadbeef', '06 0a', '06 09 06'])(
    '%s, whatever it says',
    async (body) => {
      const peer = await lab.session(lab.place());
      peer.send(notificationMessage(body));
      expect(await peer.ending()).toBe('closed');
    },
  );
});

describe.concurrent('RFC 9003: shutdown texts are shown', () => {
  test.each([
    ['of 255 octets', '61'.repeat(255), 'a'.repeat(255)],
    ['in UTF-8', '6772c3bcc39f65', 'grüße'],
    ['that is no UTF-8: escaped', '61ff62', 'a\\xff'],
    ['with a control character: escaped', '611b5b', 'a\\u{1b}['],
  ])('%s', async (_what, text, shown) => {
    const place = lab.place();
    const peer = await lab.session(place);
    peer.send(shutdown(text));
    expect(await peer.ending()).toBe('closed');
    await until(`the API shows ${shown}`, async () =>
      (await lab.agent.peer(`peer/${place.name}`)).lastError?.text.includes(shown),
    );
  });
});

describe.concurrent('RFC 4271 6.5, 4.4: hold timer', () => {
  /** With the hold time of 3 s that the peer asks for. */
  const short = async () => await lab.session(lab.place(), { holdTime: 3 });

  test('silence: KEEPALIVE every second, 4/0 after three', async () => {
    // Before anything is sent, so that no delay on our side makes the agent seem early.
    const started = Date.now();
    const peer = await short();
    expect((await peer.next())?.type).toBe(TYPE.KEEPALIVE);
    expect((await peer.next())?.type).toBe(TYPE.KEEPALIVE);
    expect(await peer.ending()).toBe('4/0');
    expect(Date.now() - started).toBeGreaterThanOrEqual(2990);
    expect(Date.now() - started).toBeLessThan(5000);
  });

  test('a header of which the end never comes: 4/0', async () => {
    const peer = await short();
    peer.send(KEEPALIVE.subarray(0, 18));
    expect(await peer.ending()).toBe('4/0');
  });

  test('only KEEPALIVE and UPDATE restart it: ROUTE-REFRESH does not', async () => {
    const peer = await short();
    const storm = setInterval(() => peer.send(REFRESH_IPV4), 400);
    expect(await peer.ending()).toBe('4/0');
    clearInterval(storm);
  });

  test.each([
    ['KEEPALIVE', KEEPALIVE],
    ['UPDATE', frame(TYPE.UPDATE, '00000000')],
  ])('%s restarts it', async (_what, message) => {
    const peer = await short();
    for (let second = 0; second < 5; second += 1) {
      expect((await peer.next())?.type).toBe(TYPE.KEEPALIVE);
      peer.send(message);
    }
    expect(await peer.settled()).toBe('up');
  });

  test('hold time 0: no KEEPALIVE is sent and none is needed', async () => {
    const peer = await lab.session(lab.place(), { holdTime: 0 });
    await expect(peer.next(4000)).rejects.toThrow('nothing came');
    expect(await peer.settled()).toBe('up');
  });
});

describe.concurrent('RFC 4271 8, 10: dialling', () => {
  test('an attempt that fails is made again after ConnectRetryTime, five seconds with their jitter', async () => {
    const place = lab.place();
    const first = await RawPeer.dialled(place.address);
    await first.expect(TYPE.OPEN);
    const lost = Date.now();
    first.reset();
    const second = await RawPeer.dialled(place.address);
    expect(Date.now() - lost).toBeGreaterThan(3700);
    expect(Date.now() - lost).toBeLessThan(7000);
    await second.establish();
    expect((await lab.agent.peer(`peer/${place.name}`)).direction).toBe('outgoing');
    second.end();
  });
});

describe.concurrent('RFC 4271 6.8: two connections at once', () => {
  test.each([
    ['higher', 'ours', 'first on ours'],
    ['higher', 'ours', 'first on the agent’s'],
    ['lower', 'the agent’s', 'first on ours'],
    ['lower', 'the agent’s', 'first on the agent’s'],
  ])('our identifier is the %s one: %s survives, OPEN %s', async (which, survivor, order) => {
    const place = lab.place();
    const theirs = await RawPeer.dialled(place.address);
    const ours = await lab.connect(place);
    await theirs.expect(TYPE.OPEN);
    await ours.expect(TYPE.OPEN);
    const opening = open({ id: which === 'higher' ? place.address : '1.1.1.1' });
    for (const peer of order === 'first on ours' ? [ours, theirs] : [theirs, ours]) peer.send(opening);
    const [winner, loser] = survivor === 'ours' ? [ours, theirs] : [theirs, ours];
    expect(await loser.ending()).toBe('6/7');
    await winner.expect(TYPE.KEEPALIVE);
    winner.send(KEEPALIVE);
    await winner.expect(TYPE.UPDATE);
    winner.end();
  });

  test('RFC 6286 2.3: both have the same identifier: that of the higher AS survives, which is ours', async () => {
    const place = lab.place();
    const theirs = await RawPeer.dialled(place.address);
    const ours = await lab.connect(place);
    for (const peer of [theirs, ours]) await peer.expect(TYPE.OPEN);
    for (const peer of [theirs, ours]) peer.send(open({ id: AGENT.host }));
    expect(await theirs.ending()).toBe('6/7');
    await ours.expect(TYPE.KEEPALIVE);
    ours.send(KEEPALIVE);
    await ours.expect(TYPE.UPDATE);
    ours.end();
  });

  test('an OPEN that is refused ends its own connection and no other', async () => {
    const place = lab.place();
    const theirs = await RawPeer.dialled(place.address);
    const ours = await lab.connect(place);
    for (const peer of [theirs, ours]) await peer.expect(TYPE.OPEN);
    ours.send(open({ id: place.address }));
    await ours.expect(TYPE.KEEPALIVE);
    theirs.send(open({ id: place.address, asn: 65009 }));
    expect(await theirs.ending()).toBe('2/2');
    ours.send(KEEPALIVE);
    await ours.expect(TYPE.UPDATE);
    ours.end();
  });

  test('an established session survives', async () => {
    const place = lab.place();
    const peer = await lab.session(place);
    expect(await (await lab.connect(place)).ending()).toBe('6/7');
    expect(await peer.settled()).toBe('up');
  });
});

describe.concurrent('RFC 4724: graceful restart, as the helper', () => {
  /** Restart time in seconds, the F bit for IPv4. */
  const restarting = (seconds: number) => ({
    capabilities: `${usualCapabilities(65001)} 4006 ${seconds.toString(16).padStart(4, '0')} 0001 01 80`,
  });
  const state = async (place: Place) =>
    (await lab.agent.routes()).find(({ prefix }) => prefix === `${place.prefix}.0/24`)?.state;
  const routed = async (capabilities: { readonly capabilities?: string }) => {
    const place = lab.place();
    const peer = await lab.session(place, capabilities);
    peer.send(announce(place));
    expect(await peer.settled()).toBe('up');
    expect(await lab.uses(`${place.prefix}.0/24`, place)).toBe(true);
    return { place, peer };
  };
  const gone = (place: Place) => until('the route is gone', async () => (await state(place)) === undefined);

  test('4.2: the routes stay, stale, for the restart time and no longer', async () => {
    const { place, peer } = await routed(restarting(2));
    peer.reset();
    await until('the route is stale', async () => (await state(place)) === 'stale');
    const since = Date.now();
    await gone(place);
    expect(Date.now() - since).toBeGreaterThan(1000);
    expect(Date.now() - since).toBeLessThan(4000);
  });

  test('4.2: what the End-of-RIB has not confirmed goes, what was confirmed stays', async () => {
    const { place, peer } = await routed(restarting(60));
    const other = lab.place();
    peer.send(announce(place, other.prefix));
    expect(await peer.settled()).toBe('up');
    peer.reset();
    await until('the route is stale', async () => (await state(place)) === 'stale');
    const back = await lab.session(place, restarting(60));
    back.send(announce(place), frame(TYPE.UPDATE, '00000000'));
    expect(await back.settled()).toBe('up');
    expect(await state(place)).not.toBe('stale');
    expect(await lab.uses(`${place.prefix}.0/24`, place)).toBe(true);
    expect(await lab.uses(`${other.prefix}.0/24`, place)).toBe(false);
  });

  test('5: a new connection means a restart: the old one is closed without a word, its routes are stale', async () => {
    const { place, peer } = await routed(restarting(60));
    // The agent takes a connection that comes right after the session for one that was dialled before it.
    await expect(peer.next(2200)).rejects.toThrow('nothing came');
    const back = await lab.connect(place);
    expect(await peer.ending()).toBe('closed');
    expect(await state(place)).toBe('stale');
    await back.establish(restarting(60));
    expect(await back.settled()).toBe('up');
  });

  test('without the capability the routes go with the connection', async () => {
    const { place, peer } = await routed({});
    peer.reset();
    await gone(place);
  });

  test('a NOTIFICATION ends it for good (RFC 4724 4.2, no N bit)', async () => {
    const { place, peer } = await routed(restarting(60));
    peer.send(notificationMessage('06 04'));
    await gone(place);
  });
});

describe.concurrent('errors are forgiven', () => {
  test('a peer that has failed twice is back within 30 s (RFC 4271 8.1.1)', async () => {
    const place = lab.place();
    for (let failure = 0; failure < 2; failure += 1) {
      const peer = await lab.connect(place);
      await peer.expect(TYPE.OPEN);
      peer.send(hex('00'.repeat(19)));
      expect(await peer.ending()).toBe('1/1');
    }
    await until(
      'it is accepted',
      async () => (await lab.connect(place)).establish({ id: place.address }),
      30_000,
    );
  });
});

describe.concurrent('RFC 4486: Cease', () => {
  test('6/5: a stranger is refused', async () => {
    const peer = await lab.connect({ address: '172.31.0.2' });
    peer.send(open({ id: '172.31.0.2' }));
    expect(await peer.ending()).toBe('6/5');
  });

  test('6/3: a peer that is no longer configured; 6/6: one whose AS was changed; no other notices', async () => {
    const [gone, changed, bystander] = [lab.place(), lab.place(), lab.place()];
    const [first, second, third] = await Promise.all(
      [gone, changed, bystander].map((place) => lab.session(place)),
    );
    lab.agent.configure(lab.resources([gone], new Map([[changed.name, 65009]])));
    expect(await first?.ending()).toBe('6/3');
    expect(await second?.ending()).toBe('6/6');
    expect(await third?.settled()).toBe('up');
    lab.agent.configure(lab.resources());
  });
});

describe.concurrent('RFC 2918, RFC 7313: route refresh', () => {
  test('the table of the family is sent again', async () => {
    const peer = await lab.session(lab.place());
    peer.send(REFRESH_IPV4);
    const { body } = await peer.expect(TYPE.UPDATE);
    expect(toHex(body)).toContain(`${toHex(hex(nextHop(AGENT.host)))}18${quad(AGENT.block).slice(0, 6)}`);
  });

  test.each([
    ['an unknown family', '0019 00 46'],
    ['an unknown subtype', '0001 09 01'],
    ['BoRR and EoRR from a peer that did not negotiate them', '0001 01 01'],
  ])('%s is ignored', async (_what, body) => {
    const peer = await lab.session(lab.place());
    peer.send(frame(TYPE.ROUTE_REFRESH, body));
    expect(await peer.settled()).toBe('up');
  });

  test.each(['0001 00', '0001 00 01 00'])(
    'RFC 7313 5: a body of %s is 7/1 with the message',
    async (body) => {
      const peer = await lab.session(lab.place());
      const message = frame(TYPE.ROUTE_REFRESH, body);
      peer.send(message);
      expect(await peer.ending()).toBe(`7/1 ${toHex(message)}`);
    },
  );
});

describe.concurrent('RFC 2385: a peer with a key', () => {
  test('the right key: a session; a wrong key and no key: no TCP connection', async () => {
    const [right, wrong, none] = [lab.place('keyed'), lab.place('keyed'), lab.place('keyed')];
    const peer = lab.keep(await RawPeer.connectSigned(right.address, AGENT, KEY));
    await peer.establish();
    expect(await peer.settled()).toBe('up');
    const attempts = await Promise.allSettled([
      RawPeer.connectSigned(wrong.address, AGENT, 'Open-sesame'),
      lab.connect(none),
      // Nor with a key where none is configured.
      RawPeer.connectSigned(lab.place().address, AGENT, KEY),
    ]);
    expect(attempts.map((attempt) => attempt.status === 'rejected' && String(attempt.reason))).toEqual(
      Array(3).fill('Error: no answer to the SYN'),
    );
  });
});

describe.concurrent('RFC 5082: a peer that is one hop away', () => {
  test('what comes with the usual TTL of 64 is closed without a word; with 255 there is a session', async () => {
    const [far, near] = [lab.place('near'), lab.place('near')];
    // Where it is closed before we have looked, connecting itself fails.
    const ending = lab.connect(far).then(
      (peer) => {
        peer.send(open({ id: far.address }));
        return peer.ending();
      },
      (error) => (error.code === 'ECONNRESET' ? 'closed' : Promise.reject(error)),
    );
    expect(await ending).toBe('closed');
    expect((await lab.agent.peer(`peer/${far.name}`)).lastError?.text).toMatch(/TTL 64, below the 255/);
    lab.setOnPeers('net.ipv4.ip_default_ttl=255');
    expect(await (await lab.session(near)).settled()).toBe('up');
  });
});

describe.concurrent('hostile and slow peers', () => {
  test('a session one octet at a time', async () => {
    const place = lab.place();
    const peer = await lab.connect(place);
    await peer.expect(TYPE.OPEN);
    await peer.sendSlowly(Buffer.concat([open({ id: place.address }), KEEPALIVE, announce(place)]));
    await peer.expect(TYPE.UPDATE);
    await until('the route is used', () => lab.uses(`${place.prefix}.0/24`, place));
  });

  test('thousands of refreshes at once, open-close loops and strangers disturb nobody', async () => {
    const [bystander, loud, looping] = [lab.place(), lab.place(), lab.place()];
    const witness = await lab.session(bystander);
    const storm = await lab.session(loud);
    storm.send(...Array<Uint8Array>(5000).fill(REFRESH_IPV4));
    for (let turn = 0; turn < 200; turn += 1) {
      (await lab.connect(turn % 2 === 0 ? looping : { address: '172.31.0.2' })).reset();
    }
    expect(await witness.settled()).toBe('up');
    expect(await storm.settled()).toBe('up');
    expect((await lab.agent.peer(`peer/${bystander.name}`)).counters.flaps).toBe(0);
  });
});
