/**
 * Cuts a byte stream into messages, whatever the chunks are.
 *
 * Owns: the one message that is still incomplete (bounded by `maxMessageLength`). Must not know: sockets, bodies.
 * Each octet is copied twice at most, so a peer that sends one octet at a time costs linear work.
 * Source: RFC 4271 sections 4.1 and 6.1.
 */
import { HEADER_LENGTH } from './constants.js';
import type { WireFault } from './fault.js';
import { readHeader } from './header.js';

/** One per connection. After a fault the stream has no message boundaries any more, so it yields nothing further. */
export class Framer {
  /** 4096, or 65535 as soon as extended messages are negotiated (RFC 8654). */
  maxMessageLength: number;
  /** Exactly as long as a header while that is incomplete, then exactly as long as the message. */
  private pending: Uint8Array | undefined;
  private filled = 0;
  private faulted = false;

  constructor(options: { readonly maxMessageLength: number }) {
    this.maxMessageLength = options.maxMessageLength;
  }

  /**
   * Takes the next octets of the stream.
   * @returns the messages that are complete now, in order, and a fault at the end where a header is wrong. A message
   * may be a view of `chunk`: decode it before the chunk's memory is used again.
   */
  push(chunk: Uint8Array): readonly (Uint8Array | WireFault)[] {
    const frames: (Uint8Array | WireFault)[] = [];
    let rest = chunk;
    while (rest.length > 0 && !this.faulted) {
      const taken =
        this.pending === undefined ? this.cut(rest, frames) : this.collect(this.pending, rest, frames);
      rest = rest.subarray(taken);
    }
    return frames;
  }

  /** At the start of a message: cuts it out of `rest` where it is whole, else makes room to collect it. */
  private cut(rest: Uint8Array, frames: (Uint8Array | WireFault)[]): number {
    if (rest.length < HEADER_LENGTH) {
      this.expect(HEADER_LENGTH);
      return 0;
    }
    const length = this.messageLength(rest, frames);
    if (length === undefined) return 0;
    if (rest.length < length) {
      this.expect(length);
      return 0;
    }
    frames.push(rest.subarray(0, length));
    return length;
  }

  /** Inside a message: takes from `rest` what is still missing. */
  private collect(pending: Uint8Array, rest: Uint8Array, frames: (Uint8Array | WireFault)[]): number {
    const taken = Math.min(pending.length - this.filled, rest.length);
    pending.set(rest.subarray(0, taken), this.filled);
    this.filled += taken;
    if (this.filled < pending.length) return taken;
    // A message longer than its header is only expected once the header has been read, so this is a bare header.
    const length = pending.length === HEADER_LENGTH ? this.messageLength(pending, frames) : pending.length;
    if (length === undefined) return taken;
    if (length > this.filled) {
      this.expect(length).set(pending);
      this.filled = HEADER_LENGTH;
      return taken;
    }
    frames.push(pending);
    this.pending = undefined;
    return taken;
  }

  private expect(length: number): Uint8Array {
    this.pending = new Uint8Array(length);
    this.filled = 0;
    return this.pending;
  }

  private messageLength(bytes: Uint8Array, frames: (Uint8Array | WireFault)[]): number | undefined {
    const header = readHeader(bytes, this.maxMessageLength);
    if (!('notification' in header)) return header.length;
    this.faulted = true;
    this.pending = undefined;
    frames.push(header);
    return undefined;
  }
}
