/**
 * Why a connection did not come about or ended, in words.
 *
 * Owns: the words for the errno of a connection, and the reading of silence: a kernel drops what has a wrong key or comes from too far
 * away without a word, so the other side sees a timeout. Must not know: sockets.
 */
import type { KernelDrops } from './kernel-drops.js';
import type { DialOptions } from './transport.js';

/** What the errno of a connection means to an operator. */
const CONNECTION_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused: nothing listens there',
  ECONNRESET: 'connection reset by the peer',
  EPIPE: 'connection closed by the peer',
  ETIMEDOUT: 'connection timed out: no answer',
  EHOSTUNREACH: 'no route to host: it does not answer on its network',
  ENETUNREACH: 'network unreachable: this machine has no route to it',
  EADDRNOTAVAIL: 'the source address is not on this machine',
  EADDRINUSE: 'the source address is in use',
  EINVAL: 'the address cannot be reached from here: a link-local one needs its device',
  EACCES: 'not permitted by this machine',
  EPERM: 'not permitted: a local firewall drops it',
};

/** @returns the words for an error of node:net; its own message where there are none */
export function connectionErrorText(error: Error): string {
  return CONNECTION_ERRORS[errorCode(error)] ?? error.message;
}

/**
 * @param options what was asked for
 * @param error of the attempt
 * @param dropped what this machine's kernel dropped meanwhile, from whomever; undefined where it does not say
 */
export function dialFailureText(
  options: DialOptions,
  error: Error,
  dropped: KernelDrops | undefined,
): string {
  switch (errorCode(error)) {
    case 'ETIMEDOUT':
      return silenceText(options, dropped);
    case 'EHOSTUNREACH':
      // A router on the way that counts the TTL down to 0 says the same as one that finds nobody (RFC 792).
      return options.ttl === undefined || options.ttl === 255
        ? connectionErrorText(error)
        : `no route to host: it does not answer, or is more than ${hops(options.ttl)} away`;
    default:
      return connectionErrorText(error);
  }
}

function silenceText(options: DialOptions, dropped: KernelDrops | undefined): string {
  const { password, minTtl } = options;
  if (minTtl !== undefined && (dropped?.ttlTooLow ?? 0) > 0) {
    return `no answer with a TTL of ${minTtl} or more: it may be too far away, or not set for TTL security`;
  }
  if (password !== undefined) {
    return (dropped?.keyMissing ?? 0) > 0
      ? 'no answer with the key: nothing may listen there, or the peer may have no key set'
      : 'no answer; the key may differ';
  }
  if (minTtl !== undefined) {
    return `no answer; it may be more than ${hops(256 - minTtl)} away (TTL security)`;
  }
  return (dropped?.keyUnexpected ?? 0) > 0
    ? 'no answer; the peer may ask for a password, and none is set here'
    : 'connection timed out: no answer';
}

function hops(count: number): string {
  return count === 1 ? 'one hop' : `${count} hops`;
}

function errorCode(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}
