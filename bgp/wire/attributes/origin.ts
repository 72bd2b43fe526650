/**
 * ORIGIN: one octet. Source: RFC 4271 section 5.1.1, RFC 7606 section 7.1.
 */
import type { Origin } from '../message.js';
import { type AttributeRow, TRANSITIVE } from './row.js';

/** In the order of the numbers on the wire. */
const ORIGINS: readonly Origin[] = ['IGP', 'EGP', 'INCOMPLETE'];

export const ORIGIN: AttributeRow = {
  code: 1,
  name: 'ORIGIN',
  flags: TRANSITIVE,
  malformed: 'treat-as-withdraw',
  decode: (value, { route }) => {
    if (value.remaining !== 1) return `length ${value.remaining}`;
    const number = value.u8();
    const origin = ORIGINS[number];
    if (origin === undefined) return `undefined value ${number}`;
    route.origin = origin;
    return undefined;
  },
  encode: (out, { route }) => {
    if (route === undefined) return false;
    out.u8(ORIGINS.indexOf(route.origin));
    return true;
  },
};
