/**
 * CLUSTER_LIST: the reflectors passed, the latest first; inside an AS only.
 * Source: RFC 4456 section 8, RFC 7606 section 7.10.
 */
import { ipv4 } from '../../net/index.js';
import { readItems } from './list-value.js';
import { type AttributeRow, OPTIONAL } from './row.js';

export const CLUSTER_LIST: AttributeRow = {
  code: 10,
  name: 'CLUSTER_LIST',
  flags: OPTIONAL,
  malformed: 'treat-as-withdraw',
  internalOnly: true,
  decode: (value, { route }) => {
    const clusters = readItems(value, 4, (item) => ipv4(item.u32()));
    if (typeof clusters === 'string') return clusters;
    route.clusterList = clusters;
    return undefined;
  },
  encode: (out, { route }) => {
    if (route?.clusterList === undefined || route.clusterList.length === 0) return false;
    for (const cluster of route.clusterList) out.u32(cluster);
    return true;
  },
};
