/**
 * Properties of the codec: round trips, totality on damaged input, independence of chunk boundaries.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  attributesKey,
  decodeMessage,
  encodedPrefixBytes,
  encodeMessage,
  Framer,
  maxPrefixBytes,
  notificationText,
  shutdownCommunication,
  shutdownText,
} from '../../../bgp/wire/index.js';
import { faultText, frame, toHex } from '../../support/wire.js';
import { arbitraryContext, arbitraryMessage, arbitraryUpdate } from '../../support/wire-arbitraries.js';

const TYPES: ReadonlySet<string> = new Set([
  'OPEN',
  'UPDATE',
  'NOTIFICATION',
  'KEEPALIVE',
  'ROUTE-REFRESH',
  'FAULT',
]);

/** An 8-bit change of one octet. */
const mutation = fc.record({ at: fc.nat(), octet: fc.integer({ min: 0, max: 255 }) });

describe('round trip', () => {
  test('decode(encode(message)) is the message, for every type and context', () => {
    fc.assert(
      fc.property(arbitraryMessage, ([message, context]) => {
        // The generator makes objects without a prototype, which toStrictEqual would tell apart; the clone has one.
        expect(decodeMessage(encodeMessage(message, context), context)).toStrictEqual(
          structuredClone(message),
        );
      }),
      { numRuns: 800 },
    );
  });

  test('what is read from any octets that make a message is read the same after it was written again', () => {
    fc.assert(
      fc.property(
        arbitraryMessage,
        fc.array(mutation, { minLength: 1, maxLength: 3 }),
        ([message, context], changes) => {
          const first = decodeMessage(mutate(encodeMessage(message, context), changes), context);
          // An UPDATE with faults or with next hops in odd places is never sent on as it came.
          fc.pre(first.type !== 'FAULT' && first.type !== 'UPDATE');
          expect(decodeMessage(encodeMessage(first, context), context)).toStrictEqual(first);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('totality: any octets give a message or a fault', () => {
  test('every prefix of a valid message, as it is and with a length field that agrees', () => {
    fc.assert(
      fc.property(arbitraryMessage, ([message, context]) => {
        const bytes = encodeMessage(message, context);
        const asItIs = new Set<string>();
        const agreeing = new Set<string>();
        for (let length = 0; length < bytes.length; length += 1) {
          const cut = bytes.slice(0, length);
          asItIs.add(decodeMessage(cut, context).type);
          if (length < 19) continue;
          new DataView(cut.buffer).setUint16(16, length);
          agreeing.add(decodeMessage(cut, context).type);
        }
        expect([...asItIs]).toEqual(['FAULT']);
        expect([...agreeing].filter((type) => type !== 'FAULT' && type !== message.type)).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  test('every one-octet change of a valid message', () => {
    fc.assert(
      fc.property(arbitraryMessage, fc.integer({ min: 1, max: 255 }), ([message, context], difference) => {
        const bytes = encodeMessage(message, context);
        const types = new Set<string>();
        bytes.forEach((octet, at) => {
          for (const changed of [octet ^ difference, 0x00, 0xff]) {
            const damaged = bytes.slice();
            damaged[at] = changed;
            types.add(decodeMessage(damaged, context).type);
          }
        });
        expect([...types].filter((type) => !TYPES.has(type))).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  test('any body under any type', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 6 }),
        fc.uint8Array({ maxLength: 200 }),
        arbitraryContext,
        (type, body, context) => {
          expect(TYPES).toContain(decodeMessage(frame(type, body), context).type);
        },
      ),
      { numRuns: 3000 },
    );
  });

  test('an UPDATE never loses a prefix: after damage to its attributes each is announced or withdrawn', () => {
    const cases = arbitraryContext.chain((context) =>
      fc.tuple(arbitraryUpdate(context), fc.constant(context)),
    );
    fc.assert(
      fc.property(cases, fc.array(mutation, { minLength: 1, maxLength: 4 }), ([update, context], changes) => {
        const bytes = encodeMessage(update, context);
        const nlri = update.reach.find(
          ({ family, nextHop }) => family === 'ipv4' && typeof nextHop.address === 'number',
        );
        fc.pre(nlri !== undefined);
        const view = new DataView(bytes.buffer);
        const start = 19 + 2 + view.getUint16(19) + 2;
        const end = start + view.getUint16(start - 2);
        const damaged = bytes.slice();
        damaged.set(mutate(bytes.subarray(start, end), changes), start);
        const decoded = decodeMessage(damaged, context);
        fc.pre(decoded.type === 'UPDATE');
        if (decoded.type !== 'UPDATE') return;
        const known = new Set([...decoded.reach, ...decoded.unreach].flatMap(({ prefixes }) => prefixes));
        for (const prefix of nlri?.prefixes ?? []) expect(known).toContain(prefix);
        // Withdrawn as a whole or announced as a whole (RFC 7606 §2).
        const withdraw = decoded.faults.some(({ outcome }) => outcome === 'treat-as-withdraw');
        expect(decoded.reach.length > 0).toBe(!withdraw);
        expect(decoded.attributes !== undefined).toBe(!withdraw);
      }),
      { numRuns: 800 },
    );
  });

  test('any NOTIFICATION has a text of one line', () => {
    const octet = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(octet, octet, fc.uint8Array({ maxLength: 300 }), (code, subcode, data) => {
        expect(notificationText({ type: 'NOTIFICATION', code, subcode, data })).toMatch(/^[^\p{Cc}]+$/u);
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.constantFrom(2, 4), fc.uint8Array({ maxLength: 300 }), (subcode, data) => {
        expect(notificationText({ type: 'NOTIFICATION', code: 6, subcode, data })).toMatch(/^[^\p{Cc}]+$/u);
      }),
    );
  });
});

describe('Framer', () => {
  const items = fc.array(
    fc.oneof(
      { weight: 6, arbitrary: arbitraryMessage.map(([message, context]) => encodeMessage(message, context)) },
      { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 40 }) },
    ),
    { maxLength: 6 },
  );

  test('its output does not depend on the chunks', () => {
    fc.assert(
      fc.property(items, fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }), (parts, sizes) => {
        const stream = Uint8Array.from(parts.flatMap((part) => [...part]));
        expect(framed(stream, sizes)).toEqual(framed(stream, [stream.length + 1]));
      }),
      { numRuns: 300 },
    );
  });

  test('the messages are the stream: nothing is lost, added or reordered', () => {
    fc.assert(
      fc.property(
        fc.array(
          arbitraryMessage.map(([message, context]) => encodeMessage(message, context)),
          { maxLength: 6 },
        ),
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }),
        (messages, sizes) => {
          const stream = Uint8Array.from(messages.flatMap((message) => [...message]));
          expect(framed(stream, sizes)).toEqual(messages.map(toHex));
        },
      ),
      { numRuns: 100 },
    );
  });
});

test('maxPrefixBytes: an UPDATE filled to it fits, whatever the attributes', () => {
  const cases = arbitraryContext.chain((context) => fc.tuple(arbitraryUpdate(context), fc.constant(context)));
  fc.assert(
    fc.property(cases, ([update, context]) => {
      const [reach] = update.reach;
      const { attributes } = update;
      if (reach === undefined || attributes === undefined) return;
      const one = encodeMessage({ ...update, unreach: [], reach: [reach] }, context).length;
      const size = reach.prefixes.reduce((sum, prefix) => sum + encodedPrefixBytes(prefix), 0);
      const room = maxPrefixBytes(attributes, reach.nextHop, reach.family, context);
      // The length of MP_REACH_NLRI takes one octet less while its value is short.
      const spare = context.maxMessageLength - one;
      expect([spare, spare - 1]).toContain(room - size);
      expect(room).toBeGreaterThanOrEqual(size);
    }),
    { numRuns: 300 },
  );
});

test('attributesKey: equal keys exactly for equal attributes', () => {
  const context = { as4: true, peerType: 'ibgp', maxMessageLength: 4096 } as const;
  const route = arbitraryUpdate(context).filter(({ attributes }) => attributes !== undefined);
  fc.assert(
    fc.property(route, route, (a, b) => {
      const [x] = a.reach;
      const [y] = b.reach;
      if (!a.attributes || !b.attributes || !x || !y) throw new Error('the generator gave no route');
      const same =
        JSON.stringify(plain([a.attributes, x.nextHop])) === JSON.stringify(plain([b.attributes, y.nextHop]));
      expect(attributesKey(a.attributes, x.nextHop) === attributesKey(b.attributes, y.nextHop)).toBe(same);
      expect(attributesKey(structuredClone(a.attributes), { ...x.nextHop })).toBe(
        attributesKey(a.attributes, x.nextHop),
      );
    }),
    { numRuns: 300 },
  );
});

test('shutdown communication: any text comes back, cut between characters', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', 'ü', '停', '🛠'), minLength: 1, maxLength: 200 }),
      (text) => {
        const data = shutdownCommunication(text);
        expect(data.length).toBeLessThanOrEqual(256);
        const back = shutdownText({ type: 'NOTIFICATION', code: 6, subcode: 2, data });
        expect(text.startsWith(back ?? '?')).toBe(true);
        expect(Buffer.byteLength(text) <= 255 ? back === text : Buffer.byteLength(back ?? '') > 251).toBe(
          true,
        );
      },
    ),
  );
});

function mutate(
  bytes: Uint8Array,
  changes: readonly { readonly at: number; readonly octet: number }[],
): Uint8Array {
  const damaged = bytes.slice();
  for (const { at, octet } of changes) if (damaged.length > 0) damaged[at % damaged.length] = octet;
  return damaged;
}

/** What a Framer makes of `stream` in chunks of these sizes, repeated. */
function framed(stream: Uint8Array, sizes: readonly number[]): string[] {
  const framer = new Framer({ maxMessageLength: 65535 });
  const out: string[] = [];
  let offset = 0;
  for (let turn = 0; offset < stream.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    for (const item of framer.push(stream.slice(offset, offset + size))) {
      out.push(item instanceof Uint8Array ? toHex(item) : faultText(item));
    }
    offset += size;
  }
  return out;
}

/** With bigints and octets as text, and fields in one order, so that JSON can compare. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  if (value instanceof Uint8Array) return toHex(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, field]) => [key, plain(field)]);
}
