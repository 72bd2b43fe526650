/**
 * Our routes straight from the kernel, for a command that runs while no agent does. Changes nothing and needs no
 * capability.
 */
import type { Kernel } from './kernel/kernel.js';
import { newEntry, refresh, statusOf } from './route-entry.js';
import { type DataplaneSettings, defaultDataplaneSettings, type RouteStatus } from './types.js';

/**
 * Opens the port, reads, and closes it.
 * @param nowMs the time of the reading; the kernel keeps none, so it stands for `sinceMs`
 * @returns one status per route of our protocol, all of them `stale`: nobody confirms them while no agent runs
 * @throws KernelError
 */
export async function readRoutes(
  kernel: Kernel,
  settings: DataplaneSettings = defaultDataplaneSettings,
  nowMs: number = Date.now(),
): Promise<readonly RouteStatus[]> {
  await kernel.open();
  try {
    const links = await kernel.links();
    const routes = await kernel.routes(settings.routeProtocol);
    const context = {
      deviceNames: new Map(links.map((link) => [link.index, link.name])),
      tunnelDevice: settings.tunnelDevice,
    };
    return routes.map((route) => {
      const entry = newEntry(route.prefix, nowMs);
      entry.installed = route;
      entry.isLeftover = true;
      refresh(entry, context, nowMs);
      return { ...statusOf(entry, context), reason: 'read from the kernel; no agent runs' };
    });
  } finally {
    await kernel.close();
  }
}
