/**
 * How often somebody may connect.
 *
 * Owns: the rate at which connections are looked at; what is above it is closed without a word, which costs a few microseconds and no
 * log line of its own. Must not know: who is a peer.
 */
import type { Logger } from 'pino';
import { formatIpAddress, type IpAddress } from '../net/index.js';
import type { Clock } from './clock.js';

/** A peer needs one connection, two where both dial, and one more for each time it fails. */
const PEER_RATE = { burst: 20, perSecond: 1 };
/** All others together; a rack of new neighbours that starts at one time is let in within seconds. */
const STRANGER_RATE = { burst: 64, perSecond: 16 };
/** One line about connections above the rate in this time. */
const LOG_INTERVAL_MS = 60_000;
/** Peers remembered; the one that was quiet longest is forgotten first. */
const MAX_BUCKETS = 4_096;

interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** A token bucket: full at first, one token a connection. */
class Bucket {
  readonly #rate: Rate;
  #tokens: number;
  #atMs: number;

  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#atMs = nowMs;
  }

  take(nowMs: number): boolean {
    const elapsedMs = Math.max(nowMs - this.#atMs, 0);
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + (elapsedMs * this.#rate.perSecond) / 1000);
    this.#atMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

export class Admission {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #peers = new Map<IpAddress, Bucket>();
  readonly #strangers: Bucket;
  #refused = 0;
  #loggedAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
    this.#strangers = new Bucket(STRANGER_RATE, clock.now());
  }

  /** @returns false for a connection above the rate, which the caller closes without a word */
  admits(address: IpAddress, isPeer: boolean): boolean {
    const nowMs = this.#clock.now();
    if ((isPeer ? this.#bucketOf(address, nowMs) : this.#strangers).take(nowMs)) return true;
    this.#refused += 1;
    if (nowMs - this.#loggedAtMs >= LOG_INTERVAL_MS) {
      this.#log.warn(
        { address: formatIpAddress(address), connections: this.#refused, fault: 'remote' },
        'too many connections: those above the rate are closed at once',
      );
      this.#loggedAtMs = nowMs;
      this.#refused = 0;
    }
    return false;
  }

  #bucketOf(address: IpAddress, nowMs: number): Bucket {
    const bucket = this.#peers.get(address) ?? new Bucket(PEER_RATE, nowMs);
    // The one that connected last comes last, so the first is the one that was quiet longest.
    this.#peers.delete(address);
    this.#peers.set(address, bucket);
    for (const quietest of this.#peers.keys()) {
      if (this.#peers.size <= MAX_BUCKETS) break;
      this.#peers.delete(quietest);
    }
    return bucket;
  }
}
