import { Writable } from 'node:stream';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { createApi } from '../../../api/index.js';
import { sourceOf } from './rows.js';

const PATHS = [
  '/',
  '/routes',
  '/routes/10.244.3.9',
  '/routes/10.244.3.0/24',
  '/peers',
  '/peers/tor',
  '/status',
  '/healthz',
  '/readyz',
  '/metrics',
];

const api = createApi({ source: sourceOf() });

describe('every path', () => {
  test('is listed at /', async () => {
    const { endpoints, version } = (await api.inject('/')).json();
    expect(version).toBe('0.1.0');
    expect(endpoints.map(({ path }: { path: string }) => path)).toEqual([
      '/',
      '/routes',
      '/routes/:address',
      '/routes/:address/:length',
      '/peers',
      '/peers/:name',
      '/status',
      '/healthz',
      '/readyz',
      '/metrics',
    ]);
    expect(endpoints.find(({ path }: { path: string }) => path === '/routes').parameters).toEqual([
      'prefix',
      'state',
      'mode',
      'peer',
      'limit',
      'cursor',
    ]);
    for (const { summary } of endpoints) expect(summary).not.toBe('');
  });

  test.each(PATHS)('%s answers GET, and HEAD with the same header and no body', async (url) => {
    const get = await api.inject(url);
    const head = await api.inject({ url, method: 'HEAD' });
    expect([get.statusCode, head.statusCode]).toEqual([200, 200]);
    expect(head.headers['content-type']).toBe(get.headers['content-type']);
    expect(head.body).toBe('');
  });

  test.each(PATHS)('%s says 405 and what is allowed to any other method', async (url) => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const) {
      const answer = await api.inject({ url, method, headers: { 'content-type': 'nonsense' }, payload: '{' });
      expect(answer.statusCode, method).toBe(405);
      expect(answer.headers.allow).toBe('GET, HEAD');
      expect(answer.json().error).toMatchObject({ code: 'METHOD_NOT_ALLOWED', allowed: ['GET', 'HEAD'] });
    }
  });

  test.each(PATHS)('%s refuses a parameter that it does not have', async (url) => {
    const answer = await api.inject(`${url}?colour=red`);
    expect(answer.statusCode).toBe(400);
    expect(answer.json().error).toMatchObject({ code: 'UNKNOWN_PARAMETER', parameter: 'colour' });
  });

  test('may end in a slash', async () => {
    expect((await api.inject('/peers/')).statusCode).toBe(200);
  });
});

describe('the form of an answer', () => {
  test.each(['/', '/routes', '/routes/10.244.3.9', '/peers', '/peers/tor', '/status'])(
    '%s is JSON for curl, and a table for who prefers text',
    async (url) => {
      const json = await api.inject({ url, headers: { accept: '*/*' } });
      const text = await api.inject({ url, headers: { accept: 'text/plain' } });
      expect(json.headers['content-type']).toBe('application/json; charset=utf-8');
      expect(text.headers['content-type']).toBe('text/plain; charset=utf-8');
      expect(() => json.json()).not.toThrow();
      expect(text.body).toMatch(/^\S+ .*\n$/s);
      expect(text.body).not.toContain('{');
      expect([json.headers.vary, text.headers.vary]).toEqual(['accept', 'accept']);
    },
  );

  test('an error is JSON for everybody', async () => {
    const answer = await api.inject({ url: '/routes?limit=0', headers: { accept: 'text/plain' } });
    expect(answer.statusCode).toBe(400);
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(answer.json().error.code).toBe('BAD_PARAMETER');
  });
});

describe('a wrong request', () => {
  test.each([
    [
      '/route',
      404,
      'UNKNOWN_PATH',
      'There is no /route here; the paths are /, /routes, /routes/:address, /routes/:address/:length, /peers, /peers/:name, /status, /healthz, /readyz, /metrics.',
    ],
    [
      '/routes?colour=red',
      400,
      'UNKNOWN_PARAMETER',
      '/routes has no parameter "colour"; it takes prefix, state, mode, peer, limit, cursor.',
    ],
    ['/peers?a=1', 400, 'UNKNOWN_PARAMETER', '/peers has no parameter "a"; it takes none.'],
    [
      '/routes?state=fine',
      400,
      'BAD_PARAMETER',
      'state must be one of ok, pending, conflict, shadowed, failed, stale, blackhole; it was "fine".',
    ],
    ['/routes?limit=0', 400, 'BAD_PARAMETER', 'limit must be one whole number from 1 to 10000; it was 0.'],
    [
      '/routes?limit=ten',
      400,
      'BAD_PARAMETER',
      'limit must be one whole number from 1 to 10000; it was "ten".',
    ],
    [
      '/routes?limit=1&limit=2',
      400,
      'BAD_PARAMETER',
      'limit must be one whole number from 1 to 10000; it was ["1","2"].',
    ],
    [
      '/routes?prefix=10.244.3.9',
      400,
      'BAD_PARAMETER',
      'prefix must be a prefix such as 10.244.3.0/24 (for one address, ask /routes/ADDRESS); it was "10.244.3.9".',
    ],
    [
      '/routes?prefix=10.244.3.9/24',
      400,
      'BAD_PARAMETER',
      'prefix must be a prefix without bits after its length; it was "10.244.3.9/24".',
    ],
    [
      '/routes?cursor=2',
      400,
      'BAD_PARAMETER',
      'cursor must be the `next` of the page before, such as 10.244.3.0/24; it was "2".',
    ],
    ['/routes?peer=nobody', 400, 'BAD_PARAMETER', 'No peer is called "nobody"; the peers are node-b, tor.'],
    [
      '/routes/here',
      400,
      'BAD_PARAMETER',
      'destination must be an address, or a prefix such as 10.244.3.0/24; it was "here".',
    ],
    ['/routes/9.9.9.9', 404, 'NO_ROUTE', 'No route of this agent matches 9.9.9.9; GET /routes has them all.'],
    [
      '/peers/nobody',
      404,
      'UNKNOWN_PEER',
      'No peer has the name or address "nobody"; the peers are node-b, tor.',
    ],
    ['/%', 400, 'BAD_REQUEST', "'/%' is not a valid url component"],
  ])('%s: %i %s', async (url, status, code, message) => {
    const answer = await api.inject(url);
    expect(answer.statusCode).toBe(status);
    expect(answer.json().error).toMatchObject({ code, message });
  });

  test('a parameter with a closed set of values names them', async () => {
    const { error } = (await api.inject('/routes?mode=fast')).json();
    expect(error).toMatchObject({
      parameter: 'mode',
      allowed: ['direct', 'ipip', 'local', 'blackhole', 'none'],
    });
  });
});

describe('the source', () => {
  test('is asked anew for every request', async () => {
    const source = sourceOf();
    const live = createApi({ source });
    expect((await live.inject('/routes')).json().total).toBe(4);
    source.rows.routes = [];
    expect((await live.inject('/routes')).json()).toEqual({ routes: [], total: 0, next: null });
  });

  test('that throws is a 500 without details for the client, and an error in the log', async () => {
    const lines: string[] = [];
    const live = createApi({
      source: {
        ...sourceOf(),
        peers: () => {
          throw new Error('a bug');
        },
      },
      logger: pino({ level: 'info' }, linesTo(lines)),
    });
    const answer = await live.inject('/peers');
    expect(answer.statusCode).toBe(500);
    expect(answer.json()).toEqual({
      error: { code: 'INTERNAL', message: 'The agent failed to answer; its log says why.' },
    });
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 50, url: '/peers', err: { message: 'a bug' } });
  });
});

describe('the log', () => {
  test('has one line per request, at debug', async () => {
    const lines: string[] = [];
    const live = createApi({ source: sourceOf(), logger: pino({ level: 'debug' }, linesTo(lines)) });
    await live.inject('/healthz');
    await live.inject('/nothing');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { level: 20, method: 'GET', url: '/healthz', status: 200, msg: 'API request' },
      { level: 20, method: 'GET', url: '/nothing', status: 404, msg: 'API request' },
    ]);
  });
});

function linesTo(lines: string[]): Writable {
  return new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
}
