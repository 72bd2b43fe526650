/**
 * One connection to one server, from its beginning to its end; it is never mended.
 *
 * Owns: the client of Redis and how it is set. Must not know: which server is the right one, what is read from it.
 *
 * With RESP3 commands and messages share the connection, so whoever has an answer has missed no message before it.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Redis, type RedisOptions } from 'ioredis';
import type { Script } from './scripts.js';
import { TroubleError, troubleOf, troubleOfHandshake } from './trouble.js';
import type { RedisHost, RedisPlace } from './url.js';

export interface LinkOptions {
  /** A connection that is not there after so long is given up. */
  readonly connectTimeoutMs: number;
  /** A server that does not answer for so long is given up, with the connection. */
  readonly commandTimeoutMs: number;
  /** Ends every link. */
  readonly signal: AbortSignal;
}

export type LinkRole = 'master' | 'replica' | 'sentinel';

const NO_SCRIPT = /^NOSCRIPT/;
const NAME = 'podroute';

/** What lets one in, as it is in the files now. */
export interface Login {
  readonly options: Pick<RedisOptions, 'username' | 'password' | 'tls'>;
  /** Of the Sentinels. */
  readonly sentinel: Pick<RedisOptions, 'password' | 'tls'>;
}

/** Reads the files that a place names. @throws TroubleError where one cannot be read */
export async function readLogin(place: RedisPlace): Promise<Login> {
  const { username, tls: files } = place;
  const password = place.password ?? (await readSecret(place.passwordFile));
  const sentinelPassword = await readSecret(place.sentinelPasswordFile);
  const tls = files && {
    ...(files.ca !== undefined && { ca: await readText(files.ca) }),
    ...(files.cert !== undefined && { cert: await readText(files.cert) }),
    ...(files.key !== undefined && { key: await readText(files.key) }),
  };
  return {
    options: {
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(tls !== undefined && { tls }),
    },
    sentinel: {
      ...(sentinelPassword !== undefined && { password: sentinelPassword }),
      ...(tls !== undefined && { tls }),
    },
  };
}

export class Link {
  readonly #redis: Redis;
  #lastError: Error | undefined;
  #end: (reason: unknown) => void = () => {};
  /** Resolves to what ended it. */
  readonly ended: Promise<unknown> = new Promise((resolve) => {
    this.#end = resolve;
  });

  /** Connects and logs in. @throws the error that was in the way, or that of the signal */
  static async open(host: RedisHost, login: Login['options'], options: LinkOptions, db = 0): Promise<Link> {
    options.signal.throwIfAborted();
    const link = new Link(host, login, options);
    try {
      await link.#connect(options.connectTimeoutMs + options.commandTimeoutMs);
      if (db !== 0) await link.#redis.select(db);
      return link;
    } catch (error) {
      link.end(error);
      const cause = link.#lastError ?? error;
      throw login.tls === undefined ? cause : new TroubleError(troubleOfHandshake(cause), { cause });
    }
  }

  private constructor(host: RedisHost, login: Login['options'], options: LinkOptions) {
    this.#redis = new Redis({
      ...host,
      ...login,
      lazyConnect: true,
      retryStrategy: () => null,
      enableReadyCheck: false,
      enableOfflineQueue: false,
      autoResubscribe: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      connectTimeout: options.connectTimeoutMs,
      commandTimeout: options.commandTimeoutMs,
      disconnectTimeout: 100,
      disableClientInfo: true,
      connectionName: NAME,
    });
    this.#redis.on('error', (error: Error) => {
      this.#lastError = error;
    });
    const stop = () => this.end(undefined);
    options.signal.addEventListener('abort', stop);
    this.#redis.on('end', () => {
      options.signal.removeEventListener('abort', stop);
      this.#end(this.#lastError ?? new Error('Connection is closed.'));
    });
  }

  async #connect(limitMs: number): Promise<void> {
    // The client's own limits do not cover the look-up of a name.
    const timer = setTimeout(() => {
      this.#lastError ??= new Error('connecting timed out');
      this.#redis.disconnect();
    }, limitMs);
    try {
      await this.#redis.connect();
    } finally {
      clearTimeout(timer);
    }
  }

  /** What the server is now. */
  async role(): Promise<LinkRole> {
    const answer = (await this.#redis.call('HELLO')) as readonly unknown[];
    const field = (name: string) => answer[answer.indexOf(name) + 1];
    if (field('mode') === 'sentinel') return 'sentinel';
    return field('role') === 'master' ? 'master' : 'replica';
  }

  /** From now on every message of the channel is told. */
  async subscribe(channel: string, onMessage: (text: string) => void): Promise<void> {
    this.#redis.on('message', (_channel: string, text: string) => onMessage(text));
    await this.#redis.subscribe(channel);
  }

  async run({ lua }: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...args];
    try {
      return await this.#redis.call('EVALSHA', [sha1(lua), ...rest]);
    } catch (error) {
      // It was not carried out: the server has never seen the script, or has been restarted since.
      if (!(error instanceof Error && NO_SCRIPT.test(error.message))) throw error;
      return await this.#redis.call('EVAL', [lua, ...rest]);
    }
  }

  call(command: string, ...args: readonly string[]): Promise<unknown> {
    return this.#redis.call(command, ...args);
  }

  /** Ends it, at once and without a word. */
  end(reason: unknown): void {
    this.#end(reason);
    this.#redis.disconnect();
  }
}

const shas = new Map<string, string>();

function sha1(lua: string): string {
  const known = shas.get(lua) ?? createHash('sha1').update(lua).digest('hex');
  shas.set(lua, known);
  return known;
}

async function readSecret(path: string | undefined): Promise<string | undefined> {
  return path === undefined ? undefined : (await readText(path)).replace(/\r?\n$/, '');
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    const reason = `needs the file ${path}, which cannot be read (${String(error.code)}); create it, or correct the URL`;
    throw new TroubleError({ state: 'unreachable', reason }, { cause: error });
  }
}

/** The same error, with the server named that it is of. */
export function errorOfServer(error: unknown, server: string): TroubleError {
  return new TroubleError({ server, ...troubleOf(error) }, { cause: error });
}
