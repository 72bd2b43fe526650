/** The URL of a Redis: what it says, what is wrong with it, and what of it is never shown. */
import { describe, expect, test } from 'vitest';
import { parseRedisUrl, type RedisPlace } from '../../../../../agent/datastore/redis/url.js';

function place(url: string): RedisPlace {
  const parsed = parseRedisUrl(url);
  if ('problem' in parsed) throw new Error(parsed.problem);
  return parsed.place;
}

describe('what a URL says', () => {
  test.each<[string, Partial<RedisPlace>]>([
    [
      'redis://10.0.0.5',
      {
        name: 'redis://10.0.0.5:6379',
        target: { type: 'server', host: { host: '10.0.0.5', port: 6379 } },
        db: 0,
      },
    ],
    [
      'redis://r:1/2',
      { name: 'redis://r:1/2', target: { type: 'server', host: { host: 'r', port: 1 } }, db: 2 },
    ],
    ['redis://[fd00::5]:7', { target: { type: 'server', host: { host: 'fd00::5', port: 7 } } }],
    ['redis://[fd00::5]', { name: 'redis://[fd00::5]:6379' }],
    ['redis://u:p%40%3A@h', { username: 'u', password: 'p@:', name: 'redis://h:6379' }],
    ['redis://:p@ss@h', { password: 'p@ss', name: 'redis://h:6379' }],
    ['redis://u@h?passwordFile=/etc/p', { username: 'u', passwordFile: '/etc/p', name: 'redis://h:6379' }],
    ['REDIS://h/?prefix=lab.1', { prefix: 'lab.1', name: 'redis://h:6379?prefix=lab.1' }],
    ['rediss://h', { tls: {}, name: 'rediss://h:6379' }],
    ['rediss://h?ca=/a&cert=/b&key=/c', { tls: { ca: '/a', cert: '/b', key: '/c' } }],
    [
      'redis+sentinel://u:p@a,b:7/my%20mesh/3?sentinelPasswordFile=/s',
      {
        name: 'redis+sentinel://a:26379,b:7/my%20mesh/3',
        target: {
          type: 'sentinel',
          hosts: [
            { host: 'a', port: 26379 },
            { host: 'b', port: 7 },
          ],
          master: 'my mesh',
        },
        db: 3,
        sentinelPasswordFile: '/s',
      },
    ],
    [
      'rediss+cluster://a,[fd00::1]:2',
      {
        name: 'rediss+cluster://a:6379,[fd00::1]:2',
        target: {
          type: 'cluster',
          hosts: [
            { host: 'a', port: 6379 },
            { host: 'fd00::1', port: 2 },
          ],
        },
        tls: {},
      },
    ],
  ])('%s', (url, expected) => {
    expect(place(url)).toMatchObject(expected);
  });

  test('what is not said is absent', () => {
    expect(Object.keys(place('redis://h')).sort()).toEqual(['db', 'name', 'prefix', 'target']);
    expect(place('redis://h').prefix).toBe('podroute');
  });
});

describe('what is wrong is one sentence with the remedy, and quotes no secret', () => {
  test.each([
    ['redis:h', 'is in another form; write it like redis://[USER:PASSWORD@]HOST[:PORT][/DB]'],
    ['redis://', 'has a wrong host or port; write it like redis://'],
    ['redis://h:0', 'has a wrong host or port'],
    ['redis://h:65536', 'has a wrong host or port'],
    ['redis://:hunter2/x@h', 'and / ? # @ of a password as %2F %3F %23 %40'],
    ['redis://:hunter2%zz@h', 'has a % that begins no code; write a % itself as %25'],
    ['redis://h/x', 'names a database that is no number; write it like /0'],
    ['redis://h/1/2', 'has a path that is no database'],
    ['redis://a,b', 'names several hosts; say what they are with redis+sentinel: or redis+cluster:'],
    ['redis+sentinel://a', 'does not say what the Sentinels call the master'],
    ['redis+sentinel://a/m/1/2', 'does not say what the Sentinels call the master'],
    ['redis+cluster://a/1', 'names a database, which a Redis Cluster has one of'],
    ['redis://h?prefx=hunter2', 'has an unknown parameter; there are prefix, passwordFile'],
    ['redis://h?prefix', 'has the parameter prefix without a value'],
    ['redis://h?prefix=a{b}', 'has a wrong prefix; use letters, digits and ._:- in it'],
    ['redis://:hunter2@h?passwordFile=/p', 'has a password and a passwordFile; keep one of them'],
    ['redis://h?sentinelPasswordFile=/p', 'has a sentinelPasswordFile and names no Sentinels'],
    ['redis://h?ca=/a', 'has files for TLS and is none; begin it with rediss:'],
    ['redis+cluster://h?ca=/a', 'begin it with rediss+cluster:'],
    ['rediss://h?cert=/a', 'has one of cert and key; give both files, or none'],
  ])('%s', (url, sentence) => {
    const parsed = parseRedisUrl(url);
    expect(parsed).toEqual({ problem: expect.stringContaining(sentence) });
    expect(JSON.stringify(parsed)).not.toContain('hunter2');
  });
});
