/**
 * The kernel settings without which no packet is forwarded.
 *
 * Owns: which settings that are, each changed only where it stands in the way and put back when it is not needed any
 * more. Must not know: routes.
 *
 * - net.ipv4.ip_forward, always; net.ipv6.conf.all.forwarding, where this node has IPv6 subnets or pools.
 * - accept_ra: a host takes its default route from router advertisements, a forwarder ignores them unless accept_ra is 2
 *   (and drops the default routes it had from them). A device that has a route from one gets 2 before forwarding is
 *   switched on, because a node that loses its way out by joining a cluster is worse off than one that, as before, believes
 *   its router. A device that never heard an advertisement is left alone.
 * - rp_filter, while the tunnel is in use: a pod's packet to a node of another subnet travels plain, because node addresses are
 *   routed by the network, and its answer returns through IPIP. The strict filter (1) drops both ends of that: the
 *   answer on the tunnel of the pod's node, the packet on the underlay of the target. The kernel applies the larger of
 *   conf/all and conf/DEVICE, so the loose filter (2) on these devices is enough.
 *
 * Source: Documentation/networking/ip-sysctl.rst; net/ipv6/addrconf.c, addrconf_fixup_forwarding.
 */
import type { DataplaneEvent } from './events.js';
import type { Sysctl } from './kernel/kernel.js';
import { restoreSetting, type SettingChange, type SettingRecord, settingText } from './setting-record.js';

const IPV4_FORWARD = 'net/ipv4/ip_forward';
const IPV6_FORWARD = 'net/ipv6/conf/all/forwarding';
const STRICT = 1;
const LOOSE = '2';
/** accept_ra: as a host, and even where this machine forwards. */
const ACCEPT_RA = { asHost: '1', always: '2' } as const;

const IPV4_CONF = 'net/ipv4/conf';
const IPV6_CONF = 'net/ipv6/conf';
const rpFilter = (device: string) => `${IPV4_CONF}/${device}/rp_filter`;
const acceptRa = (device: string) => `${IPV6_CONF}/${device}/accept_ra`;

/** What the node needs beside the forwarding of IPv4. */
export interface ForwardingNeeds {
  readonly ipv6: boolean;
  /** The devices with a route from a router advertisement; asked only where it matters. */
  advertised(): Iterable<string>;
  /** The devices that the tunnel's packets use, itself included; empty: there is none. Absent: not known for now. */
  readonly tunnelDevices?: ReadonlySet<string>;
}

export class Forwarding {
  readonly #sysctl: Sysctl;
  readonly #record: SettingRecord;
  readonly #report: (event: DataplaneEvent) => void;
  /** What was said about a setting, so that it is said once. */
  readonly #said = new Map<string, string>();

  constructor(sysctl: Sysctl, record: SettingRecord, report: (event: DataplaneEvent) => void) {
    this.#sysctl = sysctl;
    this.#record = record;
    this.#report = report;
  }

  /** What is in force of ours, by this run or an earlier one. */
  changes(): readonly SettingChange[] {
    return this.#record.changes();
  }

  /** Lets this machine forward IPv4. */
  enable(): void {
    if (this.#sysctl.read(IPV4_FORWARD) !== '1') this.#change(IPV4_FORWARD, '1', this.#ipv4Along());
  }

  /** Brings the other settings to what the node needs. */
  follow({ ipv6, advertised, tunnelDevices }: ForwardingNeeds): void {
    if (ipv6) this.#enableIpv6(advertised);
    else this.#restoreWhere((name) => name.startsWith(`${IPV6_CONF}/`));
    if (tunnelDevices === undefined) return;
    this.#restoreWhere((name) => {
      const device = /\/([^/]+)\/rp_filter$/.exec(name)?.[1];
      return device !== undefined && !tunnelDevices.has(device);
    });
    for (const device of tunnelDevices) {
      if (this.#effectiveRpFilter(device) === STRICT) this.#change(rpFilter(device), LOOSE);
    }
  }

  #enableIpv6(advertised: ForwardingNeeds['advertised']): void {
    // Undefined: this kernel has no IPv6, as its routes will say.
    if (this.#sysctl.read(IPV6_FORWARD) !== '0') return;
    for (const device of advertised()) {
      const name = acceptRa(device);
      if (this.#sysctl.read(name) === ACCEPT_RA.asHost && !this.#change(name, ACCEPT_RA.always)) return;
    }
    this.#change(IPV6_FORWARD, '1', this.#forwardingOfDevices(IPV6_CONF));
  }

  /** Turning it off again also turns conf/all/accept_redirects on (net/ipv4/devinet.c, inet_forward_change). */
  #ipv4Along(): Record<string, string> {
    const name = `${IPV4_CONF}/all/accept_redirects`;
    const value = this.#sysctl.read(name);
    return { ...this.#forwardingOfDevices(IPV4_CONF), ...(value === undefined ? {} : { [name]: value }) };
  }

  /** The switch for all devices also sets that of each: those that forward by themselves must do so afterwards. */
  #forwardingOfDevices(conf: string): Record<string, string> {
    const names = this.#sysctl.list(conf).filter((device) => device !== 'all');
    const settings = names.map((device) => `${conf}/${device}/forwarding`);
    return Object.fromEntries(
      settings.filter((name) => this.#sysctl.read(name) === '1').map((name) => [name, '1']),
    );
  }

  #effectiveRpFilter(device: string): number {
    const all = Number(this.#sysctl.read(rpFilter('all')) ?? 0);
    const own = Number(this.#sysctl.read(rpFilter(device)) ?? 0);
    return Math.max(all, own);
  }

  /** @returns whether it is done; if not, it was said why */
  #change(name: string, to: string, along: Readonly<Record<string, string>> = {}): boolean {
    const from = this.#sysctl.read(name) ?? '';
    const setting = settingText(name);
    try {
      this.#record.note({ name, original: from, ours: to, along });
      this.#sysctl.write(name, to);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#forget(name);
      this.#say(name, from, `${error.message}: set ${setting}=${to} on the host`);
      return false;
    }
    this.#said.delete(name);
    this.#report({ kind: 'settingChanged', setting, from, to });
    return true;
  }

  /** In the opposite order of the changes: accept_ra may go back only once nothing is forwarded. */
  #restoreWhere(isUnneeded: (name: string) => boolean): void {
    for (const change of [...this.#record.changes()].reverse()) {
      if (isUnneeded(change.name)) this.#restore(change);
    }
  }

  #restore(change: SettingChange): void {
    const setting = settingText(change.name);
    try {
      const restored = restoreSetting(this.#sysctl, change);
      this.#record.forget(change.name);
      if (restored.outcome === 'restored') {
        this.#report({ kind: 'settingChanged', setting, from: change.ours, to: change.original });
      } else if (restored.outcome === 'left') {
        this.#report({ kind: 'settingLeft', setting, value: restored.value, original: change.original });
      }
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#say(change.name, change.ours, `${error.message}: set ${setting}=${change.original} on the host`);
    }
  }

  #forget(name: string): void {
    try {
      this.#record.forget(name);
    } catch (error) {
      // What stays in the record is a setting with its original value: nothing to put back.
      if (!isRefusal(error)) throw error;
    }
  }

  /** Reports a setting that stands in the way, once for each of its values. */
  #say(name: string, value: string, remedy: string): void {
    if (value === this.#said.get(name)) return;
    this.#said.set(name, value);
    this.#report({ kind: 'settingWrong', setting: settingText(name), value, remedy });
  }
}

/** By the kernel or the file system, with a message for people; anything else is a fault of ours. */
function isRefusal(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}
