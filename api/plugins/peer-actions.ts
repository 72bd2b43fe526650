/**
 * `POST /peers/NAME/shutdown`, `/reset` and `/enable`: the only requests that change something.
 *
 * Owns: who may ask. Only this machine: a unix socket, whose rights decide, or a connection from a loopback address,
 * wherever the API listens; from elsewhere it is read-only, because it knows no users. Nor a web page that somebody on
 * this machine has open: a browser says where a page is from (`Origin`), and a request without a JSON body is refused.
 * Must not know: what a shutdown is.
 */
import { isIP } from 'node:net';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { requestErrors } from '../errors.js';
import { PEER_ACTIONS, PeerActionAnswer, PeerActionBody } from '../schemas/index.js';
import type { ApiSource, PeerActions } from '../source.js';
import { NO_PARAMETERS, parameters } from './parameters.js';
import { sortedPeers } from './peers.js';

const ALLOWED = ['POST'];

export const peerActions: FastifyPluginAsyncTypebox<{ source: ApiSource; actions: PeerActions }> = async (
  app,
  { source, actions },
) => {
  for (const action of PEER_ACTIONS) {
    const url = `/peers/:name/${action}`;
    app.post(
      url,
      {
        schema: {
          params: parameters({ name: Type.String() }),
          querystring: NO_PARAMETERS,
          body: PeerActionBody,
          response: { 200: PeerActionAnswer },
        },
        // Before the body is read: whoever may not ask need not be understood.
        onRequest: async (request) => {
          if (!isFromHere(request)) throw requestErrors.onlyFromHere();
        },
      },
      async ({ params: { name }, body: { text = '' } }) => {
        const rows = sortedPeers(source);
        const peer = rows.find((row) => row.name === name) ?? rows.find((row) => row.address === name);
        const result = peer === undefined ? 'unknown' : actions[action](peer.name, text);
        if (peer === undefined || result === 'unknown') {
          throw requestErrors.unknownPeer(
            name,
            rows.map((row) => row.name),
          );
        }
        if (result === 'shutdown') throw requestErrors.peerIsShutDown(peer.name);
        return { peer: peer.name, action };
      },
    );
    app.route({
      method: app.supportedMethods.filter((method) => !ALLOWED.includes(method)),
      url,
      onRequest: async (request, reply) => {
        reply.header('allow', ALLOWED.join(', '));
        throw requestErrors.methodNotAllowed(request.method, request.url, ALLOWED);
      },
      handler: async () => {},
    });
  }
};

function isFromHere({ socket, headers }: FastifyRequest): boolean {
  if (headers.origin !== undefined) return false;
  // Of a unix socket there is no address.
  const address = socket.remoteAddress?.replace(/^::ffff:/, '');
  if (address === undefined || isIP(address) === 0) return true;
  return address === '::1' || address.startsWith('127.');
}
