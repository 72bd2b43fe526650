/** The commands against a real server, over TCP and over a unix socket. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import {
  type ApiSource,
  type ClientHooks,
  commands,
  createApi,
  listen,
  runCommand,
  type ShownRoute,
} from '../../../../api/index.js';
import { idlePeer, localRoute, NOT_READY, peer, route, sourceOf, status } from '../rows.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Run {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

interface RunOptions {
  readonly env?: Record<string, string>;
  readonly columns?: number;
  readonly kernel?: readonly ShownRoute[];
}

async function podroute(
  line: readonly string[],
  { env = {}, columns, kernel }: RunOptions = {},
): Promise<Run> {
  const [name = '', ...argv] = line;
  const command = Object.values(commands).find((candidate) => candidate.name === name);
  if (!command) throw new Error(`no command ${name}`);
  let out = '';
  let err = '';
  const io = {
    stdout: {
      write: (text: string) => {
        out += text;
      },
      ...(columns !== undefined && { isTTY: true, columns }),
    },
    stderr: {
      write: (text: string) => {
        err += text;
      },
    },
    env,
  };
  const hooks: ClientHooks = {
    version: '1.2.3',
    kernelRoutes: async () => {
      if (!kernel) throw new Error('the kernel must not be asked');
      return kernel;
    },
  };
  return { exit: await runCommand(command, argv, io, hooks), out, err };
}

async function serve(source: ApiSource = sourceOf()): Promise<string> {
  const api = createApi({ source });
  cleanups.push(() => api.close());
  const url = await listen(api, { type: 'tcp', host: '127.0.0.1', port: 0 });
  return url.replace('http://', '');
}

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** A port where nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await portOf(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const healthy = () => sourceOf({ status: status({ configErrors: [] }) });

describe('podroute status', () => {
  test('exits 0 when the agent is ready', async () => {
    const { exit, out, err } = await podroute(['status', '--api', await serve(healthy())]);
    expect(out).toContain('\nready          yes\n');
    expect([exit, err]).toEqual([0, '']);
  });

  test('exits 1 when it is not ready, and says why', async () => {
    const source = healthy();
    source.rows.ready = NOT_READY;
    const { exit, out } = await podroute(['status', '--api', await serve(source)]);
    expect(out).toContain('no peer is established');
    expect(exit).toBe(1);
  });

  test('exits 1 when the newest configuration is broken', async () => {
    const { exit, out } = await podroute(['status', '--api', await serve()]);
    expect(out).toContain('cluster.yaml:12: spec.cidr: not a prefix');
    expect(exit).toBe(1);
  });
});

describe('podroute peers', () => {
  test('shows all, or one by name or address', async () => {
    const api = await serve();
    expect(
      (await podroute(['peers', '--api', api])).out.split('\n').map((line) => line.split(' ')[0]),
    ).toEqual(['NAME', 'node-b', 'tor', '']);
    const byName = await podroute(['peers', 'tor', '--api', api]);
    expect(byName.out).toContain('name                tor (top of rack)\n');
    const byAddress = await podroute(['peers', '192.168.1.1', '--api', api]);
    expect(byAddress.out).toContain('name                tor (top of rack)\n');
    expect([byName.exit, byAddress.exit]).toEqual([0, 0]);
  });

  test('exits 2 for a name that nobody has, with the names there are', async () => {
    const { exit, out, err } = await podroute(['peers', 'nobody', '--api', await serve()]);
    expect([exit, out]).toEqual([2, '']);
    expect(err).toBe('No peer has the name or address "nobody"; the peers are node-b, tor.\n');
  });
});

describe('podroute routes', () => {
  test('shows all of them, over as many pages as it takes', async () => {
    const routes = Array.from({ length: 10_001 }, (_, n) =>
      route({ prefix: `10.${n >> 8}.${n & 255}.0/24` }),
    );
    const { exit, out } = await podroute(['routes', '--api', await serve(sourceOf({ routes }))]);
    const lines = out.trimEnd().split('\n');
    expect(lines).toHaveLength(10_002);
    expect(new Set(lines).size).toBe(10_002);
    expect(exit).toBe(0);
  });

  test.each([
    [['--state', 'failed'], ['10.244.20.0/24']],
    [['--mode', 'ipip'], ['10.244.3.0/24']],
    [['--peer', 'node-b'], ['10.244.2.0/24']],
    [
      ['--prefix', '10.244.2.0/23'],
      ['10.244.2.0/24', '10.244.3.0/24'],
    ],
    [['10.244.3.9'], ['10.244.3.0/24']],
    [['10.244.2.0/24'], ['10.244.2.0/24']],
  ])('%j', async (argv, expected) => {
    const { out } = await podroute(['routes', ...argv, '--api', await serve()]);
    expect(
      out
        .trimEnd()
        .split('\n')
        .slice(1)
        .map((line) => line.split(' ')[0]),
    ).toEqual(expected);
  });

  test.each([
    [['9.9.9.9'], 'No route of this agent matches 9.9.9.9; GET /routes has them all.\n'],
    [['--peer', 'nobody'], 'No peer is called "nobody"; the peers are node-b, tor.\n'],
    [
      ['--prefix', '10.0.0.0'],
      'prefix must be a prefix such as 10.244.3.0/24 (for one address, ask /routes/ADDRESS); it was "10.0.0.0".\n',
    ],
  ])('%j exits 2 with the sentence of the agent', async (argv, sentence) => {
    expect(await podroute(['routes', ...argv, '--api', await serve()])).toEqual({
      exit: 2,
      out: '',
      err: sentence,
    });
  });
});

describe('with no agent running', () => {
  const kernel: ShownRoute[] = [
    { ...route(), since: null, state: 'stale', learnedFrom: null },
    { ...localRoute, since: null, state: 'stale' },
  ];

  test('routes shows what the kernel has, and says so', async () => {
    const api = `127.0.0.1:${await freePort()}`;
    const { exit, out, err } = await podroute(['routes', '--api', api], { kernel });
    expect(out.split('\n').map((line) => line.split(' ')[0])).toEqual([
      'PREFIX',
      '10.244.1.0/24',
      '10.244.3.0/24',
      '',
    ]);
    expect(err).toBe(
      `No agent answers at http://${api}; start one, or say where it is with --api.\nWhat follows is what the kernel has.\n`,
    );
    expect(exit).toBe(0);
  });

  test('the filters and destinations of routes work on what the kernel has', async () => {
    const api = '/nonexistent/podroute.sock';
    const filtered = await podroute(['routes', '--mode', 'local', '-o', 'json', '--api', api], { kernel });
    expect(JSON.parse(filtered.out)).toMatchObject({
      routes: [{ prefix: '10.244.1.0/24' }],
      total: 1,
      next: null,
    });
    const one = await podroute(['routes', '10.244.3.7', '-o', 'json', '--api', api], { kernel });
    expect(JSON.parse(one.out)).toMatchObject({ prefix: '10.244.3.0/24', since: null });
    expect(await podroute(['routes', '9.9.9.9', '--api', api], { kernel })).toMatchObject({
      exit: 2,
      out: '',
    });
  });

  test('an empty kernel is an empty table', async () => {
    const { exit, out } = await podroute(['routes', '--api', '/nonexistent/podroute.sock'], { kernel: [] });
    expect([exit, out]).toEqual([0, 'PREFIX  VIA  DEVICE  NEIGHBOUR  MODE  STATE  FROM  SINCE  REASON\n']);
  });

  test.each(['status', 'peers'])('%s exits 3', async (name) => {
    const api = `127.0.0.1:${await freePort()}`;
    expect(await podroute([name, '--api', api])).toEqual({
      exit: 3,
      out: '',
      err: `No agent answers at http://${api}; start one, or say where it is with --api.\n`,
    });
  });

  test('at an address that need not be this machine, the kernel of this one is not asked', async () => {
    const api = `[::ffff:127.0.0.1]:${await freePort()}`;
    const { exit, err } = await podroute(['routes', '--api', api]);
    expect(exit).toBe(3);
    expect(err).toBe(`No agent answers at http://${api}; start one, or say where it is with --api.\n`);
  });
});

describe('an agent that hangs up', () => {
  test.each(['status', 'peers', 'routes'])('%s exits 3, and the kernel is not asked', async (name) => {
    const server = createServer((socket) => socket.destroy());
    cleanups.push(() => new Promise((resolve) => server.close(resolve)));
    const api = `127.0.0.1:${await portOf(server)}`;
    const { exit, err } = await podroute([name, '--api', api]);
    expect(exit).toBe(3);
    expect(err).toMatch(`The agent at http://${api} cannot be reached: `);
  });
});

describe('who answers is not the agent', () => {
  test('other JSON, other HTML, and no HTTP at all exit 3', async () => {
    const json = createHttpServer((_request, response) => response.end('{"hello":"world"}'));
    const html = createHttpServer((_request, response) => response.end('<html>'));
    const bytes = createServer((socket) => socket.resume().end('SSH-2.0-x\r\n'));
    for (const server of [json, html, bytes]) {
      cleanups.push(() => new Promise((resolve) => server.close(resolve)));
      const api = `127.0.0.1:${await portOf(server)}`;
      const { exit, err } = await podroute(['status', '--api', api]);
      expect(err).toBe(`What answers at http://${api} is not a podroute agent, or one of another version.\n`);
      expect(exit).toBe(3);
    }
  });

  test('an agent that fails exits 1 with its sentence', async () => {
    const api = await serve({
      ...sourceOf(),
      peers: () => {
        throw new Error('a bug');
      },
    });
    expect(await podroute(['peers', '--api', api])).toEqual({
      exit: 1,
      out: '',
      err: `The agent at http://${api} reports: The agent failed to answer; its log says why.\n`,
    });
  });

  test('an agent that is newer may say more', async () => {
    const newer = { ...peer(), colour: 'red' };
    const server = createHttpServer((_request, response) =>
      response.end(JSON.stringify({ peers: [newer], total: 1, colour: 'red' })),
    );
    cleanups.push(() => new Promise((resolve) => server.close(resolve)));
    const { exit, out } = await podroute([
      'peers',
      '-o',
      'json',
      '--api',
      `127.0.0.1:${await portOf(server)}`,
    ]);
    expect([exit, JSON.parse(out)]).toEqual([0, { peers: [newer], total: 1, colour: 'red' }]);
  });
});

describe('where and how', () => {
  test('a unix socket, by option or by PODROUTE_API; the option wins', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'podroute-api-'));
    cleanups.push(() => rm(folder, { recursive: true }));
    const path = join(folder, 'api.sock');
    const api = createApi({ source: healthy() });
    cleanups.push(() => api.close());
    await listen(api, { type: 'unix', path });
    expect((await podroute(['status', '--api', path])).exit).toBe(0);
    expect((await podroute(['status'], { env: { PODROUTE_API: `unix:${path}` } })).exit).toBe(0);
    const wrong = { PODROUTE_API: '/nonexistent/podroute.sock' };
    expect((await podroute(['status', '--api', `unix:${path}`], { env: wrong })).exit).toBe(0);
    expect((await podroute(['status'], { env: wrong })).exit).toBe(3);
  });

  test.each([
    [['status', '-o', 'json'], { node: 'node-a', readiness: { ready: true } }],
    [['peers', '--output', 'json'], { peers: [peer(), idlePeer], total: 2 }],
    [['peers', 'tor', '--output=json'], idlePeer],
    [['routes', '-o', 'json', '--mode', 'ipip'], { routes: [route()], total: 1, next: null }],
    [['routes', '-ojson', '10.244.3.9'], route()],
  ])('%j is the JSON of the API', async (line, expected) => {
    const { out } = await podroute([...line, '--api', await serve()]);
    expect(JSON.parse(out)).toMatchObject(expected);
  });

  test('lines fit a terminal, and are whole in a pipe', async () => {
    const api = await serve();
    const lengths = (out: string) => Math.max(...out.split('\n').map((line) => line.length));
    expect(lengths((await podroute(['routes', '--api', api], { columns: 60 })).out)).toBe(60);
    expect(lengths((await podroute(['routes', '--api', api])).out)).toBeGreaterThan(60);
  });
});

describe('the command line', () => {
  test.each([
    [['status', '--colour'], "podroute status: Unknown option '--colour'"],
    [['status', 'extra'], 'podroute status: unexpected argument "extra"'],
    [['peers', 'a', 'b'], 'podroute peers: unexpected argument "b"'],
    [['peers', '--api'], "podroute peers: Option '--api <value>' argument missing"],
    [
      ['peers', '--api', 'https://x'],
      'podroute peers: --api must be ADDRESS:PORT, http://ADDRESS:PORT, unix:/PATH or /PATH; it was "https://x"',
    ],
    [['peers', '-o', 'xml'], 'podroute peers: --output must be one of table, json; it was "xml"'],
    [
      ['routes', '--mode', 'fast'],
      'podroute routes: --mode must be one of direct, ipip, local, blackhole, none; it was "fast"',
    ],
    [['routes', '1.1.1.1', '--peer', 'a'], 'podroute routes: a destination and filters exclude each other'],
  ])('%j exits 2', async (line, sentence) => {
    const [name] = line;
    expect(await podroute(line)).toEqual({
      exit: 2,
      out: '',
      err: `${sentence}\nTry: podroute ${name} --help\n`,
    });
  });

  test.each(['status', 'peers', 'routes'] as const)(
    '%s --help shows every option and exit status',
    async (name) => {
      const { exit, out } = await podroute([name, '--help', '--api', 'ignored']);
      expect(exit).toBe(0);
      expect(out).toMatch(new RegExp(`^Usage: podroute ${name} \\[OPTIONS\\]`));
      for (const option of Object.keys(commands[name].options)) expect(out).toContain(`--${option}`);
      for (const [status, meaning] of commands[name].exits)
        expect(out).toContain(`  ${status}  ${meaning}\n`);
      expect((await podroute([name, '-h'])).out).toBe(out);
    },
  );

  test('--version', async () => {
    expect(await podroute(['routes', '--version'])).toEqual({ exit: 0, out: 'podroute 1.2.3\n', err: '' });
  });
});
