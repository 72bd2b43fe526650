/**
 * The URL of a Redis -> where it is, and how one gets in.
 *
 * Owns: the forms of the URL. Must not know: connections, files. Pure.
 *
 *   redis://[USER:PASSWORD@]HOST[:PORT][/DB]                            one server
 *   redis+sentinel://[USER:PASSWORD@]HOST[:PORT],HOST.../MASTER[/DB]    the master that Sentinels name
 *   redis+cluster://[USER:PASSWORD@]HOST[:PORT],HOST...                 a Redis Cluster
 *
 * rediss for TLS. Query: prefix, passwordFile, sentinelPasswordFile; with TLS ca, cert, key, each a file.
 */

export interface RedisHost {
  readonly host: string;
  readonly port: number;
}

/** What the hosts of a URL are. */
export type RedisTarget =
  | { readonly type: 'server'; readonly host: RedisHost }
  | { readonly type: 'sentinel'; readonly hosts: readonly RedisHost[]; readonly master: string }
  | { readonly type: 'cluster'; readonly hosts: readonly RedisHost[] };

/** Files of TLS; absent ones are the system's. */
export interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface RedisPlace {
  /** For people: the URL without what lets one in. */
  readonly name: string;
  readonly target: RedisTarget;
  readonly username?: string;
  readonly password?: string;
  readonly passwordFile?: string;
  readonly sentinelPasswordFile?: string;
  readonly db: number;
  /** Absent: no TLS. */
  readonly tls?: TlsFiles;
  /** What the names of all keys begin with. */
  readonly prefix: string;
}

export type RedisUrlResult = { readonly place: RedisPlace } | { readonly problem: string };

export const DEFAULT_PREFIX = 'podroute';
const DEFAULT_PORTS = { server: 6379, sentinel: 26379, cluster: 6379 } as const;

/** The schemes, and how one of each is written. */
const SCHEMES: ReadonlyMap<string, { readonly type: RedisTarget['type']; readonly isTls: boolean }> = new Map(
  [
    ['redis', { type: 'server', isTls: false }],
    ['rediss', { type: 'server', isTls: true }],
    ['redis+sentinel', { type: 'sentinel', isTls: false }],
    ['rediss+sentinel', { type: 'sentinel', isTls: true }],
    ['redis+cluster', { type: 'cluster', isTls: false }],
    ['rediss+cluster', { type: 'cluster', isTls: true }],
  ],
);

const FORMS: Readonly<Record<RedisTarget['type'], string>> = {
  server: '//[USER:PASSWORD@]HOST[:PORT][/DB]',
  sentinel: '//[USER:PASSWORD@]HOST[:PORT],HOST[:PORT]/MASTER[/DB]',
  cluster: '//[USER:PASSWORD@]HOST[:PORT],HOST[:PORT]',
};

const QUERY = ['prefix', 'passwordFile', 'sentinelPasswordFile', 'ca', 'cert', 'key'] as const;
type QueryName = (typeof QUERY)[number];

/** @returns whether {@link parseRedisUrl} is for this scheme. */
export function isRedisScheme(scheme: string): boolean {
  return SCHEMES.has(scheme);
}

/** Reads a URL of one of the schemes above; what is wrong is one sentence that quotes nothing of what may be a secret. */
export function parseRedisUrl(url: string): RedisUrlResult {
  const [, scheme = '', rest = ''] = /^([^:]*):(.*)$/s.exec(url) ?? [];
  const found = SCHEMES.get(scheme.toLowerCase());
  if (found === undefined) return { problem: `the datastore "${scheme}:" is no Redis` };
  try {
    return { place: readPlace(scheme.toLowerCase(), found.type, found.isTls, rest) };
  } catch (error) {
    if (!(error instanceof UrlFault)) throw error;
    return { problem: `the datastore ${scheme}: ${error.message}` };
  }
}

/** Thrown by the readers below, and caught in one place. */
class UrlFault extends Error {
  override readonly name = 'UrlFault';
}

function readPlace(scheme: string, type: RedisTarget['type'], isTls: boolean, rest: string): RedisPlace {
  const form = `write it like ${scheme}:${FORMS[type]}`;
  const parts = /^\/\/([^/?#]*)((?:\/[^?#]*)?)(?:\?([^#]*))?$/s.exec(rest);
  if (parts === null) throw new UrlFault(`is in another form; ${form}`);
  const [, authority = '', path = '', queryText = ''] = parts;
  const at = authority.lastIndexOf('@');
  const hostTexts = authority.slice(at + 1).split(',');
  const [first, ...others] = hostTexts.map((text) => readHost(text, DEFAULT_PORTS[type], form));
  if (first === undefined) throw new UrlFault(`names no host; ${form}`);
  const hosts = [first, ...others] as const;
  const steps = path.split('/').slice(1);
  const login = at === -1 ? {} : readLogin(authority.slice(0, at));
  const query = readQuery(queryText);
  const { target, db } = readTarget(type, hosts, steps, form);

  if (login.password !== undefined && query.passwordFile !== undefined) {
    throw new UrlFault('has a password and a passwordFile; keep one of them');
  }
  if (query.sentinelPasswordFile !== undefined && type !== 'sentinel') {
    throw new UrlFault('has a sentinelPasswordFile and names no Sentinels; take it out');
  }
  const { ca, cert, key } = query;
  if (!isTls && (ca ?? cert ?? key) !== undefined) {
    throw new UrlFault(
      `has files for TLS and is none; begin it with ${scheme.replace('redis', 'rediss')}:, or take them out`,
    );
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw new UrlFault('has one of cert and key; give both files, or none');
  }
  const prefix = query.prefix ?? DEFAULT_PREFIX;
  if (!/^[A-Za-z0-9][A-Za-z0-9._:-]*$/.test(prefix)) {
    throw new UrlFault('has a wrong prefix; use letters, digits and ._:- in it');
  }
  return {
    name: nameOf(scheme, target, db, prefix),
    target,
    ...login,
    ...(query.passwordFile !== undefined && { passwordFile: query.passwordFile }),
    ...(query.sentinelPasswordFile !== undefined && { sentinelPasswordFile: query.sentinelPasswordFile }),
    db,
    ...(isTls && {
      tls: {
        ...(ca !== undefined && { ca }),
        ...(cert !== undefined && { cert }),
        ...(key !== undefined && { key }),
      },
    }),
    prefix,
  };
}

function readTarget(
  type: RedisTarget['type'],
  hosts: readonly [RedisHost, ...RedisHost[]],
  steps: readonly string[],
  form: string,
): { readonly target: RedisTarget; readonly db: number } {
  const [first, ...others] = steps;
  switch (type) {
    case 'server':
      if (hosts.length > 1) {
        throw new UrlFault('names several hosts; say what they are with redis+sentinel: or redis+cluster:');
      }
      if (others.length > 0) throw new UrlFault(`has a path that is no database; ${form}`);
      return { target: { type, host: hosts[0] }, db: readDatabase(first) };
    case 'sentinel': {
      const [database, ...rest] = others;
      if (first === undefined || first === '' || rest.length > 0) {
        throw new UrlFault(`does not say what the Sentinels call the master; ${form}`);
      }
      return { target: { type, hosts, master: decode(first) }, db: readDatabase(database) };
    }
    case 'cluster':
      if (steps.some((step) => step !== '')) {
        throw new UrlFault(`names a database, which a Redis Cluster has one of; ${form}`);
      }
      return { target: { type, hosts }, db: 0 };
  }
}

function readHost(text: string, standard: number, form: string): RedisHost {
  const parts = /^(?:\[([0-9A-Fa-f:.%]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(text);
  const host = parts?.[1] ?? parts?.[2];
  const port = parts?.[3] === undefined ? standard : Number(parts[3]);
  if (host === undefined || port < 1 || port > 65535) {
    throw new UrlFault(`has a wrong host or port; ${form}, and / ? # @ of a password as %2F %3F %23 %40`);
  }
  return { host, port };
}

function readLogin(text: string): Pick<RedisPlace, 'username' | 'password'> {
  const colon = text.indexOf(':');
  const username = decode(colon === -1 ? text : text.slice(0, colon));
  const password = colon === -1 ? undefined : decode(text.slice(colon + 1));
  return {
    ...(username !== '' && { username }),
    ...(password !== undefined && password !== '' && { password }),
  };
}

function readDatabase(text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  if (!/^\d{1,5}$/.test(text)) throw new UrlFault('names a database that is no number; write it like /0');
  return Number(text);
}

function readQuery(text: string): Partial<Record<QueryName, string>> {
  const query: Partial<Record<QueryName, string>> = {};
  for (const pair of text.split('&').filter((word) => word !== '')) {
    const equals = pair.indexOf('=');
    const name = decode(equals === -1 ? pair : pair.slice(0, equals));
    const value = equals === -1 ? '' : decode(pair.slice(equals + 1));
    const known = QUERY.find((word) => word === name);
    if (known === undefined) throw new UrlFault(`has an unknown parameter; there are ${QUERY.join(', ')}`);
    if (value === '') throw new UrlFault(`has the parameter ${known} without a value; give it one`);
    query[known] = value;
  }
  return query;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw new UrlFault('has a % that begins no code; write a % itself as %25');
  }
}

function nameOf(scheme: string, target: RedisTarget, db: number, prefix: string): string {
  const hosts = target.type === 'server' ? [target.host] : target.hosts;
  const path = target.type === 'sentinel' ? `/${encodeURIComponent(target.master)}` : '';
  return [
    `${scheme}://${hosts.map(formatHost).join(',')}${path}`,
    db === 0 ? '' : `/${db}`,
    prefix === DEFAULT_PREFIX ? '' : `?prefix=${prefix}`,
  ].join('');
}

/** `10.0.0.5:6379`, `[fd00::5]:6379`. */
export function formatHost({ host, port }: RedisHost): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
