/**
 * LARGE_COMMUNITY: three times 32 bits each. Source: RFC 8092.
 */
import { readItems } from './list-value.js';
import { type AttributeRow, OPTIONAL, TRANSITIVE } from './row.js';

export const LARGE_COMMUNITY: AttributeRow = {
  code: 32,
  name: 'LARGE_COMMUNITY',
  flags: OPTIONAL | TRANSITIVE,
  malformed: 'treat-as-withdraw',
  decode: (value, { route }) => {
    const communities = readItems(value, 12, (item) => ({
      globalAdministrator: item.u32(),
      localData1: item.u32(),
      localData2: item.u32(),
    }));
    if (typeof communities === 'string') return communities;
    route.largeCommunities = communities;
    return undefined;
  },
  encode: (out, { route }) => {
    if (route?.largeCommunities === undefined || route.largeCommunities.length === 0) return false;
    for (const { globalAdministrator, localData1, localData2 } of route.largeCommunities) {
      out.u32(globalAdministrator).u32(localData1).u32(localData2);
    }
    return true;
  },
};
