/**
 * The door of agent/datastore/redis: the store behind the URLs of Redis.
 */
export { defaultRedisDatastoreOptions, RedisDatastore, type RedisDatastoreOptions } from './datastore.js';
export { isRedisScheme, parseRedisUrl } from './url.js';
