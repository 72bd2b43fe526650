/**
 * Every error of this folder: codes and sentences, in one place.
 *
 * Owns: what a client reads when a request is wrong (`ApiError`), what an operator reads when the API cannot listen
 * (`ApiListenError`) and what the commands say when the agent does not answer (`AgentError`). A sentence says what was
 * wrong and what exists or is allowed.
 */
import { describePortOwner, type PortOwner } from './port-owner.js';
import type { ErrorAnswer } from './schemas/index.js';
import { type ApiTarget, formatApiTarget } from './target.js';

type ErrorDetails = Omit<ErrorAnswer['error'], 'code' | 'message'>;

/** A request that cannot be answered as asked; becomes the JSON body of the answer. */
export class ApiError extends Error {
  readonly statusCode: number;
  readonly code: string;
  readonly details: ErrorDetails;

  constructor(statusCode: number, code: string, message: string, details: ErrorDetails = {}) {
    super(message);
    this.name = 'ApiError';
    this.statusCode = statusCode;
    this.code = code;
    this.details = details;
  }

  get answer(): ErrorAnswer {
    return { error: { code: this.code, message: this.message, ...this.details } };
  }
}

/** The table of request errors. */
export const requestErrors = {
  unknownPath: (path: string, allowed: readonly string[]) =>
    new ApiError(404, 'UNKNOWN_PATH', `There is no ${path} here; the paths are ${listed(allowed)}.`, {
      allowed,
    }),

  methodNotAllowed: (method: string, path: string, allowed: readonly string[]) =>
    new ApiError(405, 'METHOD_NOT_ALLOWED', `${method} is not allowed on ${path}; use ${listed(allowed)}.`, {
      allowed,
    }),

  unknownParameter: (parameter: string, path: string, allowed: readonly string[]) =>
    new ApiError(
      400,
      'UNKNOWN_PARAMETER',
      `${path} has no parameter "${parameter}"; it takes ${listed(allowed) || 'none'}.`,
      { parameter, allowed },
    ),

  badParameter: (parameter: string, value: unknown, must = 'valid', allowed?: readonly string[]) =>
    new ApiError(400, 'BAD_PARAMETER', `${parameter} must be ${must}; it was ${JSON.stringify(value)}.`, {
      parameter,
      ...(allowed && { allowed }),
    }),

  noRoute: (destination: string) =>
    new ApiError(404, 'NO_ROUTE', `No route of this agent matches ${destination}; GET /routes has them all.`),

  unknownPeer: (name: string, allowed: readonly string[]) =>
    new ApiError(
      404,
      'UNKNOWN_PEER',
      `No peer has the name or address "${name}"; ${peersThereAre(allowed)}.`,
      {
        allowed,
      },
    ),

  /** As a filter the same mistake is a bad parameter. */
  unknownPeerFilter: (name: string, allowed: readonly string[]) =>
    new ApiError(400, 'BAD_PARAMETER', `No peer is called "${name}"; ${peersThereAre(allowed)}.`, {
      parameter: 'peer',
      allowed,
    }),

  /** Of a peer that is down on purpose. */
  peerIsShutDown: (name: string) =>
    new ApiError(409, 'PEER_SHUT_DOWN', `${name} is shut down; enable it first.`),

  onlyFromHere: () =>
    new ApiError(
      403,
      'ONLY_FROM_THIS_MACHINE',
      'Peers are only shut down, reset and enabled from this machine, and not by a web page.',
    ),

  badRequest: (statusCode: number, message: string) => new ApiError(statusCode, 'BAD_REQUEST', message),

  internal: () => new ApiError(500, 'INTERNAL', 'The agent failed to answer; its log says why.'),
};

const LISTEN_ERRORS = {
  EADDRINUSE: {
    code: 'API_ADDRESS_IN_USE',
    text: (at: string, owner?: PortOwner) =>
      `The API cannot listen on ${at}: ${describePortOwner(owner)} is using it; stop it, or choose another place with --api.`,
  },
  EADDRNOTAVAIL: {
    code: 'API_ADDRESS_NOT_AVAILABLE',
    text: (at: string) =>
      `The API cannot listen on ${at}: no interface has this address; choose another one with --api.`,
  },
  ENOTFOUND: {
    code: 'API_ADDRESS_NOT_AVAILABLE',
    text: (at: string) => `The API cannot listen on ${at}: the name has no address; give one with --api.`,
  },
  EACCES: {
    code: 'API_ADDRESS_DENIED',
    text: (at: string) =>
      `The API may not listen on ${at}: run the agent as root, or choose another place with --api.`,
  },
  ENOENT: {
    code: 'API_ADDRESS_NOT_AVAILABLE',
    text: (at: string) => `The API cannot listen on ${at}: the folder does not exist; create it first.`,
  },
} as const;

/** The API cannot listen; the message is ready to be shown. */
export class ApiListenError extends Error {
  readonly code: (typeof LISTEN_ERRORS)[keyof typeof LISTEN_ERRORS]['code'] | 'API_LISTEN_FAILED';
  /** Who holds the address, where that could be found out. */
  readonly owner: PortOwner | undefined;

  constructor(target: ApiTarget, cause: NodeJS.ErrnoException, owner?: PortOwner) {
    const known = LISTEN_ERRORS[cause.code as keyof typeof LISTEN_ERRORS];
    const at = formatApiTarget(target);
    super(known?.text(at, owner) ?? `The API cannot listen on ${at}: ${cause.message}.`, { cause });
    this.name = 'ApiListenError';
    this.code = known?.code ?? 'API_LISTEN_FAILED';
    this.owner = owner;
  }
}

/**
 * The agent did not answer as wished; for the commands.
 * `AGENT_NOT_RUNNING`: nobody listens there. `AGENT_UNREACHABLE`: the network or the time did not allow it.
 * `NOT_AN_AGENT`: something else answered. `REJECTED`: the request was wrong. `AGENT_FAILED`: the agent was.
 */
export class AgentError extends Error {
  readonly code: 'AGENT_NOT_RUNNING' | 'AGENT_UNREACHABLE' | 'NOT_AN_AGENT' | 'REJECTED' | 'AGENT_FAILED';

  constructor(code: AgentError['code'], message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.name = 'AgentError';
    this.code = code;
  }
}

/** The table of client errors. */
export const agentErrors = {
  notRunning: (target: ApiTarget, cause: Error) =>
    new AgentError(
      'AGENT_NOT_RUNNING',
      `No agent answers at ${formatApiTarget(target)}; start one, or say where it is with --api.`,
      cause,
    ),
  unreachable: (target: ApiTarget, why: string, cause: Error) =>
    new AgentError(
      'AGENT_UNREACHABLE',
      `The agent at ${formatApiTarget(target)} cannot be reached: ${why}.`,
      cause,
    ),
  notAnAgent: (target: ApiTarget, cause?: unknown) =>
    new AgentError(
      'NOT_AN_AGENT',
      `What answers at ${formatApiTarget(target)} is not a podroute agent, or one of another version.`,
      cause,
    ),
  rejected: (message: string) => new AgentError('REJECTED', message),
  failed: (target: ApiTarget, message: string) =>
    new AgentError('AGENT_FAILED', `The agent at ${formatApiTarget(target)} reports: ${message}`),
};

function listed(items: readonly string[]): string {
  return items.join(', ');
}

function peersThereAre(names: readonly string[]): string {
  return names.length === 0 ? 'there are no peers' : `the peers are ${listed(names)}`;
}
