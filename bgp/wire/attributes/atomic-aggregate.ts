/**
 * ATOMIC_AGGREGATE: empty. Source: RFC 4271 section 5.1.6, RFC 7606 section 7.6.
 */
import { type AttributeRow, TRANSITIVE } from './row.js';

export const ATOMIC_AGGREGATE: AttributeRow = {
  code: 6,
  name: 'ATOMIC_AGGREGATE',
  flags: TRANSITIVE,
  malformed: 'discard',
  decode: (value, { route }) => {
    if (value.remaining !== 0) return `length ${value.remaining}`;
    route.atomicAggregate = true;
    return undefined;
  },
  encode: (_out, { route }) => route?.atomicAggregate === true,
};
