/** The name of a datastore. */
import { describe, expect, test } from 'vitest';
import { createDatastore } from '../../../../agent/datastore/index.js';

describe('createDatastore', () => {
  test.each([
    ['file:/etc/podroute/cluster.yaml', 'file:/etc/podroute/cluster.yaml'],
    ['file:///etc/podroute/cluster.yaml', 'file:/etc/podroute/cluster.yaml'],
    ['file://localhost/etc/podroute', 'file:/etc/podroute'],
    ['/etc/podroute', 'file:/etc/podroute'],
    ['cluster.yaml', 'file:cluster.yaml'],
    ['./a:b.yaml', 'file:./a:b.yaml'],
    ['redis://:hunter2@10.0.0.5', 'redis://10.0.0.5:6379'],
  ])('%s is %s', (url, name) => {
    const result = createDatastore(url);
    expect('datastore' in result && result.datastore.name).toBe(name);
  });

  test.each([
    ['redis://:hunter2@127.0.0.1:6379/a', 'the datastore redis: names a database that is no number'],
    ['etcd://127.0.0.1', 'the datastore "etcd:" is unknown'],
    ['file:', 'names no path'],
    ['file://elsewhere/etc/podroute', 'names no path'],
    ['', 'names no path'],
  ])('%s: %s', (url, expected) => {
    const result = createDatastore(url);
    expect(result).toEqual({ problem: expect.stringContaining(expected) });
    expect(JSON.stringify(result)).not.toContain('hunter2');
  });
});
