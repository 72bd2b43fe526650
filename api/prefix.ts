/**
 * Prefixes as this folder needs them: read from text, ordered by number, compared by containment.
 *
 * Owns: the order of `GET /routes` and the meaning of "inside a prefix". Pure. The API is text at both ends, so it keeps
 * its own small reader instead of the value types of the routing code.
 */
import { isIP } from 'node:net';
import { Address6 } from 'ip-address';

export interface Prefix {
  readonly version: 4 | 6;
  /** The network address as a number; host bits as written. */
  readonly address: bigint;
  readonly lengthBits: number;
}

/** Reads an address, strictly: no leading zeros, no zone. */
export function parseAddress(text: string): Prefix | undefined {
  switch (isIP(text)) {
    case 4:
      return { version: 4, address: BigInt(ipv4Number(text)), lengthBits: 32 };
    case 6:
      return text.includes('%')
        ? undefined
        : { version: 6, address: new Address6(text).bigInt(), lengthBits: 128 };
    default:
      return undefined;
  }
}

/** Reads `ADDRESS/LENGTH`. Host bits may be set; `isNetwork` tells. */
export function parsePrefix(text: string): Prefix | undefined {
  const [, addressText = '', lengthText = ''] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const address = parseAddress(addressText);
  const lengthBits = Number(lengthText);
  return address && lengthBits <= address.lengthBits ? { ...address, lengthBits } : undefined;
}

/** True where no bit after the length is set. */
export function isNetwork(prefix: Prefix): boolean {
  return network(prefix) << hostBits(prefix) === prefix.address;
}

/** True where `inner` equals `outer` or is a part of it. */
export function contains(outer: Prefix, inner: Prefix): boolean {
  return (
    outer.version === inner.version &&
    outer.lengthBits <= inner.lengthBits &&
    inner.address >> hostBits(outer) === network(outer)
  );
}

/** Total order: IPv4 before IPv6, then the address as a number, then the shorter length. */
export function comparePrefixes(a: Prefix, b: Prefix): number {
  if (a.version !== b.version) return a.version - b.version;
  if (a.address !== b.address) return a.address < b.address ? -1 : 1;
  return a.lengthBits - b.lengthBits;
}

function hostBits(prefix: Prefix): bigint {
  return BigInt((prefix.version === 4 ? 32 : 128) - prefix.lengthBits);
}

function network(prefix: Prefix): bigint {
  return prefix.address >> hostBits(prefix);
}

function ipv4Number(text: string): number {
  return text.split('.').reduce((value, octet) => value * 256 + Number(octet), 0);
}
