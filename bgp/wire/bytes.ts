/**
 * Cursors over bytes: the only file of the codec that indexes.
 *
 * Owns: bounds. A reader is a window and never reads outside it; a writer grows. Must not know: what the bytes mean.
 * DataView gives unsigned big-endian numbers, which JavaScript's signed shifts do not.
 */
import { failWith } from './fault.js';

const INITIAL_CAPACITY = 256;

/** What the peer is told where a length of its message points outside (code, subcode). */
export type OverrunError = readonly [code: number, subcode: number];

/** Reads forward through a window of a message. */
export class ByteReader {
  private readonly view: DataView;
  private readonly overrun: OverrunError;
  private position: number;
  private readonly end: number;

  /** `start` and `end` are offsets into `view`; the caller has made sure that they lie inside. */
  private constructor(view: DataView, start: number, end: number, overrun: OverrunError) {
    this.view = view;
    this.position = start;
    this.end = end;
    this.overrun = overrun;
  }

  /** A reader over all of `bytes` from `start`. */
  static over(bytes: Uint8Array, start: number, overrun: OverrunError): ByteReader {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new ByteReader(view, Math.min(start, bytes.byteLength), bytes.byteLength, overrun);
  }

  /** Octets left in the window. */
  get remaining(): number {
    return this.end - this.position;
  }

  u8(): number {
    return this.view.getUint8(this.advance(1));
  }

  u16(): number {
    return this.view.getUint16(this.advance(2));
  }

  u32(): number {
    return this.view.getUint32(this.advance(4));
  }

  u64(): bigint {
    return this.view.getBigUint64(this.advance(8));
  }

  /** The next octet, not consumed. */
  peekU8(): number | undefined {
    return this.position < this.end ? this.view.getUint8(this.position) : undefined;
  }

  /** A copy, so that what is kept does not keep the whole message alive. */
  bytes(length: number): Uint8Array {
    return this.borrow(length).slice();
  }

  /** A reader over the next `length` octets, which this one steps over. */
  window(length: number): ByteReader {
    const start = this.advance(length);
    return new ByteReader(this.view, start, start + length, this.overrun);
  }

  /** The octets before the cursor, back to `length` octets ago: for the data of a NOTIFICATION. */
  lookBack(length: number): Uint8Array {
    const start = this.view.byteOffset + this.position - length;
    return new Uint8Array(this.view.buffer.slice(start, start + length));
  }

  private borrow(length: number): Uint8Array {
    return new Uint8Array(this.view.buffer, this.view.byteOffset + this.advance(length), length);
  }

  private advance(length: number): number {
    const start = this.position;
    if (length > this.end - start) {
      failWith(...this.overrun, `message ends ${length - this.remaining} octets too early`);
    }
    this.position = start + length;
    return start;
  }
}

/** Writes forward into a buffer that grows; lengths are patched in afterwards. */
export class ByteWriter {
  private buffer = new Uint8Array(INITIAL_CAPACITY);
  private view = new DataView(this.buffer.buffer);
  private position = 0;

  /** Octets written so far. */
  get length(): number {
    return this.position;
  }

  u8(value: number): this {
    const start = this.reserve(1);
    this.view.setUint8(start, value);
    return this;
  }

  u16(value: number): this {
    const start = this.reserve(2);
    this.view.setUint16(start, value);
    return this;
  }

  u32(value: number): this {
    const start = this.reserve(4);
    this.view.setUint32(start, value);
    return this;
  }

  u64(value: bigint): this {
    const start = this.reserve(8);
    this.view.setBigUint64(start, value);
    return this;
  }

  bytes(value: Uint8Array): this {
    const start = this.reserve(value.length);
    this.buffer.set(value, start);
    return this;
  }

  fill(value: number, length: number): this {
    const start = this.reserve(length);
    this.buffer.fill(value, start, start + length);
    return this;
  }

  /** Overwrites an octet already written. */
  setU8(offset: number, value: number): void {
    this.view.setUint8(offset, value);
  }

  /** Overwrites two octets already written. */
  setU16(offset: number, value: number): void {
    this.view.setUint16(offset, value);
  }

  /** Makes room for one octet at `offset`, moving what follows. */
  insertU8(offset: number, value: number): void {
    const end = this.position;
    this.reserve(1);
    this.buffer.copyWithin(offset + 1, offset, end);
    this.view.setUint8(offset, value);
  }

  /** Forgets everything from `offset` on. */
  truncate(offset: number): void {
    this.position = offset;
  }

  /** A copy of exactly what was written. */
  finish(): Uint8Array {
    return this.buffer.slice(0, this.position);
  }

  private reserve(length: number): number {
    const start = this.position;
    const needed = start + length;
    if (needed > this.buffer.length) {
      const grown = new Uint8Array(Math.max(needed, this.buffer.length * 2));
      grown.set(this.buffer);
      this.buffer = grown;
      this.view = new DataView(grown.buffer);
    }
    this.position = needed;
    return start;
  }
}
