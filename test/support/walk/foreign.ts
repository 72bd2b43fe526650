/** The words that the walk's other program says to `ip route`. */
import type { ForeignRoute, NodePlan } from './world.js';

export function foreignWords({ gateway }: NodePlan, { prefix, metric, type }: ForeignRoute): string {
  return type === 'blackhole'
    ? `blackhole ${prefix} proto 4 metric ${metric}`
    : `${prefix} via ${gateway} dev eth0 proto 4 metric ${metric}`;
}
