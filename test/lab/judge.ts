/** Pure: what was seen of a ping, at its ends and on the wires, against what its paths say. */
import type { Sighting } from './captures.js';
import type { Pair } from './pairs.js';
import type { Leg, Path } from './paths.js';
import type { Observation, Seen } from './prober.js';

/** What is wrong with a ping; undefined when it is as expected. */
export function pingFault(pair: Pair, observation: Observation): string | undefined {
  const { request, reply, failure } = observation;
  if (pair.request.lostAt !== undefined || pair.reply.lostAt !== undefined)
    return lossFault(pair, observation);
  if (failure !== undefined) return failure;
  if (request === undefined) return 'the request did not arrive';
  const wrongThere = difference('the request', request, pair.request);
  if (wrongThere !== undefined) return wrongThere;
  if (reply === undefined) return 'the request arrived, the reply did not';
  return difference('the reply', reply, pair.reply);
}

/** A ping that must not get through, in one direction or the other: nothing else may stop it. */
function lossFault(pair: Pair, { request, reply }: Observation): string | undefined {
  if (pair.request.lostAt !== undefined) {
    return request && `the request arrived; ${pair.request.lostAt} should have no way for it`;
  }
  if (request === undefined) return 'the request did not arrive';
  if (reply !== undefined) return `the reply arrived; ${pair.reply.lostAt} should have no way for it`;
  return difference('the request', request, pair.request);
}

function difference(what: string, seen: Seen, { source, ttl }: Path): string | undefined {
  if (seen.source === source && seen.ttl === ttl) return undefined;
  return `${what} came from ${seen.source} with TTL ${seen.ttl}; expected ${source} with ${ttl}`;
}

/** What passed of one packet at one capture point, and what should have. */
export interface WireFinding {
  readonly pair: Pair;
  readonly direction: 'request' | 'reply';
  /** One entry per passage: `plain`, or `ipip SOURCE>DESTINATION`. */
  readonly expected: readonly string[];
  readonly seen: readonly string[];
  readonly ok: boolean;
}

/**
 * Compares all sightings at one point with the legs that pass there, for every pair and both directions.
 *
 * @param id the ICMP identifier of the run; the sequence number of a ping is the index of its pair
 */
export function judgeWires(
  covers: (leg: Leg) => boolean,
  sightings: readonly Sighting[],
  pairs: readonly Pair[],
  id: number,
): readonly WireFinding[] {
  const passages = new Map<string, string[]>();
  for (const { echo, outer } of sightings) {
    if (echo.id !== id) continue;
    const key = `${echo.sequence} ${echo.kind}`;
    const before = passages.get(key) ?? [];
    passages.set(key, [...before, outer === undefined ? 'plain' : `ipip ${outer}`]);
  }
  const expect = ({ legs }: Path) =>
    legs
      .filter(covers)
      .map(({ outer }) => (outer === undefined ? 'plain' : `ipip ${outer.source}>${outer.destination}`));
  return pairs.flatMap((pair, sequence) =>
    (['request', 'reply'] as const).map((direction): WireFinding => {
      const expected = expect(pair[direction]);
      const seen = passages.get(`${sequence} ${direction}`) ?? [];
      return { pair, direction, expected, seen, ok: expected.join() === seen.join() };
    }),
  );
}
