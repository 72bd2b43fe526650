/**
 * What `podroute routes` shows where no agent runs: our routes as the kernel has them.
 */
import type { ShownRoute } from '../../api/index.js';
import { readRoutes, rtnetlinkKernel } from '../../ipip/index.js';
import { installedRouteRow } from '../views/routes.js';

/** Since when a route is there, the kernel does not say. */
export async function kernelRoutes(): Promise<readonly ShownRoute[]> {
  const routes = await readRoutes(rtnetlinkKernel());
  return routes.map((route) => ({ ...installedRouteRow(route), since: null }));
}
