/**
 * By which interface peers and next hops are reached, for the filters that ask.
 *
 * Owns: that the kernel is watched only while a filter asks. Must not know: filters' other conditions, routes.
 */
import type { Logger } from 'pino';
import { hostPrefix } from '../bgp/net/index.js';
import { interfaceTowards } from '../bgp/policy/index.js';
import type { Clock } from '../bgp/speaker/index.js';
import { type InterfaceTable, InterfaceWatch, KernelError, rtnetlinkKernel } from '../ipip/index.js';
import type { AgentSettings } from './config/index.js';
import type { Membership } from './membership/index.js';
import type { BgpFilter } from './resources/index.js';
import { StartError } from './start-error.js';

export interface InterfacesOptions {
  readonly settings: Pick<AgentSettings, 'dataplane' | 'routeProtocol'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** The table is another one; the policy must be made anew. */
  readonly onChange: () => void;
}

export class Interfaces {
  readonly #options: InterfacesOptions;
  #watch: InterfaceWatch | undefined;
  #table: InterfaceTable = new Map();

  constructor(options: InterfacesOptions) {
    this.#options = options;
  }

  /** Makes the table there where a filter of this membership asks for interfaces. @throws StartError */
  async follow(membership: Membership): Promise<void> {
    if (!asksForInterfaces(membership)) {
      await this.stop();
      return;
    }
    if (this.#watch !== undefined) return;
    const { settings, clock, log, onChange } = this.#options;
    const watch = new InterfaceWatch({
      kernel: rtnetlinkKernel(),
      clock,
      routeProtocol: settings.routeProtocol,
      onChange: (table) => {
        this.#table = table;
        log.info(
          'interfaces or routes of this machine changed: filters that name interfaces are asked again',
        );
        onChange();
      },
      onFailure: ({ code, message }) =>
        log.warn(
          { fault: 'kernel', code, reason: message },
          'interfaces of next hops unreadable; trying again',
        ),
    });
    try {
      this.#table = await watch.start();
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      throw new StartError(
        `a filter names an interface, but the routes of this machine cannot be read: ${error.message}`,
      );
    }
    this.#watch = watch;
  }

  /** For the policy of this membership. */
  tableFor(membership: Membership): InterfaceTable {
    return this.#options.settings.dataplane ? withGateways(this.#table, membership) : this.#table;
  }

  async stop(): Promise<void> {
    const watch = this.#watch;
    this.#watch = undefined;
    this.#table = new Map();
    await watch?.stop();
  }
}

function asksForInterfaces({ peers, dynamicPeers }: Membership): boolean {
  const rulesOf = ({ importV4, exportV4, importV6, exportV6 }: BgpFilter) => [
    ...importV4,
    ...exportV4,
    ...importV6,
    ...exportV6,
  ];
  return [...peers, ...dynamicPeers].some(({ filters }) =>
    filters.flatMap(rulesOf).some((rule) => rule.interface !== undefined),
  );
}

/** The table knows no routes of ours; of those to peers behind gateways it is known where they lead. */
export function withGateways(table: InterfaceTable, { peers }: Membership): InterfaceTable {
  const ours = peers.flatMap(({ address, gateway }) => {
    const device = gateway === undefined ? undefined : interfaceTowards(table, gateway);
    return device === undefined || table.has(hostPrefix(address))
      ? []
      : [[hostPrefix(address), device] as const];
  });
  return ours.length === 0 ? table : new Map([...table, ...ours]);
}
