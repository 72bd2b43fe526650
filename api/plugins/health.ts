/** `GET /healthz`: the process answers. `GET /readyz`: traffic may rely on it, else 503 and the reasons. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Health, Readiness } from '../schemas/index.js';
import type { ApiSource } from '../source.js';
import { NO_PARAMETERS } from './parameters.js';

export const health: FastifyPluginAsyncTypebox<{ source: ApiSource }> = async (app, { source }) => {
  app.get(
    '/healthz',
    {
      schema: { querystring: NO_PARAMETERS, response: { 200: Health } },
      config: { summary: 'The process answers' },
    },
    async () => ({ status: 'ok' as const }),
  );

  app.get(
    '/readyz',
    {
      schema: { querystring: NO_PARAMETERS, response: { 200: Readiness, 503: Readiness } },
      config: { summary: 'Ready for traffic: 200, else 503 and why not' },
    },
    async (_request, reply) => {
      const readiness = source.ready();
      return reply.code(readiness.ready ? 200 : 503).send(readiness);
    },
  );
};
