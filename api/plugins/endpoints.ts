/** `GET /`: what there is to ask. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import { renderTable } from '../render/table.js';
import { list, record } from '../schemas/shape.js';
import type { ApiSource } from '../source.js';
import { NO_PARAMETERS } from './parameters.js';

const EndpointList = record({
  name: Type.Literal('podroute'),
  version: Type.String(),
  endpoints: list(record({ path: Type.String(), summary: Type.String(), parameters: list(Type.String()) })),
});

export const endpoints: FastifyPluginAsyncTypebox<{ source: ApiSource }> = async (app, { source }) => {
  app.get(
    '/',
    {
      schema: { querystring: NO_PARAMETERS, response: { 200: EndpointList } },
      config: {
        summary: 'This list',
        table: ({ endpoints }: Static<typeof EndpointList>) =>
          renderTable(
            [
              { title: 'PATH', cell: ({ path }) => path },
              { title: 'PARAMETERS', cell: ({ parameters }) => parameters.join(' ') },
              { title: 'ANSWERS', cell: ({ summary }) => summary },
            ],
            endpoints,
          ),
      },
    },
    async () => ({
      name: 'podroute' as const,
      version: source.status().version,
      endpoints: app.endpoints,
    }),
  );
};
