/**
 * Opens the API: on an address and port, or on a unix socket.
 *
 * Owns: the socket file (rights, leftovers of a killed agent) and the sentence when listening fails. Must not know:
 * what is served.
 */
import { access, chmod, lstat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { ApiListenError } from './errors.js';
import { findPortOwner, findUnixSocketOwner } from './port-owner.js';
import { type ApiTarget, formatApiTarget } from './target.js';

/** Owner and group: who may talk to the agent is decided by the rights of the file. */
const SOCKET_MODE = 0o660;

/**
 * Listens; `close()` of the instance ends it and removes the socket file.
 * @returns where it listens, as text; the real port where 0 was asked for
 * @throws {ApiListenError} with a sentence for the operator
 */
export async function listen(app: FastifyInstance, target: ApiTarget): Promise<string> {
  try {
    if (target.type === 'tcp') return await app.listen({ host: target.host, port: target.port });
    await listenUnix(app, target.path);
    return formatApiTarget(target);
  } catch (error) {
    if (!isErrno(error)) throw error;
    const owner =
      error.code !== 'EADDRINUSE'
        ? undefined
        : target.type === 'tcp'
          ? await findPortOwner(target.port, target.host)
          : await findUnixSocketOwner(target.path);
    throw new ApiListenError(target, error, owner);
  }
}

async function listenUnix(app: FastifyInstance, path: string): Promise<void> {
  await access(dirname(path)); // bind(2) would say ENOENT, but Node makes it EACCES
  await removeDeadSocket(path);
  await app.listen({ path });
  await chmod(path, SOCKET_MODE);
}

/** A killed agent leaves its socket file behind, and bind(2) refuses the name; anything else there is left alone. */
async function removeDeadSocket(path: string): Promise<void> {
  if (await isDeadSocket(path)) await unlink(path);
}

/** A socket file that nobody listens on any more. */
export async function isDeadSocket(path: string): Promise<boolean> {
  const isSocket = await lstat(path).then(
    (entry) => entry.isSocket(),
    () => false,
  );
  return isSocket && (await refusesConnections(path));
}

function refusesConnections(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ path });
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
}

function isErrno(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && 'syscall' in error;
}
