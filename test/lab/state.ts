/**
 * What a lab leaves on the machine while it exists: a folder under /run and a lock.
 *
 * Owns: the folder's place and contents, and the rule that one lab of a name exists at a time. Must not know: what is
 * in the lab. A killed lab leaves both; its lock names a process that is no more, so the next one takes over.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identifyProcess, isAlive, type ProcessIdentity } from '../support/process-identity.js';

const ROOT = '/run/podroute-lab';

/** What later commands (`enter`, `check`, `down`) need to know of a lab. */
export interface LabRecord {
  readonly name: string;
  /** Of a lab that can grow: its own copy, the topology as it is now. */
  readonly topologyFile: string;
  /** Whether it is inside a User-Mode Linux machine, or right here. */
  readonly inUml: boolean;
  /** What its nodes have in common, those to come too; absent where others start the programs. */
  readonly nodes?: NodeSetup;
}

/** How the nodes of a lab are set up. */
export interface NodeSetup {
  /** The bundled agent. */
  readonly agentFile: string;
  /** The strictness of the reverse path filter: 0 off, 1 strict, 2 loose. */
  readonly rpFilter: number;
  readonly datastore: StoreKind;
}

/** Where the cluster resources are: in a file that all agents watch, or in Redis, where nodes enter themselves. */
export type StoreKind = 'file' | 'redis';

/** A living process is at work on a lab of this name. */
export class LabBusyError extends Error {
  readonly code = 'LAB_BUSY';
}

/** Logs, captures, sockets and the cluster file of a lab. */
export function labFolder(name: string): string {
  return join(ROOT, name);
}

/** The folder that a User-Mode Linux machine shares with us; beside the other, which inside is the lab's own. */
export function umlFolder(name: string): string {
  return join(ROOT, `${name}.uml`);
}

/** The record of a lab that exists; undefined when there is none. */
export function readLab(name: string): LabRecord | undefined {
  const path = recordPath(name);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}

export function writeLab(record: LabRecord): void {
  mkdirSync(labFolder(record.name), { recursive: true });
  writeFileSync(recordPath(record.name), JSON.stringify(record));
}

/** The names of the labs that are there, whole or in pieces. */
export function labNames(): readonly string[] {
  if (!existsSync(ROOT)) return [];
  const folders = readdirSync(ROOT).filter((entry) => !entry.endsWith('.lock'));
  return [...new Set(folders.map((entry) => entry.replace(/\.uml$/, '')))];
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/**
 * Keeps others from working on a lab until the returned function is called.
 *
 * @throws LabBusyError while another process holds it
 */
export function lockLab(name: string): () => void {
  mkdirSync(ROOT, { recursive: true });
  const lock = takeLock(join(ROOT, `${name}.lock`));
  if ('holder' in lock) {
    throw new LabBusyError(`lab ${name} is busy: process ${lock.holder.pid} is at work on it`);
  }
  return () => {
    lock.release();
    if (readdirSync(ROOT).length === 0) rmdirSync(ROOT);
  };
}

/** Makes a lock file that names this process, unless a living process has it. One left by a dead process is taken over. */
export function takeLock(
  path: string,
): { readonly release: () => void } | { readonly holder: ProcessIdentity } {
  for (;;) {
    try {
      writeFileSync(path, JSON.stringify(identifyProcess(process.pid)), { flag: 'wx' });
      return { release: () => rmSync(path, { force: true }) };
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
    const holder = readHolder(path);
    if (holder !== undefined && isAlive(holder)) return { holder };
    rmSync(path, { force: true });
  }
}

/** Who wrote a lock; undefined when it is gone again or was cut short by a kill. */
function readHolder(path: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function recordPath(name: string): string {
  return join(labFolder(name), 'lab.json');
}
