/**
 * The HTTP server: what is common to all resources. Each resource is a plugin of its own in `plugins/`.
 *
 * Owns: errors as JSON, the two forms of an answer, 404 and 405, the log of requests. Must not know: any resource.
 * All but the actions on peers is read-only: there GET and HEAD are all there is.
 */
import fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import type { Registry } from 'prom-client';
import { prefersText } from './accept.js';
import { ApiError, requestErrors } from './errors.js';
import { endpoints } from './plugins/endpoints.js';
import { health } from './plugins/health.js';
import { metrics } from './plugins/metrics.js';
import { peerActions } from './plugins/peer-actions.js';
import { peers } from './plugins/peers.js';
import { routes } from './plugins/routes.js';
import { status } from './plugins/status.js';
import type { ApiSource, PeerActions } from './source.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the endpoint answers, for `GET /`. */
    summary?: string;
    /** Renders the answer for who prefers `text/plain`; absent: JSON only. */
    table?(answer: unknown): string;
  }
  interface FastifyInstance {
    /** All GET endpoints, in the order of their registration. */
    readonly endpoints: Endpoint[];
  }
}

/** One line of `GET /`. */
export interface Endpoint {
  readonly path: string;
  readonly summary: string;
  readonly parameters: readonly string[];
}

export interface ApiOptions {
  readonly source: ApiSource;
  /** What may be asked of peers from this machine; absent: nothing, the API only shows. */
  readonly actions?: PeerActions;
  /** Requests at debug, our own failures at error; absent: no log. */
  readonly logger?: FastifyBaseLogger;
  /** Where `/metrics` comes from; the metrics of the API are added to it. Absent: a registry of its own. */
  readonly registry?: Registry;
}

const ALLOWED_METHODS = ['GET', 'HEAD'];

/** Builds the server; `listen` opens it, `inject` asks it without a socket. */
export function createApi({ source, actions, logger, registry }: ApiOptions): FastifyInstance {
  const app = fastify({
    ...(logger && { loggerInstance: logger }),
    logController: new LogController({ disableRequestLogging: true }), // we log them at debug, see below
    forceCloseConnections: true, // the agent must stop at once, whoever is still reading
    requestTimeout: 10_000,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 512 },
    ajv: { customOptions: { removeAdditional: false } }, // an unknown parameter is an error, not noise
    frameworkErrors: sendError,
  });

  app.decorate('endpoints', []);
  app.setErrorHandler(sendError);
  app.setNotFoundHandler((request) => {
    throw requestErrors.unknownPath(
      pathOf(request),
      app.endpoints.map(({ path }) => path),
    );
  });
  app.addHook('onResponse', async (request, reply) => {
    request.log.debug(
      { method: request.method, url: request.url, status: reply.statusCode, ms: reply.elapsedTime },
      'API request',
    );
  });
  listEndpoints(app);
  answerInText(app);

  app.register(endpoints, { source });
  app.register(routes, { source });
  app.register(peers, { source });
  if (actions) app.register(peerActions, { source, actions });
  app.register(status, { source });
  app.register(health, { source });
  app.register(metrics, { source, ...(registry && { registry }) });
  return app;
}

/** Notes every endpoint, and makes every other method on its path a 405 that names the allowed ones. */
function listEndpoints(app: FastifyInstance): void {
  const others = app.supportedMethods.filter((method) => !ALLOWED_METHODS.includes(method));
  app.addHook('onRoute', function ({ method, url, schema, config }) {
    if (method !== 'GET') return;
    app.endpoints.push({
      path: url,
      summary: config?.summary ?? '',
      parameters: Object.keys(parametersOf(schema)),
    });
    this.route({
      method: others,
      url,
      // Before the body is read: a wrong method is the first thing wrong, whatever the body.
      onRequest: async (request, reply) => {
        reply.header('allow', ALLOWED_METHODS.join(', '));
        throw requestErrors.methodNotAllowed(request.method, pathOf(request), ALLOWED_METHODS);
      },
      handler: async () => {},
    });
  });
}

/** Where a route has a `table`, whoever prefers text gets the same answer as a table. */
function answerInText(app: FastifyInstance): void {
  app.addHook('preSerialization', async (request, reply, payload) => {
    const { table } = request.routeOptions.config;
    if (!table || reply.statusCode >= 400) return payload;
    reply.header('vary', 'accept');
    if (prefersText(request.headers.accept)) {
      reply.type('text/plain; charset=utf-8').serializer(table);
    }
    return payload;
  });
}

function sendError(error: FastifyError | ApiError, request: FastifyRequest, reply: FastifyReply): void {
  const answer = toApiError(error, request);
  if (answer.statusCode >= 500) request.log.error({ err: error, url: request.url }, 'API request failed');
  reply.code(answer.statusCode).send(answer.answer);
}

function toApiError(error: FastifyError | ApiError, request: FastifyRequest): ApiError {
  if (error instanceof ApiError) return error;
  if (error.validation) {
    const part = error.validationContext === 'body' ? 'body' : 'querystring';
    return toParameterError(part, error.validation, request);
  }
  if (error.statusCode !== undefined && error.statusCode < 500) {
    return requestErrors.badRequest(error.statusCode, error.message);
  }
  return requestErrors.internal();
}

/** The validator's first finding, in the words of the parameter's own schema. */
function toParameterError(
  part: 'body' | 'querystring',
  findings: NonNullable<FastifyError['validation']>,
  request: FastifyRequest,
): ApiError {
  const [finding] = findings;
  const parameters = parametersOf(request.routeOptions.schema, part);
  const unknown = finding?.params['additionalProperty'];
  if (typeof unknown === 'string') {
    return requestErrors.unknownParameter(unknown, pathOf(request), Object.keys(parameters));
  }
  const name = finding?.instancePath.slice(1) ?? '';
  const given = part === 'body' ? request.body : request.query;
  if (name === '') return requestErrors.badRequest(400, 'The body must be a JSON object.');
  const value = (given as Record<string, unknown>)[name];
  const { enum: allowed, description } = parameters[name] ?? {};
  return requestErrors.badParameter(
    name,
    value,
    allowed ? `one of ${allowed.join(', ')}` : description,
    allowed,
  );
}

interface ParameterSchema {
  readonly description?: string;
  readonly enum?: readonly string[];
}

function parametersOf(
  schema: { querystring?: unknown; body?: unknown } | undefined,
  part: 'body' | 'querystring' = 'querystring',
): Record<string, ParameterSchema> {
  return (schema?.[part] as { properties?: Record<string, ParameterSchema> })?.properties ?? {};
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? request.url;
}
