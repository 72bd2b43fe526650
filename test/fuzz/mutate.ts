/**
 * Chance from a seed, and damage to messages: the same seed gives the same octets on every machine.
 *
 * Owns: the generator and the ways to damage. Must not know: what is done with the result.
 */

/** Numbers that lengths, counts and codes go wrong at. */
const INTERESTING = [0, 1, 2, 3, 4, 5, 16, 18, 19, 23, 32, 33, 64, 127, 128, 129, 254, 255];
const HEADER_OCTETS = 19;
const LENGTH_OFFSET = 16;
const TYPE_OFFSET = 18;
const MAX_OCTETS = 4096;

/** Numbers by chance, from a seed (the generator "mulberry32"). */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 <= value < 1. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  }

  /** 0 <= value < `below`. */
  integer(below: number): number {
    return Math.floor(this.fraction() * below);
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.integer(times) === 0;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.integer(items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }
}

type Damage = (body: Uint8Array, chance: Chance, others: readonly Uint8Array[]) => Uint8Array;

/** What happens to the octets behind the header. */
const DAMAGES: readonly Damage[] = [
  // One bit.
  (body, chance) => changed(body, chance, (octet) => octet ^ (1 << chance.integer(8))),
  // One octet, to a number at which things go wrong, or up or down by one.
  (body, chance) => changed(body, chance, () => chance.pick(INTERESTING)),
  (body, chance) => changed(body, chance, (octet) => octet + chance.pick([-1, 1, 255])),
  // Octets taken out, doubled, or put in.
  (body, chance) => {
    const [start, end] = span(body, chance);
    return joined(body.subarray(0, start), body.subarray(end));
  },
  (body, chance) => {
    const [start, end] = span(body, chance);
    return joined(body.subarray(0, end), body.subarray(start));
  },
  (body, chance) => {
    const at = chance.integer(body.length + 1);
    const added = Uint8Array.from({ length: 1 + chance.integer(8) }, () => chance.integer(256));
    return joined(body.subarray(0, at), added, body.subarray(at));
  },
  // A piece of another message.
  (body, chance, others) => {
    const other = chance.pick(others).subarray(HEADER_OCTETS);
    const [start, end] = span(other, chance);
    const at = chance.integer(body.length + 1);
    return joined(body.subarray(0, at), other.subarray(start, end), body.subarray(at));
  },
  // The end.
  (body, chance) => body.subarray(0, chance.integer(body.length + 1)),
];

/**
 * A damaged copy of `message`. The header mostly stays true, so that the damage gets past it; the length fields inside
 * an UPDATE are sometimes made true again.
 */
export function mutate(message: Uint8Array, chance: Chance, others: readonly Uint8Array[]): Uint8Array {
  let body: Uint8Array = message.slice(HEADER_OCTETS);
  for (let round = 1 + chance.integer(4); round > 0; round -= 1) {
    body = chance
      .pick(DAMAGES)(body, chance, others)
      .subarray(0, MAX_OCTETS - HEADER_OCTETS);
  }
  const result = joined(message.subarray(0, HEADER_OCTETS), body);
  if (message[TYPE_OFFSET] === 2 && chance.once(2)) repairUpdate(result);
  new DataView(result.buffer).setUint16(LENGTH_OFFSET, result.length);
  if (chance.once(20)) result[chance.integer(HEADER_OCTETS)] = chance.pick(INTERESTING);
  return result;
}

/** Makes the length of the attributes end the message where it would not fit, so that they are looked into. */
function repairUpdate(update: Uint8Array): void {
  const view = new DataView(update.buffer);
  if (update.length < HEADER_OCTETS + 4) return;
  const attributes = HEADER_OCTETS + 2 + view.getUint16(HEADER_OCTETS);
  if (attributes + 2 > update.length) return;
  const left = update.length - attributes - 2;
  if (view.getUint16(attributes) > left) view.setUint16(attributes, left);
}

function changed(body: Uint8Array, chance: Chance, change: (octet: number) => number): Uint8Array {
  const copy = body.slice();
  const at = chance.integer(copy.length);
  if (at < copy.length) copy[at] = change(copy[at] ?? 0) & 0xff;
  return copy;
}

/** A short piece of `octets`. */
function span(octets: Uint8Array, chance: Chance): readonly [start: number, end: number] {
  const start = chance.integer(octets.length + 1);
  return [start, Math.min(octets.length, start + chance.integer(40))];
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}
