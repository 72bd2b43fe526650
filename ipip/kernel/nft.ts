/**
 * nftables through the program nft: loads a rule set in one transaction, and prints a table.
 *
 * Owns: the child process, and what its refusals mean. Must not know: which rules. It is run for a rule set that changes with
 * the configuration, never for a route.
 * Source: nft(8).
 */
import { spawn } from 'node:child_process';

/** A port, so that the rules' keeper can be tested without a kernel. */
export interface RuleSets {
  /** Loads a text as one transaction: all of it is in force, or none. @throws NftError */
  apply(text: string): Promise<void>;
  /** A table as nft prints it, without counters; undefined: there is none of that name. @throws NftError */
  list(family: 'ip' | 'ip6', table: string): Promise<string | undefined>;
}

/**
 * - `NFT_MISSING`: the program is not installed.
 * - `NFT_UNSUPPORTED`: the kernel has no nf_tables, or not what the rules need of it.
 * - `NFT_FAILED`: anything else.
 */
export type NftErrorCode = 'NFT_MISSING' | 'NFT_UNSUPPORTED' | 'NFT_FAILED';

/** The message is one sentence for the operator. */
export class NftError extends Error {
  override readonly name = 'NftError';
  readonly code: NftErrorCode;

  constructor(code: NftErrorCode, message: string, options?: { readonly cause: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** A transaction waits for that of another program; this long, something is wrong. */
const TIMEOUT_MS = 10_000;
/** Where nft is, also for a user whose PATH does not say so. */
const SYSTEM_FOLDERS = ':/usr/sbin:/sbin';

/** @param program the name of nft, looked for where programs are */
export function nftablesBy(program: string): RuleSets {
  return {
    async apply(text) {
      const { status, stderr } = await run(program, ['-f', '-'], text);
      if (status !== 0) throw refusal(stderr);
    },

    async list(family, table) {
      const { status, stdout, stderr } = await run(program, ['--stateless', 'list', 'table', family, table]);
      if (status === 0) return stdout;
      if (stderr.includes('No such file or directory')) return undefined;
      throw refusal(stderr);
    },
  };
}

export const nftables: RuleSets = nftablesBy('nft');

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(program: string, args: readonly string[], input = ''): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: { PATH: `${process.env['PATH'] ?? ''}${SYSTEM_FOLDERS}`, LC_ALL: 'C' },
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: TIMEOUT_MS,
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk;
    });
    // It may refuse before it has read everything: then its words and its status tell.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.once('error', (error) => reject(notRun(error)));
    child.once('close', (status) => resolve({ status, stdout, stderr }));
  });
}

function notRun(error: Error): NftError {
  return 'code' in error && error.code === 'ENOENT'
    ? new NftError('NFT_MISSING', 'nft is not installed: install the package nftables', { cause: error })
    : new NftError('NFT_FAILED', `nft cannot be run: ${error.message}`, { cause: error });
}

/** What the kernel answers without nf_tables, or without a family or an expression of it. */
const UNSUPPORTED =
  /not supported|Protocol not supported|Address family|Could not process rule: No such file/;

function refusal(stderr: string): NftError {
  const said = stderr.split('\n', 1)[0]?.trim() || `no answer within ${TIMEOUT_MS / 1000} s`;
  return UNSUPPORTED.test(said)
    ? new NftError(
        'NFT_UNSUPPORTED',
        `this kernel has no nf_tables with NAT (${said}): load it with "modprobe nft_masq", or boot a kernel with CONFIG_NF_TABLES and CONFIG_NFT_MASQ`,
      )
    : new NftError('NFT_FAILED', `nft refuses: ${said}`);
}
