/** The settings of an agent in memory: as they are by default, and no folder of this machine. */
import type { AgentSettings } from '../../agent/config/index.js';

export function memorySettings(nodeName: string): AgentSettings {
  return {
    nodeName,
    datastore: 'file:/dev/null',
    secrets: '/dev/null',
    runDir: '/dev/null',
    stateDir: '/dev/null',
    cniDataDir: '/dev/null',
    cniPlugin: 'ptp',
    api: { type: 'unix', path: '/dev/null' },
    dataplane: true,
    logLevel: 'info',
    tunnelDevice: 'podroute0',
    routeProtocol: 179,
    routeMetric: 2048,
    nodeTimeout: 300,
    maxPaths: 1,
    ip: { type: 'first-found' },
  };
}
