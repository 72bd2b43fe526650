/**
 * A lock that the kernel holds for a process, and takes back when the process ends however it ends: no lock is stale.
 *
 * Owns: fcntl(2) through koffi, because Node has no file locks. Must not know: what is locked.
 * Source: fcntl(2), F_SETLK and F_GETLK; struct flock of asm-generic/fcntl.h on 64-bit machines:
 * type(2) whence(2) pad(4) start(8) length(8) pid(4) pad(4). Such a lock also goes when its process closes any
 * descriptor of the file: nobody else opens it.
 */
import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';
import { endianness } from 'node:os';
import koffi from 'koffi';

const F_GETLK = 5;
const F_SETLK = 6;
const F_WRLCK = 1;
const F_UNLCK = 2;
const FLOCK_BYTES = 32;
const PID_OFFSET = 24;
/** EACCES and EAGAIN: another process holds it. */
const HELD_BY_ANOTHER: ReadonlySet<number> = new Set([11, 13]);

export type LockResult =
  | { readonly release: () => void }
  /** Process id of who has it; 0 where it lives out of sight, in another PID namespace. */
  | { readonly holder: number };

/** Takes the lock on a file, which is made where it is missing. @throws Error of the file system */
export function takeLock(path: string): LockResult {
  for (;;) {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o644);
    if (fcntl()(fd, F_SETLK, writeLock()) === 0) {
      // The one who had it may have removed the file, and then ours is another one than the next will open.
      if (isStillAt(fd, path)) return { release: () => closeSync(fd) };
      closeSync(fd);
      continue;
    }
    const errno = koffi.errno();
    const holder = holderOf(fd);
    closeSync(fd);
    if (!HELD_BY_ANOTHER.has(errno)) throw new Error(`${path} cannot be locked (errno ${errno})`);
    if (holder !== undefined) return { holder };
  }
}

/** Who holds the lock on a file, without touching it; undefined: nobody. @throws Error of the file system */
export function lockHolder(path: string): number | undefined {
  const fd = openIfThere(path);
  if (fd === undefined) return undefined;
  const holder = holderOf(fd);
  closeSync(fd);
  return holder;
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function holderOf(fd: number): number | undefined {
  const lock = writeLock();
  if (fcntl()(fd, F_GETLK, lock) !== 0) throw new Error(`a lock cannot be read (errno ${koffi.errno()})`);
  const view = new DataView(lock.buffer, lock.byteOffset);
  if (view.getInt16(0, IS_LITTLE) === F_UNLCK) return undefined;
  return Math.max(view.getInt32(PID_OFFSET, IS_LITTLE), 0);
}

function isStillAt(fd: number, path: string): boolean {
  const now = statSync(path, { throwIfNoEntry: false });
  return now !== undefined && now.ino === fstatSync(fd).ino;
}

const IS_LITTLE = endianness() === 'LE';

/** A lock for writing on the whole file. */
function writeLock(): Buffer {
  const bytes = Buffer.alloc(FLOCK_BYTES);
  new DataView(bytes.buffer, bytes.byteOffset).setInt16(0, F_WRLCK, IS_LITTLE);
  return bytes;
}

type Fcntl = (fd: number, command: number, lock: Buffer) => number;

let loaded: Fcntl | undefined;

function fcntl(): Fcntl {
  loaded ??= koffi.load(null).func('int fcntl(int, int, uint8_t *)');
  return loaded;
}
