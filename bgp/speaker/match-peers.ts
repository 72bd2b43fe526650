/**
 * Which of the peers that shall be are there already: by name, else by address, where the peer only got another name.
 *
 * Owns: the matching. Must not know: sessions; what a change needs.
 */
import type { PeerConfig } from './types.js';

/** What becomes of each peer. */
export interface PeerMatch<T> {
  /** With the settings that it shall have. */
  readonly kept: readonly (readonly [T, PeerConfig])[];
  readonly gone: readonly T[];
  readonly added: readonly PeerConfig[];
}

export function matchPeers<T extends { readonly config: PeerConfig }>(
  peers: readonly T[],
  configs: readonly PeerConfig[],
): PeerMatch<T> {
  const byId = new Map(configs.map((config) => [config.id, config]));
  const nameless = peers.filter(({ config }) => !byId.has(config.id));
  for (const { config } of peers) byId.delete(config.id);
  const byAddress = new Map([...byId.values()].map((config) => [addressKey(config), config]));
  const renamed = new Map<T, PeerConfig>();
  for (const peer of nameless) {
    const config = byAddress.get(addressKey(peer.config));
    if (config === undefined) continue;
    renamed.set(peer, config);
    byId.delete(config.id);
  }
  const all = new Map(configs.map((config) => [config.id, config]));
  return {
    kept: peers.flatMap((peer) => {
      const config = all.get(peer.config.id) ?? renamed.get(peer);
      return config === undefined ? [] : [[peer, config] as const];
    }),
    gone: nameless.filter((peer) => !renamed.has(peer)),
    added: [...byId.values()],
  };
}

function addressKey({ address, zone }: PeerConfig): string {
  return `${address}%${zone ?? ''}`;
}
