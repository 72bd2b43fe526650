/**
 * What the kernel says no with, as one table: errno, name, and what it means for a route, a device or an address.
 *
 * Source: asm-generic/errno-base.h and errno.h (the same on x86-64, arm64 and riscv64).
 */

interface ErrnoText {
  readonly name: string;
  readonly meaning: string;
}

const ERRNO: ReadonlyMap<number, ErrnoText> = new Map([
  [1, { name: 'EPERM', meaning: 'not permitted' }],
  [2, { name: 'ENOENT', meaning: 'there is no such route' }],
  [3, { name: 'ESRCH', meaning: 'there is no such route' }],
  [4, { name: 'EINTR', meaning: 'interrupted' }],
  [11, { name: 'EAGAIN', meaning: 'not ready' }],
  [12, { name: 'ENOMEM', meaning: 'the kernel is out of memory' }],
  [13, { name: 'EACCES', meaning: 'access denied' }],
  [16, { name: 'EBUSY', meaning: 'busy' }],
  [17, { name: 'EEXIST', meaning: 'it exists already' }],
  [19, { name: 'ENODEV', meaning: 'there is no such device' }],
  [22, { name: 'EINVAL', meaning: 'invalid' }],
  [28, { name: 'ENOSPC', meaning: 'no space left' }],
  [30, { name: 'EROFS', meaning: 'read-only' }],
  [34, { name: 'ERANGE', meaning: 'out of range' }],
  [95, { name: 'EOPNOTSUPP', meaning: 'not supported by this kernel' }],
  [97, { name: 'EAFNOSUPPORT', meaning: 'this kernel has no such address family' }],
  [99, { name: 'EADDRNOTAVAIL', meaning: 'no such address' }],
  [100, { name: 'ENETDOWN', meaning: 'the device is down' }],
  [101, { name: 'ENETUNREACH', meaning: 'network is unreachable' }],
  [105, { name: 'ENOBUFS', meaning: 'answers were lost' }],
  [113, { name: 'EHOSTUNREACH', meaning: 'host is unreachable' }],
]);

/** A refusal of the kernel. `code` is stable (`KERNEL_EEXIST`); the message is for people. */
export class KernelError extends Error {
  override readonly name = 'KernelError';
  readonly code: `KERNEL_${string}`;
  /** The message without what was refused: `network is unreachable (ENETUNREACH)`. */
  readonly reason: string;
  /** Positive errno, 0 where there is none. */
  readonly errno: number;
  /** What the operator can do, where that is known. */
  readonly remedy: string | undefined;

  constructor(options: {
    readonly code: `KERNEL_${string}`;
    readonly message: string;
    readonly reason?: string;
    readonly errno?: number;
    readonly remedy?: string;
    readonly cause?: unknown;
  }) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.reason = options.reason ?? options.message;
    this.errno = options.errno ?? 0;
    this.remedy = options.remedy;
  }
}

export const ERRNO_EPERM = 1;
export const ERRNO_EINTR = 4;
export const ERRNO_EAGAIN = 11;
export const ERRNO_ENOBUFS = 105;

/** The name of an errno: `EEXIST`, or `E` and the number for one that is not in the table. */
export function errnoName(errno: number): string {
  return ERRNO.get(errno)?.name ?? `E${errno}`;
}

/** Name to number, for what speaks in names (node:fs, tests). 0 where unknown. */
export function errnoNumber(name: string): number {
  for (const [errno, text] of ERRNO) if (text.name === name) return errno;
  return 0;
}

/**
 * @param errno positive
 * @param what the thing refused, such as `RTM_NEWROUTE`
 * @param detail the kernel's own sentence (extended acknowledgement), where it gave one
 */
export function kernelError(errno: number, what: string, detail?: string): KernelError {
  const name = errnoName(errno);
  const meaning = ERRNO.get(errno)?.meaning ?? `errno ${errno}`;
  const reason = `${detail === undefined ? meaning : detail.replace(/\.$/, '')} (${name})`;
  return new KernelError({
    code: `KERNEL_${name}`,
    errno,
    reason,
    message: `${what}: ${reason}`,
    ...(errno === ERRNO_EPERM ? { remedy: PERMISSION_REMEDY } : {}),
  });
}

export const PERMISSION_REMEDY =
  'changing routes needs CAP_NET_ADMIN in this network namespace: run as root, or with AmbientCapabilities=CAP_NET_ADMIN';
