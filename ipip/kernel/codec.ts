/**
 * Netlink framing: messages and attributes in, messages and attributes out.
 *
 * Owns: lengths, alignment, nesting. Must not know: what any attribute means.
 * Wire: nlmsghdr = length(4) type(2) flags(2) sequence(4) port(4); attribute = length(2) type(2) value, padded to 4.
 * Source: linux/netlink.h.
 */
import { type IpAddress, ipv4, ipv6, isIpv4 } from '../../bgp/net/index.js';
import { KernelError } from './errors.js';

export const NLMSG_HEADER_BYTES = 16;
const ATTRIBUTE_HEADER_BYTES = 4;
/** The two high bits of an attribute type are flags (nested, network byte order). */
const ATTRIBUTE_TYPE_MASK = 0x3fff;
const ATTRIBUTE_NESTED = 0x8000;

const align = (length: number) => (length + 3) & ~3;

/** Where one message lies in a datagram. `body` is the offset after the header. */
export interface MessageView {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly body: number;
  readonly end: number;
}

/** Walks the messages of one datagram. @throws KernelError `KERNEL_MALFORMED` on a length that cannot be */
export function forEachMessage(bytes: Buffer, length: number, visit: (message: MessageView) => void): void {
  let offset = 0;
  while (offset + NLMSG_HEADER_BYTES <= length) {
    const messageLength = bytes.readUInt32LE(offset);
    if (messageLength < NLMSG_HEADER_BYTES || offset + messageLength > length) throw malformed('message');
    visit({
      type: bytes.readUInt16LE(offset + 4),
      flags: bytes.readUInt16LE(offset + 6),
      sequence: bytes.readUInt32LE(offset + 8),
      body: offset + NLMSG_HEADER_BYTES,
      end: offset + messageLength,
    });
    offset += align(messageLength);
  }
}

/** Reads one attribute's value into `target`. */
export type AttributeReader<T> = (target: T, bytes: Buffer, offset: number, length: number) => void;

/** Readers by attribute type; types without one are skipped. */
export type AttributeTable<T> = Readonly<Record<number, AttributeReader<T>>>;

/**
 * Runs the table over the attributes between two offsets.
 * @param onOther called for each attribute that the table has no reader for
 * @throws KernelError `KERNEL_MALFORMED`
 */
export function readAttributes<T>(
  bytes: Buffer,
  start: number,
  end: number,
  table: AttributeTable<T>,
  target: T,
  onOther?: () => void,
): void {
  let offset = start;
  while (offset + ATTRIBUTE_HEADER_BYTES <= end) {
    const length = bytes.readUInt16LE(offset);
    if (length < ATTRIBUTE_HEADER_BYTES || offset + length > end) throw malformed('attribute');
    const reader = table[bytes.readUInt16LE(offset + 2) & ATTRIBUTE_TYPE_MASK];
    if (reader === undefined) onOther?.();
    else reader(target, bytes, offset + ATTRIBUTE_HEADER_BYTES, length - ATTRIBUTE_HEADER_BYTES);
    offset += align(length);
  }
}

/** 4 bytes are IPv4, 16 are IPv6, in network byte order. */
export function readAddress(bytes: Buffer, offset: number, length: number): IpAddress {
  if (length === 4) return ipv4(bytes.readUInt32BE(offset));
  if (length !== 16) throw malformed('address');
  return ipv6((bytes.readBigUInt64BE(offset) << 64n) | bytes.readBigUInt64BE(offset + 8));
}

/** A string without its trailing zero. */
export function readString(bytes: Buffer, offset: number, length: number): string {
  const zero = bytes.indexOf(0, offset);
  return bytes.toString('utf8', offset, zero < 0 || zero > offset + length ? offset + length : zero);
}

function malformed(what: string): KernelError {
  return new KernelError({
    code: 'KERNEL_MALFORMED',
    message: `netlink: a ${what} has a length that cannot be`,
  });
}

/** Writes messages one after the other; grows as needed and can be used again after `reset`. */
export class MessageWriter {
  #bytes = Buffer.alloc(16 * 1024);
  #length = 0;
  #messageStart = 0;

  reset(): void {
    this.#length = 0;
  }

  /** What was written since `reset`; valid until the next write. */
  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  begin(type: number, flags: number, sequence: number): this {
    this.#messageStart = this.#length;
    this.#reserve(NLMSG_HEADER_BYTES);
    const start = this.#messageStart;
    this.#bytes.writeUInt32LE(0, start);
    this.#bytes.writeUInt16LE(type, start + 4);
    this.#bytes.writeUInt16LE(flags, start + 6);
    this.#bytes.writeUInt32LE(sequence, start + 8);
    this.#bytes.writeUInt32LE(0, start + 12);
    return this;
  }

  /** Closes the message: its length is known now. Every value is padded, so it ends aligned. */
  end(): void {
    this.#bytes.writeUInt32LE(this.#length - this.#messageStart, this.#messageStart);
  }

  u8(value: number): this {
    this.#bytes.writeUInt8(value, this.#reserve(1));
    return this;
  }

  u16(value: number): this {
    this.#bytes.writeUInt16LE(value, this.#reserve(2));
    return this;
  }

  u32(value: number): this {
    this.#bytes.writeUInt32LE(value, this.#reserve(4));
    return this;
  }

  /** The raw address, without a header around it. */
  address(value: IpAddress): this {
    if (isIpv4(value)) {
      this.#bytes.writeUInt32BE(value, this.#reserve(4));
    } else {
      const offset = this.#reserve(16);
      this.#bytes.writeBigUInt64BE(value >> 64n, offset);
      this.#bytes.writeBigUInt64BE(value & 0xffff_ffff_ffff_ffffn, offset + 8);
    }
    return this;
  }

  attributeU8(type: number, value: number): this {
    return this.#attributeHeader(type, 1).u8(value).#pad();
  }

  attributeU32(type: number, value: number): this {
    return this.#attributeHeader(type, 4).u32(value);
  }

  attributeAddress(type: number, value: IpAddress): this {
    return this.#attributeHeader(type, isIpv4(value) ? 4 : 16).address(value);
  }

  /** rtvia = family(2) address, the family in the machine's own byte order. */
  attributeVia(type: number, family: number, value: IpAddress): this {
    return this.#attributeHeader(type, 2 + (isIpv4(value) ? 4 : 16))
      .u16(family)
      .address(value)
      .#pad();
  }

  /** Zero-terminated. */
  attributeString(type: number, value: string): this {
    const length = Buffer.byteLength(value) + 1;
    this.#attributeHeader(type, length);
    const offset = this.#reserve(length);
    this.#bytes.write(value, offset);
    this.#bytes.writeUInt8(0, offset + length - 1);
    return this.#pad();
  }

  /** An attribute whose value `write` produces: a nest, or a list of structures. */
  nested(type: number, write: () => void): this {
    const start = this.#length;
    this.u16(0).u16(type | ATTRIBUTE_NESTED);
    write();
    this.#bytes.writeUInt16LE(this.#length - start, start);
    return this;
  }

  /** A structure that begins with its own length(2), such as rtnexthop. */
  sized(write: () => void): this {
    const start = this.#length;
    this.u16(0);
    write();
    this.#bytes.writeUInt16LE(this.#length - start, start);
    return this;
  }

  #attributeHeader(type: number, valueLength: number): this {
    return this.u16(ATTRIBUTE_HEADER_BYTES + valueLength).u16(type);
  }

  #pad(): this {
    while (this.#length % 4 !== 0) this.u8(0);
    return this;
  }

  /** @returns the offset of `length` fresh bytes */
  #reserve(length: number): number {
    const offset = this.#length;
    if (offset + length > this.#bytes.length) {
      const larger = Buffer.alloc(this.#bytes.length * 2);
      this.#bytes.copy(larger, 0, 0, offset);
      this.#bytes = larger;
    }
    this.#length += length;
    return offset;
  }
}
