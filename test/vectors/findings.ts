/**
 * Octets that have brought a BGP speaker down, found by fuzzing or in the field, and what they must lead to here.
 *
 * A row stays for ever: `findings.test.ts` holds it against its verdict and against every invariant of the codec.
 * `npm run fuzz` prints the octets of what it finds; they belong here.
 */
import { frame, updateFrame } from '../support/wire.js';

export interface Finding {
  /** What it did, and to whom. */
  readonly what: string;
  readonly bytes: Uint8Array;
  /** `ok`, `discard` or `treat-as-withdraw` for an UPDATE that leaves the session up, else the NOTIFICATION. */
  readonly verdict: string;
}

const SOUND = '40010100 40020602010000fde9 400304c0000202';
const NLRI = '18 0af401';

export const FINDINGS: readonly Finding[] = [
  {
    what: 'attribute 28, deprecated, with contents nobody understands: sessions reset across the Internet in 2023',
    bytes: updateFrame({ attributes: `${SOUND} e01c04 ff00ff00`, nlri: NLRI }),
    verdict: 'ok',
  },
  {
    what: 'Prefix-SID with an empty TLV: sessions reset in May 2025',
    bytes: updateFrame({ attributes: `${SOUND} c02803 010000`, nlri: NLRI }),
    verdict: 'ok',
  },
  {
    what: 'ONLY_TO_CUSTOMER of the wrong length, passed on unverified: sessions reset in October 2025',
    bytes: updateFrame({ attributes: `${SOUND} c02308 0000fde90000fde9`, nlri: NLRI }),
    verdict: 'treat-as-withdraw',
  },
  {
    what: 'an OPEN that ends at the length of its parameters: read beyond the end',
    bytes: frame(1, '04 fde9 005a c0000202 02'),
    verdict: '2/0',
  },
  {
    what: 'the mark of the extended parameters without room for their length (RFC 9072): read beyond the end',
    bytes: frame(1, '04 fde9 005a c0000202 ff ff'),
    verdict: '2/0',
  },
  {
    what: 'MP_REACH_NLRI of two octets: a crash',
    bytes: updateFrame({ attributes: '800e020001' }),
    verdict: '3/9',
  },
  {
    what: 'MP_UNREACH_NLRI without anything: a crash',
    bytes: updateFrame({ attributes: '800f00' }),
    verdict: '3/9',
  },
  {
    what: 'two length fields that contradict the message: a crash',
    bytes: frame(2, '0004 180af401 ffff 400101'),
    verdict: '3/1',
  },
  {
    what: 'prefixes without any attribute: a crash',
    bytes: updateFrame({ nlri: NLRI }),
    verdict: 'treat-as-withdraw',
  },
  {
    what: 'prefixes with nothing but an unknown attribute: a crash',
    bytes: updateFrame({ attributes: 'c06301ab', nlri: NLRI }),
    verdict: 'treat-as-withdraw',
  },
  {
    what: 'after a malformed attribute the rest of the list read as prefixes: routes nobody announced',
    bytes: updateFrame({ attributes: `400101ff ${SOUND.slice(9)} c00804 fde90001`, nlri: NLRI }),
    verdict: 'treat-as-withdraw',
  },
];
