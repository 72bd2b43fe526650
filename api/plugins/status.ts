/** `GET /status`: the agent as a whole, and whether it is ready. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { renderStatus } from '../render/status.js';
import { Status, type StatusRow } from '../schemas/index.js';
import type { ApiSource } from '../source.js';
import { NO_PARAMETERS } from './parameters.js';

export const status: FastifyPluginAsyncTypebox<{ source: ApiSource }> = async (app, { source }) => {
  app.get(
    '/status',
    {
      schema: { querystring: NO_PARAMETERS, response: { 200: Status } },
      config: {
        summary: 'The agent: datastore, data plane, configuration, readiness',
        table: (answer: StatusRow) => renderStatus(answer),
      },
    },
    async () => ({ ...source.status(), readiness: source.ready() }),
  );
};
