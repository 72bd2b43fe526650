/** Pure: IPv4 and ICMP echo packets, made and read. Source: RFC 791, RFC 792, RFC 2003 (IP in IP). */

/** What is wanted of an IPv4 header. */
export interface Ipv4Header {
  readonly source: string;
  readonly destination: string;
  readonly ttl: number;
  readonly protocol: number;
  /** DF: nobody on the way may cut it to pieces. */
  readonly dontFragment: boolean;
  /** It is a piece of a packet that somebody cut. */
  readonly isFragment: boolean;
  /** What the header is in front of. */
  readonly payload: Buffer;
}

/** An echo request or reply. */
export interface Echo {
  readonly kind: 'request' | 'reply';
  readonly id: number;
  readonly sequence: number;
}

/** "This packet of yours did not arrive." */
export interface IcmpFailure {
  readonly text: string;
  /** As much of the undelivered packet as came back. */
  readonly about: Buffer;
}

export const PROTOCOL_ICMP = 1;
/** IP in IP: the protocol number 4 that the lab looks for. */
export const PROTOCOL_IPIP = 4;

/** TCP: RFC 9293. */
export const PROTOCOL_TCP = 6;

const DONT_FRAGMENT = 0x4000;
/** More fragments, or not the first: any of these bits. */
const MORE_OR_OFFSET = 0x3fff;
const ECHO_REPLY = 0;
const ECHO_REQUEST = 8;
const FAILURES: Readonly<Record<string, string>> = {
  '3/0': 'network unreachable',
  '3/1': 'host unreachable',
  '3/2': 'protocol unreachable',
  '3/4': 'packet too big',
  '3/13': 'forbidden',
  '11/0': 'time to live exceeded',
};

/** Like ping's: 56 bytes behind the ICMP header. */
const PAYLOAD_BYTES = 56;

/** Reads an IPv4 header; undefined where the bytes are none. */
export function readIpv4(packet: Buffer): Ipv4Header | undefined {
  if (packet.length < 20 || packet.readUInt8(0) >> 4 !== 4) return undefined;
  const headerBytes = (packet.readUInt8(0) & 15) * 4;
  if (headerBytes < 20 || packet.length < headerBytes) return undefined;
  return {
    source: packet.subarray(12, 16).join('.'),
    destination: packet.subarray(16, 20).join('.'),
    ttl: packet.readUInt8(8),
    protocol: packet.readUInt8(9),
    dontFragment: (packet.readUInt16BE(6) & DONT_FRAGMENT) !== 0,
    isFragment: (packet.readUInt16BE(6) & MORE_OR_OFFSET) !== 0,
    payload: packet.subarray(headerBytes),
  };
}

/** Reads an echo request or reply out of an ICMP message. */
export function readEcho(message: Buffer): Echo | undefined {
  if (message.length < 8) return undefined;
  const type = message.readUInt8(0);
  if (type !== ECHO_REQUEST && type !== ECHO_REPLY) return undefined;
  const kind = type === ECHO_REQUEST ? 'request' : 'reply';
  return { kind, id: message.readUInt16BE(4), sequence: message.readUInt16BE(6) };
}

/** Reads an error message. */
export function readFailure(message: Buffer): IcmpFailure | undefined {
  if (message.length < 8) return undefined;
  const key = `${message.readUInt8(0)}/${message.readUInt8(1)}`;
  const text = FAILURES[key] ?? (message.readUInt8(0) === 3 ? `unreachable (${key})` : undefined);
  return text === undefined ? undefined : { text, about: message.subarray(8) };
}

/** An echo request, without an IP header. */
export function echoRequest(id: number, sequence: number): Buffer {
  const message = Buffer.alloc(8 + PAYLOAD_BYTES, 'podroute lab ');
  message.writeUInt8(ECHO_REQUEST, 0);
  message.writeUInt8(0, 1);
  message.writeUInt16BE(0, 2);
  message.writeUInt16BE(id, 4);
  message.writeUInt16BE(sequence, 6);
  message.writeUInt16BE(checksum(message), 2);
  return message;
}

/** RFC 1071, over an even number of bytes. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let offset = 0; offset < bytes.length; offset += 2) sum += bytes.readUInt16BE(offset);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}
