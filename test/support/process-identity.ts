/**
 * Which process a number meant when it was written down: a process id alone may since belong to a stranger.
 *
 * Source: proc(5), /proc/PID/stat field 22 (start time in clock ticks since boot).
 */
import { readdirSync, readFileSync } from 'node:fs';

/** A process that can be recognised later, across restarts of the one who wrote it down. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks between boot and the start of the process. */
  readonly startTicks: string;
  readonly bootId: string;
}

/** Identifies a living process; undefined when there is none with this id. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const fields = statFields(pid);
  const startTicks = fields?.[19];
  if (startTicks === undefined) return undefined;
  return { pid, startTicks, bootId: bootId() };
}

/** True while exactly this process runs. A zombie has ended. */
export function isAlive(identity: ProcessIdentity): boolean {
  const fields = statFields(identity.pid);
  return fields?.[19] === identity.startTicks && fields[0] !== 'Z' && identity.bootId === bootId();
}

/** Every process id of this PID namespace at this moment. */
export function processIds(): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** The arguments of a process, its program first; empty when it has ended. */
export function commandLine(pid: number): readonly string[] {
  return (readIfThere(`/proc/${pid}/cmdline`) ?? '').split('\0').slice(0, -1);
}

/** The fields after the command name, which may itself hold spaces and brackets: [0] is field 3, the state. */
function statFields(pid: number): readonly string[] | undefined {
  const text = readIfThere(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    // ESRCH: the process ended between open and read.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) {
      return undefined;
    }
    throw error;
  }
}
