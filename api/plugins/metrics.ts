/** `GET /metrics`, in the Prometheus text format. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Registry } from 'prom-client';
import { registerMetrics } from '../metrics.js';
import type { ApiSource } from '../source.js';
import { NO_PARAMETERS } from './parameters.js';

export const metrics: FastifyPluginAsyncTypebox<{ source: ApiSource; registry?: Registry }> = async (
  app,
  { source, registry = new Registry() },
) => {
  const update = registerMetrics(registry);
  app.get(
    '/metrics',
    { schema: { querystring: NO_PARAMETERS }, config: { summary: 'Prometheus metrics' } },
    async (_request, reply) => {
      update({
        routes: source.routes(),
        peers: source.peers(),
        status: source.status(),
        ready: source.ready().ready,
      });
      reply.type(registry.contentType);
      return registry.metrics();
    },
  );
};
