/**
 * The built-in policy: pod subnets travel, nothing else does. The explicit policy that RFC 8212 asks for.
 *
 * Owns: what is imported and exported by default, and the sentence that says why not. Must not know: tables, and the
 * protocol's own rules (loops, reflection, attributes, next hops), which the Rib applies to whatever is accepted.
 */
import { formatPrefix, isDefaultRoute, type Prefix, prefixContains } from '../net/index.js';
import type { Path, PolicyVerdict, RibPeer, RoutePolicy } from '../rib/index.js';

export interface PoolPolicyOptions {
  /** Subnets of the enabled IPPools. */
  readonly pools: readonly Prefix[];
  /** Those of `pools` that BGP may tell of: without `disableBGPExport`. */
  readonly exportablePools: readonly Prefix[];
  /** The pod subnets of this node. */
  readonly ownBlocks: readonly Prefix[];
  /** Prefixes to announce besides, as configured; told to every peer, in a pool or not. */
  readonly advertisements: readonly Prefix[];
}

const ACCEPT: PolicyVerdict = { accept: true };

export function poolPolicy(options: PoolPolicyOptions): RoutePolicy {
  const { pools, exportablePools, ownBlocks } = options;
  const own = new Set(ownBlocks);
  const advertised = new Set(options.advertisements);

  function importRoute(_peer: RibPeer, prefix: Prefix): PolicyVerdict {
    if (isDefaultRoute(prefix)) return reject('a default route is not imported');
    // It would draw the traffic of our own pods away. A wider prefix cannot: our blocks are longer.
    const block = ownBlocks.find((candidate) => prefixContains(candidate, prefix));
    if (block !== undefined) return reject(`it is in ${formatPrefix(block)}, a block of this node`);
    if (!isInside(pools, prefix)) return reject('it is in no enabled IPPool');
    return ACCEPT;
  }

  function exportRoute(peer: RibPeer, prefix: Prefix, path: Path): PolicyVerdict {
    if (advertised.has(prefix) && path.peer === undefined) return ACCEPT;
    if (path.peer?.place === 'outside') {
      return reject(
        `it was announced by ${path.peer.id}, a router outside the cluster: a node is no transit`,
      );
    }
    if (isInside(pools, prefix) && !isInside(exportablePools, prefix)) {
      return reject('its IPPool has disableBGPExport');
    }
    return path.peer === undefined ? exportOwn(prefix) : exportLearned(peer, prefix, path.peer);
  }

  function exportOwn(prefix: Prefix): PolicyVerdict {
    return own.has(prefix) ? ACCEPT : reject('it is no block of this node and no configured advertisement');
  }

  /** Of a route that a node of the cluster has announced. */
  function exportLearned(peer: RibPeer, prefix: Prefix, source: RibPeer): PolicyVerdict {
    if (!isInside(pools, prefix)) return reject('it is in no enabled IPPool');
    if (peer.place === 'outside') return ACCEPT;
    // Among nodes only a reflector passes routes on; whether this is one, the Rib has decided (RFC 4456).
    if (peer.type === 'ibgp' && source.type === 'ibgp') return ACCEPT;
    return reject(`it was announced by ${source.id}: nodes tell each other of their own blocks only`);
  }

  return { importRoute, exportRoute };
}

function isInside(subnets: readonly Prefix[], prefix: Prefix): boolean {
  return subnets.some((subnet) => prefixContains(subnet, prefix));
}

function reject(reason: string): PolicyVerdict {
  return { accept: false, reason };
}
