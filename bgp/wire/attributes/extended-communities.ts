/**
 * EXTENDED COMMUNITIES: 64 bits each. Source: RFC 4360, RFC 7606 section 7.14.
 */
import { readItems } from './list-value.js';
import { type AttributeRow, OPTIONAL, TRANSITIVE } from './row.js';

export const EXTENDED_COMMUNITIES: AttributeRow = {
  code: 16,
  name: 'EXTENDED_COMMUNITIES',
  flags: OPTIONAL | TRANSITIVE,
  malformed: 'treat-as-withdraw',
  decode: (value, { route }) => {
    const communities = readItems(value, 8, (item) => item.u64());
    if (typeof communities === 'string') return communities;
    route.extendedCommunities = communities;
    return undefined;
  },
  encode: (out, { route }) => {
    if (route?.extendedCommunities === undefined || route.extendedCommunities.length === 0) return false;
    for (const community of route.extendedCommunities) out.u64(community);
    return true;
  },
};
