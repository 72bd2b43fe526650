/** Routes as a table. Pure. */
import type { RoutePage, RouteRow } from '../schemas/index.js';
import { formatSince } from './duration.js';
import { type Column, renderTable, type TextOptions } from './table.js';

/** A route to show. `since` is null where nobody knows it: what the kernel has says nothing of time. */
export type ShownRoute = Omit<RouteRow, 'since'> & { readonly since: string | null };

/** One line per route; the next hops of a multipath route are joined by commas. */
export function renderRoutes(routes: readonly ShownRoute[], options: TextOptions = {}): string {
  const columns: Column<ShownRoute>[] = [
    { title: 'PREFIX', cell: ({ prefix }) => prefix },
    { title: 'VIA', cell: ({ nextHops }) => nextHops.map(({ address }) => address).join(',') },
    {
      title: 'DEVICE',
      cell: ({ nextHops }) => unique(nextHops.map(({ device }) => device ?? '-')).join(','),
    },
    {
      title: 'NEIGHBOUR',
      cell: ({ nextHops }) => nextHops.map(({ neighbour }) => neighbour ?? '-').join(','),
    },
    { title: 'MODE', cell: ({ mode }) => mode },
    { title: 'STATE', cell: ({ state }) => state },
    { title: 'FROM', cell: fromCell },
    { title: 'SINCE', cell: ({ since }) => (since === null ? '' : formatSince(since, options.now)) },
    { title: 'REASON', cell: ({ reason }) => reason },
  ];
  return renderTable(columns, routes, options);
}

/** The peers that told of the next hops, each once, the best path's first. */
function fromCell({ learnedFrom, nextHops }: ShownRoute): string {
  const peers = [learnedFrom?.peer ?? null, ...nextHops.map(({ peer }) => peer)];
  return unique(peers.filter((peer) => peer !== null)).join(',');
}

/** The table of one page, and a last line that says so where there are more. */
export function renderRoutePage(page: RoutePage, options: TextOptions = {}): string {
  const table = renderRoutes(page.routes, options);
  if (page.next === null) return table;
  return `${table}${page.routes.length} of ${page.total} routes; the next page: cursor=${encodeURIComponent(page.next)}\n`;
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}
