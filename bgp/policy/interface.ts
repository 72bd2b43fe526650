/**
 * By which interface a route's next hop is reached.
 *
 * Owns: the meaning of a rule's `interface`. Must not know: where the table comes from. Source: Calico asks BIRD for
 * `ifname`, which is the interface of the route's next hop; routes without one match no such rule.
 */
import { addressFamily, familyBits, type IpAddress, type Prefix, prefixOf } from '../net/index.js';
import type { Path } from '../rib/index.js';

/** The name of the device by which the addresses of a prefix are reached; the longest match counts. `undefined`: by none. */
export type InterfaceTable = ReadonlyMap<Prefix, string | undefined>;

export function interfaceTowards(table: InterfaceTable, address: IpAddress): string | undefined {
  for (let length = familyBits(addressFamily(address)); length >= 0; length--) {
    const prefix = prefixOf(address, length);
    if (table.has(prefix)) return table.get(prefix);
  }
  return undefined;
}

/** @param pattern a name in which `*` stands for any letters, and for none */
export function throughInterface(pattern: string, table: InterfaceTable): (path: Path) => boolean {
  const names = new RegExp(`^${pattern.split('*').map(literally).join('.*')}$`);
  const answers = new Map<IpAddress, boolean>();
  return ({ peer, nextHop: { address } }) => {
    // This node's own routes lead nowhere else.
    if (peer === undefined) return false;
    let answer = answers.get(address);
    if (answer === undefined) {
      const name = interfaceTowards(table, address);
      answer = name !== undefined && names.test(name);
      answers.set(address, answer);
    }
    return answer;
  };
}

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
