/**
 * What stands between us and a Redis -> how the store stands, in a sentence with the remedy.
 *
 * Owns: the errors of Redis, its connections and TLS, as one table. Must not know: what was tried. Pure.
 */
import type { StoreHealth } from '../types.js';
import type { RedisTarget } from './url.js';

export interface Trouble {
  readonly state: Exclude<StoreHealth['state'], 'connecting' | 'ok'>;
  /** Goes on after the name of the store, or of the server: "cannot be reached ...". */
  readonly reason: string;
  /** Which of the store's servers; absent: it is the only one. */
  readonly server?: string;
}

/** The whole sentence. */
export function sentenceOf(store: string, { reason, server }: Trouble): string {
  return server === undefined ? `${store} ${reason}` : `${store}: ${server} ${reason}`;
}

/** An error whose sentence is known already. */
export class TroubleError extends Error {
  override readonly name = 'TroubleError';
  readonly trouble: Trouble;

  constructor(trouble: Trouble, options?: ErrorOptions) {
    super(trouble.reason, options);
    this.trouble = trouble;
  }
}

/** Of a server that was named as the master. */
export const DEMOTED: Trouble = {
  state: 'refusing',
  reason: 'is a replica by now; the new master is used when the others agree on it',
};

/** Of the only server that was named. */
export const READ_ONLY: Trouble = {
  state: 'refusing',
  reason: 'is a read-only replica; name its master, or use redis+sentinel: so that the master is found',
};

export const NO_ANSWER = 'does not answer; see whether it runs, and to the network and firewalls between';
const WAS_CUT = 'has cut the connection; see whether it runs, and to its log';

/** What Redis answers, by the first word. Scripts wrap it in older versions, so it is looked for in the whole text. */
const REFUSALS: readonly (readonly [RegExp, string])[] = [
  [/\bREADONLY\b/, READ_ONLY.reason],
  [/\bOOM\b/, 'is full (maxmemory) and takes no writes; give it more memory or take something out'],
  [/\bMISCONF\b/, 'takes no writes because it cannot save to its disk; make room there (see its log)'],
  [
    /\bNOREPLICAS\b/,
    'takes no writes while it has too few replicas; start them, or lower min-replicas-to-write',
  ],
  [
    /\bNOAUTH\b|\bNOPROTO\b.*AUTH|HELLO must be called/,
    'wants a password; put it into the URL or name a passwordFile',
  ],
  [/\bWRONGPASS\b|invalid password|invalid username/i, 'refuses the user or the password; correct them'],
  [/without any password configured/, 'has no password for the default user; take the password out'],
  [
    /\bNOPERM\b|user executing the script can't/,
    'does not let this user do what is needed; see "Redis" in the README for the rule of its ACL',
  ],
  [/\bLOADING\b/, 'is loading its data; it answers when that is done'],
  [/\bMASTERDOWN\b/, 'is a replica that has lost its master; start the master, or name another server'],
  [/\bCLUSTERDOWN\b/, 'is a Cluster that is down: not all of its slots are served; start its masters'],
  [/\bTRYAGAIN\b|\bASK\b/, 'is a Cluster that moves our slot just now; it answers when that is done'],
  [/\bMOVED\b/, 'is a Cluster, and another of its nodes has our slot; use redis+cluster:'],
  [/\bCROSSSLOT\b/, 'is a Cluster; use redis+cluster:'],
  [/\bBUSY\b/, 'is busy with a script of somebody else; end that one with SCRIPT KILL'],
  [/\bWRONGTYPE\b/, 'has something else under a key of ours; choose another prefix, or take that key out'],
  [/max number of clients/, 'has too many clients; raise its maxclients'],
  [/\bDENIED\b|protected mode/, 'is in protected mode; set a password in it, and bind it to its address'],
  [
    /DB index is out of range|SELECT is not allowed/,
    'does not have the database of the URL; correct its number',
  ],
  [/unknown command/i, 'lacks a command that is needed; use Redis 6.2 or later'],
  [/No such master/i, 'knows no master of that name; correct the name in the URL'],
];

/** What the connection fails with, by the code of the error. */
const FAILURES: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'refuses the connection; start Redis there, or correct the address'],
  ['ENOTFOUND', 'has a name that cannot be resolved; correct it'],
  ['EAI_AGAIN', 'has a name that cannot be resolved now; see to the name server'],
  ['ETIMEDOUT', NO_ANSWER],
  ['EHOSTUNREACH', 'cannot be reached by the network; see to the routes and firewalls between'],
  ['ENETUNREACH', 'cannot be reached by the network; see to the routes of this machine'],
  ['ECONNRESET', WAS_CUT],
  ['EPIPE', WAS_CUT],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'has a certificate of another name; use a name that is in it'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'has a certificate of an unknown issuer; name its file with ca='],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'has a certificate of an unknown issuer; name its file with ca='],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'has a certificate of an unknown issuer; name its file with ca='],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'has a certificate that signed itself; name its file with ca='],
  ['CERT_HAS_EXPIRED', 'has a certificate that has expired; renew it'],
  ['CERT_NOT_YET_VALID', 'has a certificate that is not valid yet; see to the clocks'],
]);

const TLS_REFUSAL = /certificate required|bad certificate|unknown ca|handshake failure|certificate unknown/i;
const NO_TLS = /wrong version number|packet length too long|unsupported protocol/i;
/** What the client says when no answer came in time, and when there is no connection any more. */
const TIMED_OUT = /timed out|ETIMEDOUT/i;
const CLOSED = /Connection is closed|write after end|isn't writeable/i;

const OUR_BUGS = [TypeError, RangeError, ReferenceError, SyntaxError];

/** What an error means to the operator. @throws what is a bug of ours */
export function troubleOf(error: unknown): Trouble {
  if (error instanceof TroubleError) return error.trouble;
  if (!(error instanceof Error) || OUR_BUGS.some((bug) => error instanceof bug)) throw error;
  const { message } = error;
  const refusal = REFUSALS.find(([pattern]) => pattern.test(message));
  if (refusal !== undefined && isReply(error)) return { state: 'refusing', reason: refusal[1] };
  const failure = FAILURES.get('code' in error ? String(error.code) : '');
  if (failure !== undefined) return unreachable(failure);
  if (NO_TLS.test(message)) return unreachable('does not speak TLS there; correct the port, or use redis:');
  if (TLS_REFUSAL.test(message)) {
    return unreachable('refuses our certificate; give one that it knows with cert= and key=');
  }
  if (TIMED_OUT.test(message)) return unreachable(NO_ANSWER);
  if (CLOSED.test(message)) return unreachable(WAS_CUT);
  if (isReply(error))
    return { state: 'refusing', reason: `answers with an error (${message}); see to its log` };
  return unreachable(`cannot be reached (${message}); see whether it runs, and to the network between`);
}

/** Of a connection with TLS that did not come about: who refuses a handshake may say so, or only cut it, or say nothing. */
export function troubleOfHandshake(error: unknown): Trouble {
  const trouble = troubleOf(error);
  if (trouble.reason === WAS_CUT) {
    return unreachable(
      'cuts the connection; see whether it takes our certificate (cert=, key=), and to its log',
    );
  }
  if (trouble.reason !== NO_ANSWER) return trouble;
  return unreachable(
    'does not answer; see whether that port speaks TLS, and to the network and firewalls between',
  );
}

/** After this answer the connection has to be made anew, as another server may be the right one by now. */
export function isOfAnotherServer(error: unknown, target: RedisTarget['type']): boolean {
  if (!(error instanceof Error) || !isReply(error)) return false;
  return target !== 'server' && /\b(READONLY|MOVED|ASK|CLUSTERDOWN|MASTERDOWN)\b/.test(error.message);
}

/** Redis has answered, so the connection is in order. */
export function isReply(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError';
}

function unreachable(reason: string): Trouble {
  return { state: 'unreachable', reason };
}
