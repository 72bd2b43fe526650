/**
 * The commands that talk to a running agent: `status`, `peers`, `peer`, `routes`.
 *
 * Owns: which question each command asks and which exit status the answer means. Must not know: how the kernel is read;
 * for `routes` without an agent that is a hook.
 */
import type { TSchema } from 'typebox';
import { AgentError, ApiError, requestErrors } from '../errors.js';
import { renderPeer, renderPeers } from '../render/peers.js';
import { renderRoutes, type ShownRoute } from '../render/routes.js';
import { renderStatus } from '../render/status.js';
import type { TextOptions } from '../render/table.js';
import {
  Peer,
  PeerActionAnswer,
  PeerList,
  ROUTE_MODES,
  ROUTE_STATES,
  Route,
  RoutePage,
  Status,
} from '../schemas/index.js';
import { findRoute, MAX_PAGE_SIZE, type RouteQuery, selectRoutes } from '../select-routes.js';
import {
  API_TARGET_FORMS,
  type ApiTarget,
  DEFAULT_API_TARGET,
  formatApiTarget,
  isLocalTarget,
  parseApiTarget,
} from '../target.js';
import {
  type CliIo,
  type Command,
  type CommandOption,
  EXIT,
  type ExitStatus,
  type OptionValues,
  UsageError,
} from './command.js';
import { fetchJson } from './fetch-json.js';
import { doneText, PEER_ARGUMENTS, readPeerRequest } from './peer-command.js';

/** What the commands need from the program that they are a part of. */
export interface ClientHooks {
  readonly version: string;
  /** This agent's routes as the kernel of this machine has them, for when no agent runs. */
  kernelRoutes(): Promise<readonly ShownRoute[]>;
}

const COMMON_OPTIONS: Readonly<Record<string, CommandOption>> = {
  api: {
    value: 'URL',
    help: `where the agent's API is: ${API_TARGET_FORMS} (PODROUTE_API; default ${formatApiTarget(DEFAULT_API_TARGET)})`,
  },
  output: { short: 'o', value: 'FORMAT', help: 'table or json (default table)' },
};

const COMMON_EXITS = [
  [EXIT.usage, 'the command line is wrong, or asks for something that does not exist'],
  [EXIT.unreachable, 'no agent answers'],
] as const;

const status: Command<ClientHooks> = {
  name: 'status',
  summary: 'Show the agent of this node: readiness, data plane, datastore, configuration.',
  options: COMMON_OPTIONS,
  exits: [
    [EXIT.ok, 'the agent is ready, and the newest configuration is in force'],
    [EXIT.attention, 'it is not, or it failed to answer'],
    ...COMMON_EXITS,
  ],
  run: (values, _argument, io) =>
    ask(values, io, async ({ get, print }) => {
      const answer = await get('/status', Status);
      print(answer, (text) => renderStatus(answer, text));
      return answer.readiness.ready && answer.configErrors.length === 0 ? EXIT.ok : EXIT.attention;
    }),
};

const peers: Command<ClientHooks> = {
  name: 'peers',
  summary: 'Show the BGP peers, or everything about one of them.',
  argument: 'NAME | ADDRESS',
  options: COMMON_OPTIONS,
  exits: [[EXIT.ok, 'shown'], [EXIT.attention, 'the agent failed to answer'], ...COMMON_EXITS],
  run: (values, name, io) =>
    ask(values, io, async ({ get, print }) => {
      if (name === undefined) {
        const answer = await get('/peers', PeerList);
        print(answer, (text) => renderPeers(answer.peers, text));
      } else {
        const answer = await get(`/peers/${encodeURIComponent(name)}`, Peer);
        print(answer, (text) => renderPeer(answer, text));
      }
      return EXIT.ok;
    }),
};

const peer: Command<ClientHooks> = {
  name: 'peer',
  summary: 'Shut down, reset or enable a BGP peer, with a text for its operator.',
  argument: PEER_ARGUMENTS,
  moreArguments: 2,
  options: COMMON_OPTIONS,
  exits: [[EXIT.ok, 'done'], [EXIT.attention, 'the agent failed to answer'], ...COMMON_EXITS],
  run: (values, action, io, _hooks, more) =>
    ask(values, io, async ({ post, print }) => {
      const request = readPeerRequest(action, more);
      const answer = await post(request.path, PeerActionAnswer, request.body);
      print(answer, () => doneText(request, answer.peer));
      return EXIT.ok;
    }),
};

const routes: Command<ClientHooks> = {
  name: 'routes',
  summary:
    'Show the routes, or the one that decides for an address. With no agent running, show what the kernel has.',
  argument: 'ADDRESS | PREFIX',
  options: {
    prefix: { value: 'PREFIX', help: 'only routes equal to or inside it' },
    state: { value: 'STATE', help: `only ${ROUTE_STATES.join(', ')}` },
    mode: { value: 'MODE', help: `only ${ROUTE_MODES.join(', ')}` },
    peer: { value: 'NAME', help: 'only routes learned from this peer' },
    ...COMMON_OPTIONS,
  },
  exits: [
    [EXIT.ok, "shown, from the agent or, where none runs, from this machine's kernel"],
    [EXIT.attention, 'the agent failed to answer'],
    ...COMMON_EXITS,
  ],
  run: (values, destination, io, hooks) =>
    ask(values, io, async ({ get, print, target }) => {
      const query = readRouteQuery(values);
      if (destination !== undefined && Object.keys(query).length > 0) {
        throw new UsageError('a destination and filters exclude each other');
      }
      const showAll = (rows: readonly ShownRoute[]) =>
        print({ routes: rows, total: rows.length, next: null }, (text) => renderRoutes(rows, text));
      const showOne = (row: ShownRoute) => print(row, (text) => renderRoutes([row], text));
      try {
        if (destination === undefined) showAll(await getAllRoutes(get, query));
        else showOne(await get(`/routes/${destination.split('/').map(encodeURIComponent).join('/')}`, Route));
      } catch (error) {
        if (!isNoAgentHere(error, target)) throw error;
        const rows = await hooks.kernelRoutes();
        io.stderr.write(`${error.message}\nWhat follows is what the kernel has.\n`);
        if (destination === undefined) showAll(selectRoutes(rows, { ...query, limit: rows.length }).routes);
        else showOne(findRoute(rows, destination) ?? fail(requestErrors.noRoute(destination)));
      }
      return EXIT.ok;
    }),
};

/** By name, in the order of the help. */
export const commands = { status, peers, peer, routes } as const;

interface Conversation {
  readonly target: ApiTarget;
  readonly get: <Schema extends TSchema>(
    path: string,
    schema: Schema,
  ) => ReturnType<typeof fetchJson<Schema>>;
  readonly post: <Schema extends TSchema>(
    path: string,
    schema: Schema,
    body: unknown,
  ) => ReturnType<typeof fetchJson<Schema>>;
  /** Prints the answer in the form that was asked for. */
  print(answer: unknown, table: (options: TextOptions) => string): void;
}

/** What the commands share: the target, the form of the output, and the meaning of failures. */
async function ask(
  values: OptionValues,
  io: CliIo,
  talk: (conversation: Conversation) => Promise<ExitStatus>,
): Promise<ExitStatus> {
  const target = readTarget(values, io);
  const json = readOutput(values) === 'json';
  const { isTTY, columns } = io.stdout;
  const options: TextOptions = isTTY && columns !== undefined ? { width: columns } : {};
  try {
    return await talk({
      target,
      get: (path, schema) => fetchJson(target, path, schema),
      post: (path, schema, body) => fetchJson(target, path, schema, body),
      print: (answer, table) => {
        io.stdout.write(json ? `${JSON.stringify(answer, null, 2)}\n` : table(options));
      },
    });
  } catch (error) {
    if (error instanceof AgentError) {
      io.stderr.write(`${error.message}\n`);
      return EXIT_OF_ERROR[error.code];
    }
    if (error instanceof ApiError) {
      io.stderr.write(`${error.message}\n`);
      return EXIT.usage;
    }
    throw error;
  }
}

const EXIT_OF_ERROR: Readonly<Record<AgentError['code'], ExitStatus>> = {
  AGENT_NOT_RUNNING: EXIT.unreachable,
  AGENT_UNREACHABLE: EXIT.unreachable,
  NOT_AN_AGENT: EXIT.unreachable,
  REJECTED: EXIT.usage,
  AGENT_FAILED: EXIT.attention,
};

async function getAllRoutes(get: Conversation['get'], query: RouteQuery): Promise<readonly ShownRoute[]> {
  const found: ShownRoute[] = [];
  let cursor: string | null = null;
  do {
    const parameters = new URLSearchParams({
      ...query,
      limit: String(MAX_PAGE_SIZE),
      ...(cursor !== null && { cursor }),
    });
    const page: RoutePage = await get(`/routes?${parameters}`, RoutePage);
    found.push(...page.routes);
    cursor = page.next;
  } while (cursor !== null);
  return found;
}

function fail(error: Error): never {
  throw error;
}

/** Only where the agent would be on this machine does this machine's kernel answer the question. */
function isNoAgentHere(error: unknown, target: ApiTarget): error is AgentError {
  return error instanceof AgentError && error.code === 'AGENT_NOT_RUNNING' && isLocalTarget(target);
}

function readTarget(values: OptionValues, io: CliIo): ApiTarget {
  const text = values['api'] ?? io.env['PODROUTE_API'];
  if (text === undefined) return DEFAULT_API_TARGET;
  const target = parseApiTarget(String(text));
  if (!target) throw new UsageError(`--api must be ${API_TARGET_FORMS}; it was "${text}"`);
  return target;
}

function readOutput(values: OptionValues): 'table' | 'json' {
  return readOneOf(values, 'output', ['table', 'json']) ?? 'table';
}

function readRouteQuery(values: OptionValues): RouteQuery {
  const state = readOneOf(values, 'state', ROUTE_STATES);
  const mode = readOneOf(values, 'mode', ROUTE_MODES);
  const { prefix, peer } = values;
  return {
    ...(typeof prefix === 'string' && { prefix }),
    ...(state !== undefined && { state }),
    ...(mode !== undefined && { mode }),
    ...(typeof peer === 'string' && { peer }),
  };
}

function readOneOf<Value extends string>(
  values: OptionValues,
  name: string,
  allowed: readonly Value[],
): Value | undefined {
  const value = values[name];
  if (value === undefined) return undefined;
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) {
    throw new UsageError(`--${name} must be one of ${allowed.join(', ')}; it was "${value}"`);
  }
  return found;
}
