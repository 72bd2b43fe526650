/** Starts the lab's long-running programs in their namespaces: one agent per node, BIRD on every router that has it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, copyFileSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inside, mustRun, namespaceName } from './namespaces.js';
import { labFolder } from './state.js';
import type { BirdMachine, BirdNodeMachine, NodeMachine, Topology } from './topology.js';

/** Where every agent answers, each in its own namespace. */
export const API_ADDRESS = '127.0.0.1:9179';

export const REDIS_PORT = 6379;

/** A program that was started. */
export interface Program {
  readonly machine: string;
  readonly title: string;
  readonly logFile: string;
  /** Milliseconds on the clock of `performance.now()`. */
  readonly startedAtMs: number;
  /** How it ended, in words; undefined while it runs. */
  readonly ended: () => string | undefined;
  /** Sends a signal and resolves once the program has ended. */
  readonly end: (signal: NodeJS.Signals) => Promise<void>;
  /** Lets this process end before the program does. */
  readonly release: () => void;
}

/** Prepares the files that programs and people use: the cluster, and commands that know where to look. */
export function prepareFolder(lab: string, topology: Pick<Topology, 'clusterFile'>, agentFile: string): void {
  const folder = labFolder(lab);
  mkdirSync(commandFolder(lab), { recursive: true });
  copyFileSync(topology.clusterFile, clusterFile(lab));
  writeCommand(lab, 'podroute', `exec '${process.execPath}' '${agentFile}' "$@"`);
  // birdc looks for one socket in a fixed place; here every router has its own, and `enter` says which one it is.
  writeCommand(lab, 'birdc', `exec /usr/sbin/birdc -s '${folder}'/"$PODROUTE_LAB_MACHINE".ctl "$@"`);
}

/** The control socket of a router's BIRD. */
export function birdSocket(lab: string, router: string): string {
  return join(labFolder(lab), `${router}.ctl`);
}

/** Commands of the lab, first in the PATH of whoever enters a machine. */
export function commandFolder(lab: string): string {
  return join(labFolder(lab), 'bin');
}

/** The podroute command of the lab's agent. */
export function podrouteCommand(lab: string): string {
  return join(commandFolder(lab), 'podroute');
}

/** What the agent or BIRD of a machine has written. */
export function logFile(lab: string, machine: string): string {
  return join(labFolder(lab), `${machine}.log`);
}

/** The runtime folder of a node's agent: its network namespace is its own, the machine's /run is not. */
export function runtimeFolder(lab: string, node: string): string {
  return join(labFolder(lab), `${node}.run`);
}

/** What the agent of a node keeps over a restart of its machine. */
export function stateFolder(lab: string, node: string): string {
  return join(labFolder(lab), `${node}.state`);
}

/** Where a node's agent keeps what it keeps, as its flags and those of `podroute cleanup` say it. */
export function folderFlags(lab: string, node: string): readonly string[] {
  return ['--run-dir', runtimeFolder(lab, node), '--state-dir', stateFolder(lab, node)];
}

export function clusterFile(lab: string): string {
  return join(labFolder(lab), 'cluster.yaml');
}

/** The cluster's file as a store. */
export function fileStore(lab: string): string {
  return `file:${clusterFile(lab)}`;
}

function writeCommand(lab: string, name: string, line: string): void {
  writeFileSync(join(commandFolder(lab), name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
}

/** The agent of a node, as the systemd unit would start it. */
export function startAgent(
  lab: string,
  node: NodeMachine,
  agentFile: string,
  datastore = fileStore(lab),
): Program {
  return start(lab, node.name, 'agent', [
    ...[process.execPath, agentFile, 'agent'],
    ...['--node-name', node.name],
    ...['--datastore', datastore],
    ...['--api', API_ADDRESS],
    ...folderFlags(lab, node.name),
  ]);
}

/** BIRD with a configuration, that of deploy/ for the lab's own router; `flags` such as `-R` for a graceful restart. */
export function startBird(
  lab: string,
  { name, config }: Pick<BirdMachine, 'name' | 'config'>,
  flags: readonly string[] = [],
): Program {
  // -d: in the foreground, with its messages on standard error.
  const options = ['-d', '-c', config, '-s', birdSocket(lab, name), ...flags];
  return start(lab, name, 'BIRD', ['/usr/sbin/bird', ...options]);
}

/** Redis on one address of a machine, without a copy on disk: what is in it comes and goes with the lab. */
export function startRedis(lab: string, machine: string, address: string): Program {
  const keepsNothing = ['--save', '', '--appendonly', 'no', '--dir', labFolder(lab)];
  // Whoever can reach the address is of the lab.
  const listens = ['--bind', address, '--port', String(REDIS_PORT), '--protected-mode', 'no'];
  return start(lab, machine, 'Redis', ['/usr/bin/redis-server', ...listens, ...keepsNothing]);
}

/** Tunnel and kernel settings of a member without an agent: the script from deploy/, unchanged. */
export async function setUpBirdNode(lab: string, { name, setup }: BirdNodeMachine): Promise<void> {
  await mustRun(inside(namespaceName(lab, name), ['sh', setup]));
}

/** The last lines that a program wrote, for an error text. */
export function lastLines(program: Program, count: number): readonly string[] {
  return readFileSync(program.logFile, 'utf8').trimEnd().split('\n').slice(-count);
}

function start(lab: string, machine: string, title: string, argv: readonly string[]): Program {
  const log = openSync(logFile(lab, machine), 'a');
  const [file = '', ...args] = inside(namespaceName(lab, machine), argv);
  // A session of its own: a Ctrl-C on our terminal must not reach it before the lab decides what to do.
  const child = spawn(file, args, { stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  let failure: string | undefined;
  child.once('error', (error) => {
    failure = error.message;
  });
  return {
    machine,
    title,
    logFile: logFile(lab, machine),
    startedAtMs: performance.now(),
    ended: () => failure ?? endOf(child),
    end: async (signal) => {
      if (endOf(child) !== undefined) return;
      const ended = once(child, 'exit');
      child.kill(signal);
      await ended;
    },
    release: () => child.unref(),
  };
}

function endOf(child: ChildProcess): string | undefined {
  if (child.exitCode !== null) return `exit status ${child.exitCode}`;
  return child.signalCode === null ? undefined : `signal ${child.signalCode}`;
}
