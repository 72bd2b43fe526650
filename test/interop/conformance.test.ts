/**
 * What a stranger with nothing but a TCP connection sees of the agent: octets in, octets out, row by row of the RFCs.
 *
 * The built agent runs alone on its machine; the peers are the test, in bytes that are not made by the agent's codec.
 * Whether a route is in use is asked of the API, because no BGP message tells it.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { AGENT, ConformanceLab, nextHop, type Place } from '../support/conformance-lab.js';
import { open, quad, type RawPeer, TYPE, usualCapabilities } from '../support/raw-peer.js';
import { toHex, updateFrame } from '../support/wire.js';
import { HEADER_ROWS, OPEN_ROWS, UNEXPECTED } from './conformance/open-rows.js';
import { type Sender, TWO_OCTET, UPDATE_ROWS, updateOf } from './conformance/update-rows.js';

let lab: ConformanceLab;
beforeAll(async () => {
  lab = await ConformanceLab.start();
});
afterAll(async () => {
  await lab?.stop();
});
afterEach(() => lab.closeAll());

/** Rows with their test names. */
function named<Row>(rows: readonly Row[], name: (row: Row) => string): readonly (readonly [string, Row])[] {
  return rows.map((row) => [name(row), row]);
}

/** The attributes of a route that nothing is wrong with, by code. */
function sound(sender: Sender, address: string): ReadonlyMap<number, string> {
  const path = { ebgp: '40 02 06 02 01 0000fde9', as2: '40 02 04 02 01 fde9', ibgp: '40 02 00' }[sender];
  return new Map([
    [1, '40 01 01 00'],
    [2, path],
    [3, nextHop(address)],
    ...(sender === 'ibgp' ? [[5, '40 05 04 00000064'] as const] : []),
  ]);
}

function nlri(place: Place): string {
  return `18 ${quad(`${place.prefix}.0`).slice(0, 6)}`;
}

async function established(sender: Sender): Promise<{ readonly place: Place; readonly peer: RawPeer }> {
  const place = lab.place(sender === 'ibgp' ? 'ibgp' : 'ebgp');
  return { place, peer: await lab.session(place, sender === 'as2' ? TWO_OCTET : {}) };
}

describe('message header', () => {
  test.each(named(HEADER_ROWS, ({ rfc, what, answer }) => `${rfc}: ${what} is answered with ${answer}`))(
    '%s',
    async (_name, { bytes, answer }) => {
      const peer = await lab.connect(lab.place());
      await peer.expect(TYPE.OPEN);
      peer.send(bytes);
      expect(await peer.ending()).toBe(answer);
    },
  );

  test('RFC 4271 6.1: the same in Established', async () => {
    const { peer } = await established('ebgp');
    peer.send(Uint8Array.from([...new Uint8Array(16).fill(0xff), 0, 23, 9, 0, 0, 0, 0]));
    expect(await peer.ending()).toBe('1/3 09');
  });
});

describe('OPEN', () => {
  test.each(
    named(
      OPEN_ROWS,
      ({ rfc, what, answer }) =>
        `${rfc}: ${what} ${answer === undefined ? 'is accepted' : `is answered with ${answer}`}`,
    ),
  )('%s', async (_name, { open: fields, from = 'ebgp', answer }) => {
    const place = lab.place(from);
    const opening = { asn: place.asn, id: place.address, ...fields };
    if (answer === undefined) {
      const capabilities = usualCapabilities(65001);
      const peer = await (await lab.connect(place)).establish({ capabilities, ...opening });
      expect(await peer.settled()).toBe('up');
      return;
    }
    const peer = await lab.connect(place);
    await peer.expect(TYPE.OPEN);
    peer.send(open(opening));
    expect(await peer.ending()).toBe(answer);
  });

  test('RFC 4271 8.2.2: the agent sends OPEN as soon as the connection is up, with capability 65', async () => {
    const peer = await lab.connect(lab.place());
    const body = toHex((await peer.expect(TYPE.OPEN)).body);
    expect(body.slice(0, 18)).toBe(`04fc00005a${quad(AGENT.host)}`);
    expect(body).toContain('41040000fc00');
    expect(body).toContain('010400010001');
    expect(body).toContain('010400020001');
  });
});

describe('messages in the wrong state', () => {
  test.each(
    named(
      UNEXPECTED,
      ({ state, what, answer }) => `RFC 6608 4: ${what} in ${state} is answered with ${answer}`,
    ),
  )('%s', async (_name, { state, bytes, answer }) => {
    const place = lab.place();
    const peer = await lab.connect(place);
    if (state === 'Established') await peer.establish();
    else await peer.expect(TYPE.OPEN);
    if (state === 'OpenConfirm') {
      peer.send(open({ id: place.address }));
      await peer.expect(TYPE.KEEPALIVE);
    }
    peer.send(bytes);
    expect(await peer.ending()).toBe(answer);
  });
});

describe('UPDATE', () => {
  test.each(named(UPDATE_ROWS, ({ rfc, what, becomes }) => `${rfc}: ${what}: ${becomes}`))(
    '%s',
    async (_name, row) => {
      const { from = 'ebgp', becomes } = row;
      const { place, peer } = await established(from);
      const prefix = `${place.prefix}.0/24`;
      const attributes = sound(from, place.address);
      if (becomes === 'withdrawn') {
        // What is treated as withdrawn was there before.
        peer.send(updateFrame({ attributes: [...attributes.values()].join(' '), nlri: nlri(place) }));
        expect(await peer.settled()).toBe('up');
        expect(await lab.uses(prefix, place)).toBe(true);
      }
      peer.send(updateOf(row, attributes, nlri(place)));
      const after = await peer.settled();
      if (becomes.startsWith('reset')) {
        expect(after).toBe(becomes.slice('reset '.length));
        return;
      }
      expect(after).toBe('up');
      expect(await lab.uses(prefix, place)).toBe(becomes === 'kept');
      if (becomes === 'kept') return;
      peer.send(updateFrame({ attributes: [...attributes.values()].join(' '), nlri: nlri(place) }));
      expect(await peer.settled()).toBe('up');
      expect(await lab.uses(prefix, place)).toBe(true);
    },
  );
});
