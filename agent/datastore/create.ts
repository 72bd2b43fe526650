/**
 * The name of a datastore -> its driver.
 *
 * Owns: the schemes. Must not know: how a driver works.
 */
import { FileDatastore, type FileDatastoreOptions } from './file.js';
import { isRedisScheme, parseRedisUrl, RedisDatastore, type RedisDatastoreOptions } from './redis/index.js';
import type { Datastore } from './types.js';

/** The options of every driver; each takes its own. */
export type DatastoreOptions = FileDatastoreOptions & RedisDatastoreOptions;

/** A driver, or one sentence why the name means none. */
export type DatastoreResult = { readonly datastore: Datastore } | { readonly problem: string };

/** `file:PATH`, or a path alone, or the URL of a Redis; errors name files as it does. */
export function createDatastore(url: string, options: Partial<DatastoreOptions> = {}): DatastoreResult {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  switch (scheme) {
    case undefined:
    case 'file': {
      const path = filePath(scheme === undefined ? url : url.slice('file:'.length));
      return path === undefined
        ? { problem: `the datastore "${url}" names no path; write it like file:/etc/podroute/cluster.yaml` }
        : { datastore: new FileDatastore(path, options) };
    }
    default: {
      if (!isRedisScheme(scheme)) {
        return {
          problem: `the datastore "${scheme}:" is unknown; write file:PATH of a file or a folder of manifests, or redis://HOST`,
        };
      }
      const parsed = parseRedisUrl(url);
      return 'problem' in parsed ? parsed : { datastore: new RedisDatastore(parsed.place, options) };
    }
  }
}

/** Both `file:/path` and `file:///path`; a host other than this machine is none of ours. */
function filePath(rest: string): string | undefined {
  const path = rest.startsWith('//') ? /^\/\/(?:localhost)?(\/.*)$/.exec(rest)?.[1] : rest;
  return path === undefined || path === '' ? undefined : path;
}
