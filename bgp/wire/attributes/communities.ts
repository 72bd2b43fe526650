/**
 * COMMUNITIES: 32 bits each. Source: RFC 1997, RFC 7606 section 7.8.
 */
import { readItems } from './list-value.js';
import { type AttributeRow, OPTIONAL, TRANSITIVE } from './row.js';

export const COMMUNITIES: AttributeRow = {
  code: 8,
  name: 'COMMUNITIES',
  flags: OPTIONAL | TRANSITIVE,
  malformed: 'treat-as-withdraw',
  decode: (value, { route }) => {
    const communities = readItems(value, 4, (item) => item.u32());
    if (typeof communities === 'string') return communities;
    route.communities = communities;
    return undefined;
  },
  encode: (out, { route }) => {
    if (route?.communities === undefined || route.communities.length === 0) return false;
    for (const community of route.communities) out.u32(community);
    return true;
  },
};
