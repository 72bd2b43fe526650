/**
 * Asks a running agent.
 *
 * Owns: one GET or POST over TCP or a unix socket, and which error each way of failing is. Must not know: commands, tables.
 */
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Static, TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { agentErrors } from '../errors.js';
import { ErrorAnswer } from '../schemas/index.js';
import type { ApiTarget } from '../target.js';

const TIMEOUT_MS = 5000;

/** What a connection attempt fails with where nobody listens. */
const NOBODY_LISTENS = ['ECONNREFUSED', 'ENOENT'];

/**
 * The answer to `GET path`, or to `POST path` where there is a `body`, checked against its schema; fields that the schema does not know are kept.
 * @throws {AgentError}
 */
export async function fetchJson<Schema extends TSchema>(
  target: ApiTarget,
  path: string,
  schema: Schema,
  body?: unknown,
): Promise<Static<Schema>> {
  const { status, body: answered } = await ask(target, path, body);
  const answer = parse(answered);
  if (Value.Check(schema, answer)) return answer;
  if (!Value.Check(ErrorAnswer, answer)) throw agentErrors.notAnAgent(target);
  const { message } = answer.error;
  throw status < 500 ? agentErrors.rejected(message) : agentErrors.failed(target, message);
}

async function ask(
  target: ApiTarget,
  path: string,
  body: unknown,
): Promise<{ status: number; body: string }> {
  const place =
    target.type === 'unix' ? { socketPath: target.path } : { host: target.host, port: target.port };
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = request(
        {
          ...place,
          path,
          method: body === undefined ? 'GET' : 'POST',
          headers: {
            accept: 'application/json',
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          agent: false,
          signal: AbortSignal.timeout(TIMEOUT_MS),
        },
        resolve,
      );
      outgoing.once('error', reject);
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
    return { status: response.statusCode ?? 0, body: await text(response) };
  } catch (error) {
    throw describeFailure(target, error);
  }
}

function describeFailure(target: ApiTarget, error: unknown): Error {
  if (!(error instanceof Error)) throw error;
  const { code = '' } = error as NodeJS.ErrnoException;
  if (NOBODY_LISTENS.includes(code)) return agentErrors.notRunning(target, error);
  if (code.startsWith('HPE_')) return agentErrors.notAnAgent(target, error);
  const timedOut = error.name === 'AbortError' || error.name === 'TimeoutError';
  const why = timedOut ? `no answer within ${TIMEOUT_MS / 1000} s` : error.message || code;
  return agentErrors.unreachable(target, why, error);
}

/** Anything that is not JSON comes from somebody else; the schema check says so. */
function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
