/**
 * `GET /status`, `/healthz` and `/readyz`: the agent as a whole.
 *
 * Owns: the shapes. `/healthz` says that the process answers, `/readyz` whether traffic may rely on it.
 */
import { type Static, Type } from 'typebox';
import { asNumber, count, list, orNull, record, time } from './shape.js';

const Failure = record({ text: Type.String(), at: time() });

const Tunnel = record({
  device: Type.String(),
  address: orNull(Type.String()),
  mtu: orNull(count('bytes')),
  state: Type.Enum(['up', 'down', 'absent']),
});

const Nat = record({
  state: Type.Enum(['on', 'pending', 'failed']),
  pools: list(Type.String(), 'the pools with natOutgoing'),
  reason: orNull(Type.String(), 'why it failed'),
  repairs: count('how often another program had changed or removed the rules'),
});

const Candidate = record({
  address: Type.String({ description: 'with the prefix length of its network' }),
  interface: orNull(Type.String()),
  reason: Type.String({ description: 'why it is, or is not, the address of this node' }),
});

const Cluster = record({
  address: orNull(Candidate, 'null: not entered yet'),
  alternatives: list(Candidate, 'the other addresses of this machine'),
  silent: list(Type.String(), 'nodes that the store does not hear, and that live by what BGP shows'),
  gone: list(Type.String(), 'nodes that have left the mesh, because nobody hears them'),
});

const Alarm = record({ text: Type.String(), since: time() });

const Setting = record({
  name: Type.String({ description: 'as sysctl(8) writes it' }),
  value: Type.String({ description: 'what the agent set' }),
  before: Type.String({ description: 'what `podroute cleanup` puts back' }),
});

/** What the agent reports; the answer adds `readiness`. */
export const AgentStatus = record({
  node: Type.String(),
  version: Type.String(),
  startedAt: time(),
  uptimeSeconds: Type.Number({ minimum: 0 }),
  localAs: asNumber(),
  bgpIdentifier: Type.String(),
  listen: list(Type.String(), 'where BGP peers may connect; empty: nowhere'),
  datastore: record({
    source: Type.String({ description: 'without secrets' }),
    state: Type.Enum(['connecting', 'ok', 'failed', 'unreachable', 'refusing'], {
      description:
        'failed: what it holds is wrong; unreachable: no answer; refusing: it takes no writes. What was read last is in force',
    }),
    since: time(),
    reason: orNull(Type.String(), 'why it is unreachable or refusing'),
    notes: list(Type.String(), 'what is held back or made good just now'),
    lastError: orNull(Failure),
  }),
  cluster: orNull(Cluster, 'null: the nodes are written by hand'),
  dataplane: record({
    enabled: Type.Boolean(),
    tunnel: orNull(Tunnel, 'null: no route needs one'),
    drift: count(
      'routes of ours that were found missing or altered in the kernel since the start, and put right',
    ),
    failures: count('kernel operations that failed since the start'),
    lastError: orNull(Failure),
    nat: orNull(Nat, 'null: no pool asks for outgoing NAT'),
    settings: list(Setting, 'kernel settings that were changed so that packets are forwarded'),
  }),
  pods: record({
    subnets: list(Type.String(), 'the pod subnets of this node'),
    mtu: orNull(count('bytes'), 'what pods can use; null: not known yet, or the data plane is off'),
  }),
  counts: record({
    peers: count(),
    peersEstablished: count(),
    routes: count(),
    routesOk: count('as they should be: in state ok or blackhole'),
  }),
  config: record({
    generation: count('how many configurations were in force, this one included'),
    loadedAt: time(),
  }),
  configErrors: list(
    Type.String(),
    'what is wrong with the newest configuration, one line each; while there is any, the one of `config` stays in force',
  ),
  alarms: list(Alarm, 'what somebody has to look into although everything goes on, the oldest first'),
});

export const Readiness = record({
  ready: Type.Boolean(),
  reasons: list(Type.String(), 'why not, one sentence each; empty when ready'),
  details: list(Type.String(), 'what is not well, ready or not: a store that is away, alarms'),
});

export const Status = record({ ...AgentStatus.properties, readiness: Readiness });

export const Health = record({ status: Type.Literal('ok') });

export type AgentStatusRow = Static<typeof AgentStatus>;
export type ReadinessRow = Static<typeof Readiness>;
export type StatusRow = Static<typeof Status>;
