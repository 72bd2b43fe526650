/**
 * The store of a lab's cluster resources, as far as the two kinds differ: a file whose Nodes the lab writes, or Redis on a
 * machine of the lab, which is given pools and peers and where nodes enter themselves.
 *
 * Owns: what is done to the store when the lab begins, grows and shrinks. Must not know: machines being made.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Resources } from '../../agent/resources/index.js';
import { formatPrefix, parseCidr, prefixOf } from '../../bgp/net/index.js';
import { addNode, type NodeEntry, readCluster, removeNode } from './cluster-nodes.js';
import { inside, mustRun, namespaceName } from './namespaces.js';
import {
  clusterFile,
  fileStore,
  lastLines,
  type Program,
  podrouteCommand,
  REDIS_PORT,
  runtimeFolder,
  startRedis,
} from './programs.js';
import type { StoreKind } from './state.js';
import { machinesOf, mainAddress, type NodeMachine, type PlainMachine, type Topology } from './topology.js';
import { TopologyError } from './topology-file.js';

export interface LabStore {
  /** As the agents are told. */
  readonly url: string;
  /** Whether a node enters itself and claims its pod subnet. */
  readonly isJoined: boolean;
  /** Puts the cluster in that the lab begins with. @returns the programs that it needs */
  readonly open: () => Promise<readonly Program[]>;
  /** Puts in what rests on the nodes being there. */
  readonly complete: () => Promise<void>;
  /** What the lab began with. */
  readonly resources: () => Resources;
  /** A node comes that does not enter itself. */
  readonly enter: (node: NodeEntry) => void;
  /** A node has gone, for good. */
  readonly leave: (name: string) => Promise<void>;
}

const READY_PATIENCE_MS = 20_000;
const CLAIM_PATIENCE_MS = 60_000;
const POLL_MS = 50;
const LOG_LINES_SHOWN = 5;

/** The store of a lab. @throws TopologyError where the topology has no place for it */
export function storeOf(lab: string, topology: Topology, kind: StoreKind): LabStore {
  switch (kind) {
    case 'file':
      return {
        url: fileStore(lab),
        isJoined: false,
        open: async () => [],
        complete: async () => {},
        resources: () => readCluster(clusterFile(lab)),
        enter: (node) => addNode(clusterFile(lab), node),
        leave: async (name) => removeNode(clusterFile(lab), name),
      };
    case 'redis': {
      const host = redisHost(topology);
      const url = storeUrl(lab, topology, kind);
      const podroute = (...words: readonly string[]) =>
        mustRun(inside(namespaceName(lab, host.name), [podrouteCommand(lab), ...words, '--datastore', url]));
      return {
        url,
        isJoined: true,
        open: async () => {
          const redis = startRedis(lab, host.name, mainAddress(host));
          await redisReady(redis);
          await podroute('apply', '-f', clusterFile(lab));
          return [redis];
        },
        complete: async () => {
          const after = topology.joining?.after;
          if (after !== undefined) await podroute('apply', '-f', after);
        },
        resources: () => readCluster(clusterFile(lab)),
        enter: () => {},
        leave: async (name) => {
          const { gone, hasClaims } = belongingsOf(await podroute('get', 'all', '-o', 'json'), name);
          if (gone.length > 0) await podroute('delete', ...gone);
          // What a node has claimed stays its own until somebody says that it will not come back.
          if (hasClaims) await podroute('ipam', 'release', '--node', name, '--force');
        },
      };
    }
    default:
      return kind satisfies never;
  }
}

/** How the agents of a lab are told of its store. */
export function storeUrl(lab: string, topology: Topology, kind: StoreKind): string {
  return kind === 'file' ? fileStore(lab) : `redis://${mainAddress(redisHost(topology))}:${REDIS_PORT}`;
}

/** The resources that the store of a lab begins with. @throws TopologyError where the topology has none */
export function firstResources(topology: Topology, kind: StoreKind): string {
  if (kind === 'file') return topology.clusterFile;
  if (topology.joining !== undefined) return topology.joining.before;
  throw new TopologyError(
    'this topology names no resources that nodes could join (`joining`): leave --datastore redis out',
  );
}

/** The pod subnets that nodes have claimed, as their agents write them down; waits until all have. */
export async function claimedSubnets(
  lab: string,
  nodes: readonly NodeMachine[],
  programs: readonly Program[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const deadline = performance.now() + CLAIM_PATIENCE_MS;
  for (;;) {
    signal.throwIfAborted();
    const found = nodes.map(({ name }) => [name, claimedSubnet(lab, name)] as const);
    const claims = found.flatMap(([name, subnet]) => (subnet === undefined ? [] : [[name, subnet] as const]));
    if (claims.length === nodes.length) return new Map(claims);
    const isPointless = programs.some((program) => program.ended() !== undefined);
    if (isPointless || performance.now() > deadline) {
      const late = found.filter(([, subnet]) => subnet === undefined).map(([name]) => name);
      const logs = programs.filter(({ machine }) => late.includes(machine));
      const words = logs.flatMap((program) => lastLines(program, LOG_LINES_SHOWN));
      throw new Error([`${late.join(', ')} claimed no pod subnet:`, ...words].join('\n'));
    }
    await sleep(POLL_MS);
  }
}

/** By `subnet.env`, where the subnet has the form of the bridge's address. */
function claimedSubnet(lab: string, node: string): string | undefined {
  const text = readIfThere(join(runtimeFolder(lab, node), 'subnet.env'));
  const cidr = parseCidr(/^FLANNEL_SUBNET=(.*)$/m.exec(text ?? '')?.[1] ?? '');
  return cidr && formatPrefix(prefixOf(cidr.address, cidr.lengthBits));
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** What of the answer of `podroute get all` a node leaves behind: itself, the peers of it alone, its claims. */
function belongingsOf(
  answer: string,
  node: string,
): { readonly gone: readonly string[]; readonly hasClaims: boolean } {
  const { items } = JSON.parse(answer) as {
    items: readonly { kind: string; metadata: { name: string }; spec?: { node?: string } }[];
  };
  const gone = items.filter(
    ({ kind, metadata, spec }) =>
      (kind === 'BGPPeer' && spec?.node === node) || (kind === 'Node' && metadata.name === node),
  );
  return {
    gone: gone.map(({ kind, metadata }) => `${kind}/${metadata.name}`),
    hasClaims: items.some(({ kind, spec }) => kind === 'BlockAffinity' && spec?.node === node),
  };
}

/** A machine that every node reaches without any pod route: the first plain router. */
function redisHost(topology: Topology): PlainMachine {
  const [router] = machinesOf(topology, 'router');
  if (router === undefined)
    throw new TopologyError('Redis runs on a plain router, and this topology has none');
  return router;
}

async function redisReady(redis: Program): Promise<void> {
  const deadline = performance.now() + READY_PATIENCE_MS;
  while (!readFileSync(redis.logFile, 'utf8').includes('Ready to accept connections')) {
    if (redis.ended() !== undefined || performance.now() > deadline) {
      throw new Error(`Redis does not start:\n${lastLines(redis, LOG_LINES_SHOWN).join('\n')}`);
    }
    await sleep(POLL_MS);
  }
}
