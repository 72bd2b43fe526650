/**
 * What the kernel dropped without telling the socket: segments with a wrong key, without one, or from too far away.
 *
 * Owns: reading the counters of this network namespace. They are not per peer: a caller says "may" with them. Must not know: peers.
 * Source: linux/snmp.h (LINUX_MIB_TCPMD5*, LINUX_MIB_TCPMINTTLDROP), proc(5).
 */
import { readFileSync } from 'node:fs';

/** Segments dropped since the namespace exists. */
export interface KernelDrops {
  /** A key is set here, and the segment carried none. */
  readonly keyMissing: number;
  /** No key is set here, and the segment carried one. */
  readonly keyUnexpected: number;
  /** Both have a key, and they differ. */
  readonly keyWrong: number;
  /** The TTL was below what TTL security asks for. */
  readonly ttlTooLow: number;
}

const COUNTERS = {
  keyMissing: 'TCPMD5NotFound',
  keyUnexpected: 'TCPMD5Unexpected',
  keyWrong: 'TCPMD5Failure',
  ttlTooLow: 'TCPMinTTLDrop',
} as const satisfies Record<keyof KernelDrops, string>;

const NETSTAT = '/proc/net/netstat';

/** @returns the counters now; undefined where this machine does not show them (no procfs, not Linux) */
export function readKernelDrops(): KernelDrops | undefined {
  try {
    return parseNetstat(readFileSync(NETSTAT, 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}

/** The file is pairs of lines, names above values: `TcpExt: A B` and `TcpExt: 1 2`. A counter that is not there is 0. */
export function parseNetstat(text: string): KernelDrops {
  const [names, values] = text
    .split('\n')
    .filter((line) => line.startsWith('TcpExt: '))
    .map((line) => line.split(' '));
  const count = (name: string) => Number(values?.[names?.indexOf(name) ?? -1] ?? 0);
  return {
    keyMissing: count(COUNTERS.keyMissing),
    keyUnexpected: count(COUNTERS.keyUnexpected),
    keyWrong: count(COUNTERS.keyWrong),
    ttlTooLow: count(COUNTERS.ttlTooLow),
  };
}

/** What was dropped between two readings. */
export function dropsSince(before: KernelDrops, after: KernelDrops): KernelDrops {
  return {
    keyMissing: after.keyMissing - before.keyMissing,
    keyUnexpected: after.keyUnexpected - before.keyUnexpected,
    keyWrong: after.keyWrong - before.keyWrong,
    ttlTooLow: after.ttlTooLow - before.ttlTooLow,
  };
}
