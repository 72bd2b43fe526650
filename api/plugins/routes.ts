/** `GET /routes`, all of them in pages, and `GET /routes/DESTINATION`, the one that decides. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { requestErrors } from '../errors.js';
import { renderRoutePage, renderRoutes } from '../render/routes.js';
import { ROUTE_MODES, ROUTE_STATES, Route, RoutePage, type RouteRow } from '../schemas/index.js';
import { DEFAULT_PAGE_SIZE, findRoute, MAX_PAGE_SIZE, selectRoutes } from '../select-routes.js';
import type { ApiSource } from '../source.js';
import { NO_PARAMETERS, parameters } from './parameters.js';
import { sortedPeers } from './peers.js';

const Query = parameters({
  prefix: Type.Optional(Type.String({ description: 'one prefix: rows equal to or inside it match' })),
  state: Type.Optional(Type.Enum(ROUTE_STATES)),
  mode: Type.Optional(Type.Enum(ROUTE_MODES)),
  peer: Type.Optional(Type.String({ description: 'one name of a peer: rows learned from it match' })),
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: MAX_PAGE_SIZE,
      default: DEFAULT_PAGE_SIZE,
      description: `one whole number from 1 to ${MAX_PAGE_SIZE}`,
    }),
  ),
  cursor: Type.Optional(Type.String({ description: 'the `next` of the page before' })),
});

export const routes: FastifyPluginAsyncTypebox<{ source: ApiSource }> = async (app, { source }) => {
  app.get(
    '/routes',
    {
      schema: { querystring: Query, response: { 200: RoutePage } },
      config: {
        summary: 'The routes, in the order of their prefixes',
        table: (page: RoutePage) => renderRoutePage(page),
      },
    },
    async ({ query }) => {
      const page = selectRoutes(source.routes(), query);
      if (query.peer !== undefined && page.total === 0) checkPeer(query.peer, source);
      return page;
    },
  );

  const oneRoute = { querystring: NO_PARAMETERS, response: { 200: Route } };
  const table = (route: RouteRow) => renderRoutes([route]);
  const find = (destination: string) => {
    const route = findRoute(source.routes(), destination);
    if (!route) throw requestErrors.noRoute(destination);
    return route;
  };
  app.get(
    '/routes/:address',
    {
      schema: { ...oneRoute, params: Type.Object({ address: Type.String() }) },
      config: { summary: 'The route that an address takes: the longest match', table },
    },
    async ({ params: { address } }) => find(address),
  );
  app.get(
    '/routes/:address/:length',
    {
      schema: { ...oneRoute, params: Type.Object({ address: Type.String(), length: Type.String() }) },
      config: { summary: 'The route of exactly this prefix', table },
    },
    async ({ params: { address, length } }) => find(`${address}/${length}`),
  );
};

/** An empty answer is right for a peer that told us nothing, and misleading for a name that nobody has. */
function checkPeer(name: string, source: ApiSource): void {
  const names = sortedPeers(source).map((peer) => peer.name);
  if (!names.includes(name)) throw requestErrors.unknownPeerFilter(name, names);
}
