/**
 * The one interface to the routers of others that the interop matrix peers with, and what every driver needs.
 *
 * Owns: the plan of the wire (addresses, AS numbers, routes) that all configurations follow, and processes with their
 * children. Must not know: any particular daemon.
 */
import { type ChildProcess, execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { end, type Namespace } from '../netns.js';
import { until } from '../until.js';

/** The agent's side. Both AS numbers need four octets (RFC 6793). */
export const AGENT = { address: '192.0.2.1', address6: 'fd00:2::1', asn: 4_200_064_512 } as const;

/** The daemon's side, with the routes that it announces and the attributes they carry. */
export const ROUTER = {
  address: '192.0.2.2',
  address6: 'fd00:2::2',
  asn: 4_200_000_001,
  /** Where it speaks 2-octet AS numbers alone. */
  shortAsn: 65_002,
  prefix: '10.244.9.0/24',
  /** Announced only where a case asks for it. */
  morePrefix: '10.244.10.0/24',
  prefix6: 'fd00:244::9:0/122',
  med: 50,
  community: '65001:7',
  largeCommunity: '65001:1:2',
} as const;

/** What stands for the agent's AS where only two octets are spoken (RFC 6793 section 9). */
export const AS_TRANS = 23_456;

/** Short, so that a frozen daemon is given up soon; the lower of both sides counts (RFC 4271 section 4.2). */
export const HOLD_TIME_SECONDS = 6;

/** An optional transitive attribute that nobody knows (RFC 4271 section 5). */
export const UNKNOWN_ATTRIBUTE = { code: 99, hex: '01020304' } as const;

/** A route that came from the agent, as the daemon shows it. */
export interface SeenRoute {
  readonly nextHop: string;
  /** AS numbers with spaces between. */
  readonly asPath: string;
  /** Absent where there is none. */
  readonly med?: number;
  readonly communities: readonly string[];
  readonly largeCommunities: readonly string[];
  /** Attributes that the daemon does not know, as `99=01020304`. */
  readonly unknown: readonly string[];
  /** RFC 4456; absent where the route was not reflected. */
  readonly originatorId?: string;
  readonly clusterList?: readonly string[];
}

/** What not every daemon can do. */
export type Feature =
  | 'refresh'
  | 'shutdown'
  | 'shutdownText'
  | 'keepsRoutes'
  | 'announcesRestart'
  | 'md5'
  | 'ttlSecurity'
  | 'showsUnknown'
  | 'sendsUnknown'
  | 'showsText'
  | 'prefixLimit'
  | 'role'
  | 'twoOctets'
  | 'internal'
  | 'reflector';

export interface StartOptions {
  /** It waits for the agent to connect; otherwise it connects itself. */
  readonly passive: boolean;
  /** It lost its sessions and says so in its OPEN (RFC 4724 section 3, the R bit). */
  readonly restarting?: boolean;
  /** TCP MD5 (RFC 2385). */
  readonly password?: string;
  /** It sends with a TTL of 255 and accepts nothing less (RFC 5082). */
  readonly ttlSecurity?: boolean;
  /** It takes so many IPv4 prefixes and no more. */
  readonly prefixLimit?: number;
  /** What it is to the agent (RFC 9234). */
  readonly role?: 'customer';
  /** It does not speak of 4-octet AS numbers, and has one of two octets. */
  readonly twoOctets?: boolean;
  /** It is in the agent's AS: one of its clients, or the reflector of the agent and of the node `OTHER_CLIENT` (RFC 4456). */
  readonly internal?: 'client' | 'reflector';
}

/** The other client of the daemon where it reflects; played by the witness. */
export const OTHER_CLIENT = { address: '192.0.2.5', block: '10.244.5.0/24' } as const;

/** The AS numbers of a session, as a daemon is configured that takes the agent for what its OPEN says in two octets. */
export function asNumbers({ internal, twoOctets }: StartOptions): {
  readonly own: number;
  readonly agent: number;
} {
  if (internal !== undefined) return { own: AGENT.asn, agent: AGENT.asn };
  return twoOctets === true
    ? { own: ROUTER.shortAsn, agent: AS_TRANS }
    : { own: ROUTER.asn, agent: AGENT.asn };
}

/** A router of somebody else's, peering with the agent. All waits are the caller's, start-up aside. */
export interface Daemon {
  readonly name: string;
  /** As the program itself says. */
  version(): Promise<string>;
  /** What it cannot do, in words. */
  readonly lacks: Readonly<Partial<Record<Feature, string>>>;
  /** With its routes announced; resolves when it answers. */
  start(options: StartOptions): Promise<void>;
  /** The orderly way. */
  stop(): Promise<void>;
  /** SIGKILL: it can tell nobody. */
  kill(): Promise<void>;
  /** It stands still; its connections stay open. */
  freeze(): void;
  thaw(): void;
  isEstablished(): Promise<boolean>;
  /** The route that the agent has announced; undefined where it has none. */
  route(prefix: string): Promise<SeenRoute | undefined>;
  announce(): Promise<void>;
  withdraw(): Promise<void>;
  /** One route more, `ROUTER.morePrefix`. */
  announceMore(): Promise<void>;
  withdrawMore(): Promise<void>;
  /** Ends the session for good by an administrative shutdown, with a text where it can (RFC 9003). */
  shutDown(text: string): Promise<void>;
  bringUp(): Promise<void>;
  /** Makes it ready at once where it would wait long after the end of a session. */
  retry?(): Promise<void>;
  /** Asks the agent for its routes again (RFC 2918). */
  askForRefresh(): Promise<void>;
  /** What it shows of the last NOTIFICATION that it received. */
  lastNotification(): Promise<string>;
  /** Where it shows the text that the agent's operator has sent (RFC 9003), among other things. */
  operatorText(): Promise<string>;
  /** Its own output. */
  log(): string;
}

/** The processes of one daemon in their namespace, with their files in a folder. */
export class Processes {
  readonly folder: string;
  readonly #namespace: Namespace;
  readonly #running = new Map<string, ChildProcess>();

  constructor(namespace: Namespace, folder: string) {
    this.#namespace = namespace;
    this.folder = folder;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  spawn(command: string, ...args: readonly string[]): void {
    this.#running.set(command, this.#namespace.spawn(command, args, this.path('log')));
  }

  isRunning(command: string): boolean {
    return this.#running.has(command);
  }

  /** Ends the program with everything that it has started. */
  async end(command: string, signal: NodeJS.Signals): Promise<void> {
    const child = this.#running.get(command);
    if (child?.pid === undefined) return;
    const tree = descendants(child.pid);
    if (signal === 'SIGKILL') send(tree, signal);
    await end(child, signal);
    send(tree, 'SIGKILL');
    // The port is free only when the last of them is gone.
    await until(`${command} and its children are gone`, () => tree.every((pid) => !isAlive(pid)));
    this.#running.delete(command);
  }

  /** Sends a signal to the program and to everything that it has started. */
  signal(command: string, signal: NodeJS.Signals): void {
    const pid = this.#running.get(command)?.pid;
    if (pid === undefined) throw new Error(`${command} does not run`);
    send([pid, ...descendants(pid)], signal);
  }

  log(): string {
    return readFileSync(this.path('log'), 'utf8');
  }
}

/** Runs a command to its end. @returns what it prints. @throws where it fails */
export async function ask(command: string, ...args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(command, args);
  return stdout === '' ? stderr : stdout;
}

function descendants(pid: number): readonly number[] {
  const listing = `/proc/${pid}/task/${pid}/children`;
  if (!existsSync(listing)) return [];
  const children = readFileSync(listing, 'utf8').split(' ').filter(Boolean).map(Number);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

function send(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    if (isAlive(pid)) process.kill(pid, signal);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}
