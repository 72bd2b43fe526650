/**
 * The log of the agent: pino, JSON lines, pretty on a terminal.
 *
 * Owns: how a line looks, and which words and levels the data plane's events get. Must not know: what led to them.
 */
import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import { formatIpAddress, formatPrefix } from '../bgp/net/index.js';
import type { DataplaneEvent } from '../ipip/index.js';

/** @param level one of pino's levels, or `silent`. */
export function createLog(level: string, node: string): Logger {
  const options = {
    level,
    base: { node },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  if (!process.stdout.isTTY) return pino(options);
  return pino(
    options,
    pretty({
      colorize: true,
      ignore: 'node,part',
      translateTime: 'SYS:HH:MM:ss.l',
      sync: true,
      singleLine: true,
    }),
  );
}

/** One line for what an operator acts on. */
export function logDataplaneEvent(log: Logger, event: DataplaneEvent): void {
  switch (event.kind) {
    case 'started':
      log.info({ leftoverRoutes: event.leftoverRoutes }, 'kernel tables read');
      return;
    case 'routesFailed': {
      const { code, reason, count } = event;
      log.warn(
        { fault: 'kernel', code, count, examples: event.examples.map(formatPrefix), reason },
        'routes failed',
      );
      return;
    }
    case 'routesRecovered':
      log.info(
        { count: event.count, examples: event.examples.map(formatPrefix) },
        'routes that failed are in order',
      );
      return;
    case 'routesInConflict':
      log.warn(
        { count: event.count, examples: event.examples.map(formatPrefix) },
        'another program holds these prefixes at our metric: ours are not installed',
      );
      return;
    case 'routesShadowed':
      log.warn(
        { count: event.count, examples: event.examples.map(formatPrefix) },
        "another program's routes have a better metric: ours wait beneath them",
      );
      return;
    case 'nextHopChanged':
      log.info(
        { nextHop: formatIpAddress(event.nextHop), from: event.from, to: event.to },
        'next hop is reached in another way',
      );
      return;
    case 'tunnelChanged': {
      const { device, state, reason, local, address, mtuBytes } = event.tunnel;
      const fields = {
        device,
        state,
        ...(local === undefined ? {} : { local: formatIpAddress(local) }),
        ...(address === undefined ? {} : { address: formatIpAddress(address) }),
        mtu: mtuBytes,
        reason,
      };
      if (state === 'failed') log.warn({ fault: 'kernel', ...fields }, 'tunnel cannot be made');
      else log.info(fields, 'tunnel changed');
      return;
    }
    case 'podMtuChanged':
      log.info({ mtu: event.mtuBytes }, 'MTU of the pods changed');
      return;
    case 'poolConflictsChanged':
      // Among the notices, which are said once.
      return;
    case 'natChanged': {
      const pools = event.masqueraded.map(formatPrefix);
      if (pools.length > 0)
        log.info({ table: `${event.family} podroute`, pools }, 'outgoing NAT is in force');
      else
        log.info(
          { table: `${event.family} podroute` },
          'outgoing NAT is not asked for: its table is removed',
        );
      return;
    }
    case 'natRepaired':
      log.warn(
        { table: `${event.family} podroute` },
        'the table of outgoing NAT was missing or altered: repaired',
      );
      return;
    case 'natFailed':
      log.warn({ fault: 'kernel', reason: event.reason }, 'no outgoing NAT; trying again');
      return;
    case 'drift':
      log.warn(
        { count: event.count, examples: event.examples.map(formatPrefix) },
        'own routes were missing or altered in the kernel: repaired',
      );
      return;
    case 'swept':
      log.info({ count: event.count, why: event.why }, 'routes of an earlier run removed');
      return;
    case 'settingChanged':
      log.info({ setting: event.setting, from: event.from, to: event.to }, 'kernel setting changed');
      return;
    case 'settingLeft':
      log.warn(
        { setting: event.setting, value: event.value, before: event.original },
        'kernel setting was changed by another program since: it is left',
      );
      return;
    case 'settingWrong':
      log.warn(
        { setting: event.setting, value: event.value, remedy: event.remedy },
        'kernel setting stands in the way',
      );
      return;
    case 'kernelUnreadable':
      log.warn(
        { fault: 'kernel', code: event.code, reason: event.reason },
        'kernel tables unreadable; trying again',
      );
      return;
    case 'kernelReadable':
      log.info({ failures: event.failures }, 'kernel tables can be read again');
      return;
    case 'eventsLost':
      log.info('kernel events were lost in a burst: tables are read again');
      return;
    default:
      event satisfies never;
  }
}
