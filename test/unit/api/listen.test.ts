/** Real sockets on loopback and in a folder of their own: what an operator meets when the place is taken. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  ApiListenError,
  type ApiTarget,
  createApi,
  describePortOwner,
  fetchJson,
  findPortOwner,
  Health,
  listen,
} from '../../../api/index.js';
import { sourceOf } from './rows.js';

let folder: string;
const cleanups: (() => unknown)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'podroute-api-'));
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await rm(folder, { recursive: true });
});

function newApi(): FastifyInstance {
  const api = createApi({ source: sourceOf() });
  cleanups.push(() => api.close());
  return api;
}

async function holdPort(host: string): Promise<{ server: Server; port: number }> {
  const server = createServer();
  server.listen(0, host);
  await once(server, 'listening');
  cleanups.push(() => new Promise((resolve) => server.close(resolve)));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { server, port: address.port };
}

async function failure(target: ApiTarget): Promise<ApiListenError> {
  const error = await listen(newApi(), target).catch((reason: unknown) => reason);
  if (!(error instanceof ApiListenError)) throw new Error(`not the error expected: ${error}`);
  return error;
}

/** A process that listens, prints a line when it does, and lives until its input ends. */
async function spawnListener(where: string): Promise<number> {
  const child = spawn(process.execPath, [
    '-e',
    `require('node:net').createServer().listen(${where}, () => console.log('ready')); process.stdin.resume();`,
  ]);
  const exit = once(child, 'exit');
  cleanups.push(async () => {
    child.kill('SIGKILL');
    await exit;
  });
  await once(child.stdout, 'data');
  if (child.pid === undefined) throw new Error('no process');
  return child.pid;
}

describe('a TCP port in use', () => {
  test('names its owner', async () => {
    const { port: free, server } = await holdPort('127.0.0.1');
    await new Promise((resolve) => server.close(resolve));
    const pid = await spawnListener(`${free}, '127.0.0.1'`);
    const error = await failure({ type: 'tcp', host: '127.0.0.1', port: free });
    expect(error.code).toBe('API_ADDRESS_IN_USE');
    expect(error.owner?.pid).toBe(pid);
    expect(error.message).toBe(
      `The API cannot listen on http://127.0.0.1:${free}: ${error.owner?.name} (pid ${pid}) is using it; stop it, or choose another place with --api.`,
    );
  });

  test.each([
    ['127.0.0.1', '127.0.0.1', true],
    ['127.0.0.1', undefined, true],
    ['127.0.0.1', '0.0.0.0', true],
    ['0.0.0.0', '127.0.0.1', true],
    ['127.0.0.1', '127.0.0.2', false],
    ['::1', '::1', true],
    ['::1', '::', true],
  ])('held on %s is in the way of %s: %s', async (held, wanted, found) => {
    const { port } = await holdPort(held);
    expect((await findPortOwner(port, wanted))?.pid).toBe(found ? process.pid : undefined);
  });

  test('that is free has no owner', async () => {
    const { port, server } = await holdPort('127.0.0.1');
    await new Promise((resolve) => server.close(resolve));
    expect(await findPortOwner(port)).toBeUndefined();
  });

  test('a connection that outlives its listener does not hold the port', async () => {
    const { port, server } = await holdPort('127.0.0.1');
    const accepted = once(server, 'connection');
    const client = connect(port, '127.0.0.1');
    const [socket] = await accepted;
    server.close();
    expect(await findPortOwner(port)).toBeUndefined();
    client.destroy();
    socket.destroy();
  });

  test('whose owner cannot be seen says so', () => {
    expect(describePortOwner(undefined)).toBe('another process (only root can see which)');
    expect(describePortOwner({ pid: 812, name: 'bird' })).toBe('bird (pid 812)');
  });
});

describe('an address that cannot be had', () => {
  test('is one clear sentence', async () => {
    const error = await failure({ type: 'tcp', host: '192.0.2.1', port: 9179 });
    expect(error.code).toBe('API_ADDRESS_NOT_AVAILABLE');
    expect(error.message).toBe(
      'The API cannot listen on http://192.0.2.1:9179: no interface has this address; choose another one with --api.',
    );
  });
});

describe('a unix socket', () => {
  test('answers, belongs to owner and group, and its file goes with the server', async () => {
    const target = { type: 'unix', path: join(folder, 'api.sock') } as const;
    const api = newApi();
    await listen(api, target);
    expect(await fetchJson(target, '/healthz', Health)).toEqual({ status: 'ok' });
    expect((await stat(target.path)).mode & 0o777).toBe(0o660);
    await api.close();
    await expect(stat(target.path)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('left behind by a killed process is replaced', async () => {
    const path = join(folder, 'api.sock');
    const pid = await spawnListener(JSON.stringify(path));
    process.kill(pid, 'SIGKILL');
    await cleanups.pop()?.();
    expect((await stat(path)).isSocket()).toBe(true);
    await listen(newApi(), { type: 'unix', path });
    expect(await fetchJson({ type: 'unix', path }, '/healthz', Health)).toEqual({ status: 'ok' });
  });

  test('of a living process is left alone, and its owner named', async () => {
    const path = join(folder, 'api.sock');
    const pid = await spawnListener(JSON.stringify(path));
    const error = await failure({ type: 'unix', path });
    expect(error.code).toBe('API_ADDRESS_IN_USE');
    expect(error.owner?.pid).toBe(pid);
    expect(error.message).toContain(`(pid ${pid}) is using it`);
  });

  test('never replaces a file that is no socket', async () => {
    const path = join(folder, 'precious');
    await writeFile(path, 'data');
    expect((await failure({ type: 'unix', path })).code).toBe('API_ADDRESS_IN_USE');
    expect((await stat(path)).size).toBe(4);
  });

  test('in a folder that does not exist is one clear sentence', async () => {
    const path = join(folder, 'missing', 'api.sock');
    const error = await failure({ type: 'unix', path });
    expect(error.message).toBe(
      `The API cannot listen on unix:${path}: the folder does not exist; create it first.`,
    );
  });
});
