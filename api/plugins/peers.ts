/** `GET /peers` and `GET /peers/NAME`. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { requestErrors } from '../errors.js';
import { renderPeer, renderPeers } from '../render/peers.js';
import { Peer, PeerList, type PeerRow } from '../schemas/index.js';
import type { ApiSource } from '../source.js';
import { NO_PARAMETERS } from './parameters.js';

/** node-2 before node-10. */
const byName = new Intl.Collator('en', { numeric: true });

/** The peers in the order of their names. */
export function sortedPeers(source: ApiSource): PeerRow[] {
  return [...source.peers()].sort((a, b) => byName.compare(a.name, b.name));
}

export const peers: FastifyPluginAsyncTypebox<{ source: ApiSource }> = async (app, { source }) => {
  app.get(
    '/peers',
    {
      schema: { querystring: NO_PARAMETERS, response: { 200: PeerList } },
      config: {
        summary: 'The BGP peers: state, last error, counters, capabilities, timers',
        table: (answer: PeerList) => renderPeers(answer.peers),
      },
    },
    async () => {
      const rows = sortedPeers(source);
      return { peers: rows, total: rows.length };
    },
  );

  app.get(
    '/peers/:name',
    {
      schema: {
        params: Type.Object({ name: Type.String() }),
        querystring: NO_PARAMETERS,
        response: { 200: Peer },
      },
      config: {
        summary: 'One peer, by name or address',
        table: (peer: PeerRow) => renderPeer(peer),
      },
    },
    async ({ params: { name } }) => {
      const rows = sortedPeers(source);
      const peer = rows.find((row) => row.name === name) ?? rows.find((row) => row.address === name);
      if (!peer) {
        throw requestErrors.unknownPeer(
          name,
          rows.map((row) => row.name),
        );
      }
      return peer;
    },
  );
};
