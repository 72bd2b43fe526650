/**
 * Routes of the conformance lab's peers, in octets.
 */
import { nextHop, type Place } from '../../support/conformance-lab.js';
import { quad } from '../../support/raw-peer.js';
import { updateFrame } from '../../support/wire.js';

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
    2: place.kind === 'ebgp' ? '40 02 06 02 01 0000fde9' : '40 02 00',
    3: nextHop(place.address),
    ...(place.kind === 'ibgp' && { 5: '40 05 04 00000064' }),
    ...more,
  };
  return updateFrame({ attributes: Object.values(attributes).join(' '), nlri: nlri24(network) });
}
