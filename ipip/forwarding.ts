/**
 * The kernel settings without which no packet is forwarded.
 *
 * Owns: net.ipv4.ip_forward, and the reverse path filter where the tunnel meets it. Must not know: routes.
 *
 * rp_filter: a pod's packet to a node of another subnet travels plain, because node addresses are routed by the
 * network, and its answer returns through IPIP. The strict filter (1) drops both ends of that: the answer on the tunnel
 * of the pod's node, the packet on the underlay of the target. The kernel applies the larger of conf/all and
 * conf/DEVICE, so the loose filter (2) on the tunnel is enough there. The underlay device is the operator's: we say what
 * is wrong with it and leave it.
 *
 * Source: Documentation/networking/ip-sysctl.rst.
 */
import type { DataplaneEvent } from './events.js';
import { KernelError } from './kernel/errors.js';
import type { Sysctl } from './kernel/kernel.js';

const IP_FORWARD = 'net/ipv4/ip_forward';
const STRICT = 1;
const LOOSE = 2;

const rpFilter = (device: string) => `net/ipv4/conf/${device}/rp_filter`;

export class Forwarding {
  readonly #sysctl: Sysctl;
  readonly #report: (event: DataplaneEvent) => void;
  /** What was said about a setting, so that it is said once. */
  readonly #said = new Map<string, string>();

  constructor(sysctl: Sysctl, report: (event: DataplaneEvent) => void) {
    this.#sysctl = sysctl;
    this.#report = report;
  }

  /** Lets this machine forward IPv4. */
  enable(): void {
    if (this.#sysctl.read(IP_FORWARD) === '1') return;
    this.#set(
      IP_FORWARD,
      '1',
      'set net.ipv4.ip_forward=1 on the host, or give the agent a writable /proc/sys',
    );
  }

  /** Lets answers in through the tunnel, whatever way their requests took. */
  loosenTunnel(device: string): void {
    if (this.#effectiveRpFilter(device) !== STRICT) return;
    this.#set(rpFilter(device), String(LOOSE), `set net.ipv4.conf.${device}.rp_filter=${LOOSE} on the host`);
  }

  /** Says where the underlay drops plain packets of pods of other subnets. */
  checkUnderlay(device: string): void {
    const isStrict = this.#effectiveRpFilter(device) === STRICT;
    this.#say(rpFilter(device), isStrict ? String(STRICT) : undefined, {
      kind: 'settingWrong',
      setting: `net.ipv4.conf.${device}.rp_filter`,
      value: String(STRICT),
      remedy: `packets of pods of other subnets to this node's own address are dropped: set net.ipv4.conf.${device}.rp_filter=${LOOSE}`,
    });
  }

  #effectiveRpFilter(device: string): number {
    const all = Number(this.#sysctl.read(rpFilter('all')) ?? 0);
    const own = Number(this.#sysctl.read(rpFilter(device)) ?? 0);
    return Math.max(all, own);
  }

  #set(name: string, to: string, remedy: string): void {
    const from = this.#sysctl.read(name) ?? '';
    const setting = name.replaceAll('/', '.');
    try {
      this.#sysctl.write(name, to);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      this.#say(name, from, { kind: 'settingWrong', setting, value: from, remedy });
      return;
    }
    this.#said.delete(name);
    this.#report({ kind: 'settingChanged', setting, from, to });
  }

  /** Reports `event` when `value` is not what was said last; undefined: nothing is wrong any more. */
  #say(name: string, value: string | undefined, event: DataplaneEvent): void {
    if (value === this.#said.get(name)) return;
    if (value === undefined) {
      this.#said.delete(name);
    } else {
      this.#said.set(name, value);
      this.#report(event);
    }
  }
}
