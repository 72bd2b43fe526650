/** TLS with a check of both sides, and users with passwords: what lets one in, and what is said where nothing does. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { change, nodeOf, POOL } from '../../support/datastore-suite.js';
import { freePort, RedisServer } from '../../support/redis-server.js';
import { RedisClients } from '../../support/redis-store.js';

/** As the README has it. */
const RULE =
  '~{podroute}:* &{podroute}:* +@connection +@read +@write +@scripting +@pubsub +time +cluster|slots +cluster|keyslot -flushall -flushdb';

let folder: string;
let server: RedisServer;
let tlsPort: number;
const clients = new RedisClients();

const path = (name: string) => join(folder, name);

function openssl(...args: readonly string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}`);
}

/** An authority of its own, or a certificate that `issuer` signs. */
function makeCertificate(name: string, issuer?: string): void {
  const subject = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${name}`];
  const signed = issuer === undefined ? [] : ['-CA', path(`${issuer}.crt`), '-CAkey', path(`${issuer}.key`)];
  const names = issuer === undefined ? [] : ['-addext', 'subjectAltName=IP:127.0.0.1'];
  openssl(
    'req',
    '-x509',
    ...subject,
    ...signed,
    ...names,
    '-keyout',
    path(`${name}.key`),
    '-out',
    path(`${name}.crt`),
  );
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'podroute-tls-'));
  makeCertificate('authority');
  makeCertificate('server', 'authority');
  makeCertificate('agent', 'authority');
  makeCertificate('stranger');
  writeFileSync(path('password'), 's3cret/?#@\n');
  tlsPort = await freePort();
  server = await RedisServer.start([
    ...['--tls-port', String(tlsPort), '--tls-auth-clients', 'yes'],
    ...['--tls-cert-file', path('server.crt'), '--tls-key-file', path('server.key')],
    ...['--tls-ca-cert-file', path('authority.crt')],
  ]);
  await server.ask('ACL', 'SETUSER', 'agent', 'on', '>s3cret/?#@', ...RULE.split(' '));
  await server.ask('ACL', 'SETUSER', 'watcher', 'on', '>other', '~*', '&*', '+@all', '-@write');
});

afterEach(() => clients.stop());

afterAll(async () => {
  await server.end();
  rmSync(folder, { recursive: true });
});

const files = (agent: string) => `cert=${path(`${agent}.crt`)}&key=${path(`${agent}.key`)}`;
const tls = (login: string, query: string) => `rediss://${login}127.0.0.1:${tlsPort}?${query}`;

describe('who is let in', () => {
  test('with a certificate, a user and a password in a file, by the rule of the README', async () => {
    const login = `ca=${path('authority.crt')}&${files('agent')}&passwordFile=${path('password')}`;
    const followed = await clients.follow(tls('agent@', login));
    await followed.is('ok');
    expect(followed.datastore.name).toBe(`rediss://127.0.0.1:${tlsPort}`);
    await followed.datastore.commit([change(POOL), change(nodeOf(1))]);
    await followed.hasNodes('node-1');
    const [pool] = await followed.datastore.list();
    const { registry } = followed.datastore;
    const order = {
      node: 'a',
      pool: { name: 'pods', version: pool?.version ?? '' },
      candidates: ['10.244.0.0/24'],
    };
    expect((await registry?.claim(order))?.outcome).toBe('claimed');
    const beat = { node: 'a', instance: 'a1', address: '10.0.0.1', takeOverAfterMs: 1_000 };
    expect((await registry?.beat(beat))?.signs.size).toBe(1);
    await followed.is('ok');
  });

  test('a password in the URL, its signs encoded', async () => {
    const store = clients.open(`redis://agent:s3cret%2F%3F%23%40@127.0.0.1:${server.port}`);
    expect(await store.list()).toBeInstanceOf(Array);
    expect(store.name).toBe(server.url);
  });
});

describe('who is not', () => {
  const trusted = () => `ca=${path('authority.crt')}`;
  test.each<[string, () => string, string]>([
    ['without a certificate', () => tls('', trusted()), 'our certificate'],
    ['with one of a stranger', () => tls('', `${trusted()}&${files('stranger')}`), 'our certificate'],
    ['who does not know the issuer', () => tls('', files('agent')), 'has a certificate of an unknown issuer'],
    [
      'with TLS where there is none',
      () => `rediss://127.0.0.1:${server.port}`,
      'see whether that port speaks TLS',
    ],
    ['without TLS where there is', () => `redis://127.0.0.1:${tlsPort}`, 'has cut the connection'],
    [
      'with a wrong password',
      () => `redis://agent:hunter2@127.0.0.1:${server.port}`,
      'refuses the user or the password',
    ],
    [
      'who may not write',
      () => `redis://watcher:other@127.0.0.1:${server.port}`,
      'does not let this user do',
    ],
    [
      'with a missing file',
      () => `redis://127.0.0.1:${server.port}?passwordFile=/nowhere`,
      'needs the file /nowhere',
    ],
    [
      'of a database that is none',
      () => `redis://127.0.0.1:${server.port}/99`,
      'does not have the database of the URL',
    ],
  ])('%s', async (_who, url, sentence) => {
    const store = clients.open(url());
    const failure = await store.commit([change(nodeOf(1))]).then(
      () => 'nothing',
      (error: Error) => error.message,
    );
    expect(failure).toContain(`127.0.0.1`);
    expect(failure).toContain(sentence);
    expect(failure).not.toMatch(/hunter2|s3cret|other@/);
  });

  test('and its start says so', async () => {
    const store = clients.open(`redis://agent:hunter2@127.0.0.1:${server.port}`, { startWaitMs: 300 });
    const result = await store.start({ resourcesChanged: () => {}, healthChanged: () => {} });
    expect(result).toEqual({
      errors: [
        { path: '', message: expect.stringContaining(`${server.url} refuses the user or the password`) },
      ],
    });
    expect(store.health().state).toBe('refusing');
  });
});
