/**
 * Pure: the TCP between pods as it passed one point, against what the paths of the two ends say of it.
 *
 * Owns: how packets are dressed (plain or in IPIP), and that nobody may cut them to pieces. Source: RFC 1191, RFC 2003.
 */
import { type Ipv4Header, PROTOCOL_IPIP, PROTOCOL_TCP, readIpv4 } from './icmp.js';
import type { Pair } from './pairs.js';
import type { Leg } from './paths.js';

/** What was seen of one direction. */
interface Stream {
  readonly dresses: Set<string>;
  readonly faults: Set<string>;
}

/** How packets look on the legs: `plain`, or `ipip SOURCE>DESTINATION`; each look once, sorted. */
export function dressesOf(legs: readonly Leg[]): readonly string[] {
  return [...new Set(legs.map(({ outer }) => dress(outer)))].sort();
}

function dress(outer: { readonly source: string; readonly destination: string } | undefined): string {
  return outer === undefined ? 'plain' : `ipip ${outer.source}>${outer.destination}`;
}

/** Takes the packets of one capture. */
export class StreamBook {
  /** By `SOURCE>DESTINATION`, the pods' own addresses. */
  readonly #streams = new Map<string, Stream>();

  /** Enters an IPv4 packet; what is no TCP is passed over. */
  note(packet: Buffer): void {
    const outside = readIpv4(packet);
    if (outside === undefined) return;
    const isTunnelled = outside.protocol === PROTOCOL_IPIP;
    const inside = isTunnelled ? readIpv4(outside.payload) : outside;
    if (inside === undefined || inside.protocol !== PROTOCOL_TCP) return;
    const { dresses, faults } = this.#stream(inside);
    dresses.add(dress(isTunnelled ? outside : undefined));
    for (const header of isTunnelled ? [outside, inside] : [inside]) {
      const fault = headerFault(header);
      if (fault !== undefined) faults.add(fault);
    }
  }

  /** What was wrong with the packets between two pods; undefined: they passed as their paths say, or not at all. */
  faultOf({ request, reply }: Pair, covers: (leg: Leg) => boolean): string | undefined {
    const faults = [request, reply].flatMap(({ source, destination, legs }) => {
      const stream = this.#streams.get(`${source}>${destination}`);
      const expected = dressesOf(legs.filter(covers)).join(', ') || 'nothing';
      const seen = [...(stream?.dresses ?? [])].sort().join(', ') || 'nothing';
      return [
        ...(seen === expected ? [] : [`saw ${seen} from ${source}; expected ${expected}`]),
        ...(stream?.faults ?? []),
      ];
    });
    return faults.length === 0 ? undefined : faults.join('; ');
  }

  #stream({ source, destination }: Ipv4Header): Stream {
    const key = `${source}>${destination}`;
    const stream = this.#streams.get(key) ?? { dresses: new Set(), faults: new Set() };
    this.#streams.set(key, stream);
    return stream;
  }
}

/** RFC 1191 section 3: what finds the size of packets forbids their fragmentation. */
function headerFault({ source, destination, dontFragment, isFragment }: Ipv4Header): string | undefined {
  if (isFragment) return `a fragment from ${source} to ${destination}`;
  return dontFragment ? undefined : `a packet from ${source} to ${destination} without DF`;
}
