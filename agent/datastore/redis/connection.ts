/**
 * The way to a Redis, kept up: a link to its master, and another one whenever that ends, for ever.
 *
 * Owns: when to try again. Must not know: what a link is used for.
 *
 *   find the master --> open --> greet (the user's) --> up ... ended --> wait, longer each time --> find the master
 */
import { errorOfServer, Link, type LinkOptions, type LinkRole, readLogin } from './link.js';
import { MasterFinder } from './locate.js';
import { DEMOTED, type Trouble, TroubleError, troubleOf } from './trouble.js';
import { formatHost, type RedisPlace } from './url.js';

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 3_000;
const STOPPED: Trouble = { state: 'unreachable', reason: 'is not connected any more' };
/** A link that lived shorter is no reason to begin with short waits again. */
const SOUND_AFTER_MS = 1_000;

export interface ConnectionUser {
  /** A new link to a server of this role; it is up when this resolves, and another one is tried where it throws. */
  readonly greet: (link: Link, role: LinkRole) => Promise<void>;
  /** There is none, or none any more. Told after each attempt. */
  readonly down: (trouble: Trouble) => void;
}

export class Connection {
  readonly #place: RedisPlace;
  readonly #options: LinkOptions;
  readonly #user: ConnectionUser;
  readonly #finder: MasterFinder;
  readonly #stopping = new AbortController();
  #link: Link | undefined;
  /** Of the last attempt; undefined: none has ended yet. */
  #trouble: Trouble | undefined;
  #loop: Promise<void> | undefined;
  /** Who waits for the end of the first attempt. */
  #waiting: (() => void)[] = [];

  constructor(place: RedisPlace, options: Omit<LinkOptions, 'signal'>, user: ConnectionUser) {
    this.#place = place;
    this.#options = { ...options, signal: this.#stopping.signal };
    this.#user = user;
    this.#finder = new MasterFinder(place, this.#options);
  }

  begin(): void {
    this.#loop ??= this.#run();
  }

  /** The link, after the first attempt at the latest. @throws TroubleError where there is none */
  async link(): Promise<Link> {
    this.begin();
    if (this.#link === undefined && this.#trouble === undefined) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.#link !== undefined) return this.#link;
    throw new TroubleError(this.#trouble ?? STOPPED);
  }

  /** Ends the link and all attempts; who has a command under way gets an error. */
  async stop(): Promise<void> {
    this.#trouble = STOPPED;
    this.#stopping.abort();
    await this.#loop;
    this.#settle();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    for (let failures = 0; !signal.aborted; failures += 1) {
      let upAtMs: number | undefined;
      const trouble = await this.#live(() => {
        upAtMs = performance.now();
      });
      this.#link = undefined;
      if (signal.aborted) return;
      this.#trouble = trouble;
      this.#user.down(trouble);
      this.#settle();
      if (upAtMs !== undefined && performance.now() - upAtMs > SOUND_AFTER_MS) failures = 0;
      const waitMs = Math.min(FIRST_WAIT_MS * 2 ** failures, LONGEST_WAIT_MS);
      await this.#wait(waitMs * (0.5 + Math.random() / 2));
    }
  }

  /** One link from beginning to end. @returns what ended it, or was in its way */
  async #live(onUp: () => void): Promise<Trouble> {
    const { target, db } = this.#place;
    let server: string | undefined;
    try {
      const login = await readLogin(this.#place);
      const host = await this.#finder.find(login);
      if (target.type !== 'server') server = `master ${formatHost(host)}`;
      const link = await Link.open(host, login.options, this.#options, db);
      try {
        const role = await link.role();
        if (role !== 'master' && server !== undefined) throw new TroubleError(DEMOTED);
        await this.#user.greet(link, role);
        this.#link = link;
        onUp();
        this.#settle();
        throw (await link.ended) ?? new Error('Connection is closed.');
      } finally {
        link.end(undefined);
      }
    } catch (error) {
      return troubleOf(server === undefined ? error : errorOfServer(error, server));
    }
  }

  #settle(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  async #wait(delayMs: number): Promise<void> {
    const { signal } = this.#stopping;
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, delayMs);
      signal.addEventListener('abort', end);
    });
  }
}
