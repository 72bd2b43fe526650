/**
 * Routes of the conformance lab's peers, in octets.
 */
import { nextHop, type Place } from '../../support/conformance-lab.js';
import { quad, type RawPeer, TYPE } from '../../support/raw-peer.js';
import { hex, toHex, updateFrame } from '../../support/wire.js';

/** The octets of a /24 given as `10.244.7`. */
export const nlri24 = (network: string) => `18 ${quad(`${network}.0`).slice(0, 6)}`;

/** A route of the peer at `place`; `more` replaces or adds attributes. */
export function announce(
  place: Place,
  network = place.prefix,
  more: Partial<Record<number, string>> = {},
): Uint8Array {
  const attributes: Record<number, string> = {
    1: '40 01 01 00',
    2: place.kind === 'ibgp' ? '40 02 00' : '40 02 06 02 01 0000fde9',
    3: nextHop(place.address),
    ...(place.kind === 'ibgp' && { 5: '40 05 04 00000064' }),
    ...more,
  };
  return updateFrame({ attributes: Object.values(attributes).join(' '), nlri: nlri24(network) });
}

/** The next announcement of `network`: attribute code -> flags and value. */
export async function received(peer: RawPeer, network: string): Promise<Record<number, string>> {
  for (;;) {
    const body = toHex((await peer.expect(TYPE.UPDATE)).body);
    if (body.endsWith(toHex(hex(nlri24(network))))) return attributesOf(body);
  }
}

/** The attributes of an UPDATE without withdrawn routes, given as hex. */
function attributesOf(body: string): Record<number, string> {
  const octets = hex(body);
  const end = 4 + Number.parseInt(body.slice(4, 8), 16);
  const attributes: Record<number, string> = {};
  for (let at = 4; at < end; ) {
    const [flags = 0, code = 0, high = 0, low = 0] = octets.subarray(at, at + 4);
    const long = (flags & 0x10) !== 0;
    const start = at + (long ? 4 : 3);
    at = start + (long ? high * 256 + low : high);
    attributes[code] = `${(flags & ~0x10).toString(16)} ${toHex(octets.subarray(start, at))}`;
  }
  return attributes;
}
