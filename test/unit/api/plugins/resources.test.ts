import { describe, expect, test } from 'vitest';
import { createApi } from '../../../../api/index.js';
import { localRoute, NOT_READY, peer, READY, route, sourceOf } from '../rows.js';

const api = createApi({ source: sourceOf() });
const prefixes = (body: { routes: { prefix: string }[] }) => body.routes.map(({ prefix }) => prefix);

describe('GET /routes', () => {
  test('has the rows in the order of their prefixes, and how many there are', async () => {
    const body = (await api.inject('/routes')).json();
    expect(prefixes(body)).toEqual(['10.244.1.0/24', '10.244.2.0/24', '10.244.3.0/24', '10.244.20.0/24']);
    expect(body).toMatchObject({ total: 4, next: null });
  });

  test.each([
    ['prefix=10.244.2.0/23', ['10.244.2.0/24', '10.244.3.0/24']],
    ['state=failed', ['10.244.20.0/24']],
    ['mode=local', ['10.244.1.0/24']],
    ['peer=node-c', ['10.244.3.0/24', '10.244.20.0/24']],
    ['peer=node-c&state=ok', ['10.244.3.0/24']],
    ['peer=tor', []],
  ])('?%s', async (query, expected) => {
    expect(prefixes((await api.inject(`/routes?${query}`)).json())).toEqual(expected);
  });

  test('?limit= and ?cursor= walk the pages', async () => {
    const first = (await api.inject('/routes?limit=3')).json();
    expect(first).toMatchObject({ total: 4, next: '10.244.3.0/24' });
    const second = (await api.inject(`/routes?limit=3&cursor=${encodeURIComponent(first.next)}`)).json();
    expect(second).toMatchObject({ total: 4, next: null });
    expect([...prefixes(first), ...prefixes(second)]).toHaveLength(4);
  });

  test('has 1000 rows on a page unless told otherwise, and the table says that there are more', async () => {
    const routes = Array.from({ length: 1001 }, (_, n) => route({ prefix: `10.${n >> 8}.${n & 255}.0/24` }));
    const large = createApi({ source: sourceOf({ routes }) });
    const body = (await large.inject('/routes')).json();
    expect(body.routes).toHaveLength(1000);
    expect(body).toMatchObject({ total: 1001, next: '10.3.231.0/24' });
    const text = await large.inject({ url: '/routes', headers: { accept: 'text/plain' } });
    expect(text.body).toMatch(/\n1000 of 1001 routes; the next page: cursor=10\.3\.231\.0%2F24\n$/);
  });
});

describe('GET /routes/DESTINATION', () => {
  const nested = createApi({
    source: sourceOf({
      routes: [route({ prefix: '10.244.0.0/16' }), route(), localRoute, route({ prefix: 'fd00::/64' })],
    }),
  });

  test.each([
    ['10.244.3.9', '10.244.3.0/24'],
    ['10.244.9.9', '10.244.0.0/16'],
    ['10.244.0.0/16', '10.244.0.0/16'],
    ['10.244.0.0%2F16', '10.244.0.0/16'],
    ['fd00::1', 'fd00::/64'],
    ['fd00::/64', 'fd00::/64'],
  ])('%s is %s', async (destination, prefix) => {
    expect((await nested.inject(`/routes/${destination}`)).json()).toMatchObject({ prefix });
  });
});

describe('GET /peers', () => {
  test('is in the order of the names, numbers within them as numbers', async () => {
    const peers = ['node-10', 'tor', 'node-2'].map((name) => peer({ name }));
    const body = (await createApi({ source: sourceOf({ peers }) }).inject('/peers')).json();
    expect(body.peers.map(({ name }: { name: string }) => name)).toEqual(['node-2', 'node-10', 'tor']);
    expect(body.total).toBe(3);
  });

  test.each(['tor', '192.168.1.1'])('/%s is the one of that name or address', async (name) => {
    expect((await api.inject(`/peers/${name}`)).json()).toMatchObject({ name: 'tor' });
  });

  test('a name may hold any character, and be long', async () => {
    const name = `rack 1/${'ü'.repeat(60)}`;
    const odd = createApi({ source: sourceOf({ peers: [peer({ name })] }) });
    expect((await odd.inject(`/peers/${encodeURIComponent(name)}`)).json()).toMatchObject({ name });
  });
});

describe('readiness', () => {
  test('/readyz is 200 when ready', async () => {
    const answer = await api.inject('/readyz');
    expect([answer.statusCode, answer.json()]).toEqual([200, READY]);
  });

  test('/readyz is 503 with the reasons when not, and /healthz stays 200', async () => {
    const starting = createApi({ source: sourceOf({ ready: NOT_READY }) });
    const answer = await starting.inject('/readyz');
    expect([answer.statusCode, answer.json()]).toEqual([503, NOT_READY]);
    expect((await starting.inject('/healthz')).json()).toEqual({ status: 'ok' });
    expect((await starting.inject('/status')).json()).toMatchObject({ readiness: NOT_READY });
  });
});
