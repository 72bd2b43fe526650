/**
 * The CNI configuration of this node: which reference plugins make a pod's network, and with what.
 *
 * Owns: the text, and by what a text is known to be ours. Must not know: files, where the values come from. Pure.
 *
 * Nothing here masquerades between pods: `ipMasq` is off, and portmap's `snat` is for what a pod or this machine itself
 * sends to a port of this machine. What leaves the pools is the business of `natOutgoing`.
 *
 * Source: CNI specification 1.0.0, section 1; containernetworking/plugins 1.1: bridge, ptp, host-local, portmap.
 */
import { formatPrefix, type Prefix, prefixFamily } from '../../bgp/net/index.js';
import type { PodPlugin } from './subnets.js';

/** Runtimes take the first file of the folder in the order of names. */
export const CONFLIST_FILE = '10-podroute.conflist';
/** A runtime passes over what begins with a dot or ends in another way than .conf, .conflist and .json. */
export const CONFLIST_DRAFT = `.${CONFLIST_FILE}.draft`;

const NETWORK_NAME = 'podroute';
const CNI_VERSION = '1.0.0';
const POD_BRIDGE = 'podroute-br0';
const DEFAULT_ROUTES = { ipv4: '0.0.0.0/0', ipv6: '::/0' } as const;

export interface ConflistFacts {
  /** Those that pods get addresses of; of each family one address for every pod. */
  readonly subnets: readonly Prefix[];
  readonly plugin: PodPlugin;
  readonly mtuBytes: number;
  /** Where host-local notes which addresses are taken. */
  readonly dataDir: string;
}

/** @returns undefined where there is no subnet: then no pod can be made here */
export function conflist({ subnets, plugin, mtuBytes, dataDir }: ConflistFacts): string | undefined {
  const families = (['ipv4', 'ipv6'] as const).flatMap((family) => {
    const ranges = subnets.filter((subnet) => prefixFamily(subnet) === family);
    return ranges.length === 0 ? [] : [{ family, ranges }];
  });
  if (families.length === 0) return undefined;
  const ipam = {
    type: 'host-local',
    dataDir,
    // Of the ranges of one set a pod gets one address: the next range is used when the one before is full.
    ranges: families.map(({ ranges }) => ranges.map((subnet) => ({ subnet: formatPrefix(subnet) }))),
    routes: families.map(({ family }) => ({ dst: DEFAULT_ROUTES[family] })),
  };
  const link =
    plugin === 'ptp'
      ? { type: 'ptp' }
      : // Hairpin: with br_netfilter a pod's packet to a port of its own comes back by the port that it came from.
        { type: 'bridge', bridge: POD_BRIDGE, isGateway: true, hairpinMode: true };
  const list = {
    cniVersion: CNI_VERSION,
    name: NETWORK_NAME,
    plugins: [
      { ...link, ipMasq: false, mtu: mtuBytes, ipam },
      { type: 'portmap', capabilities: { portMappings: true }, snat: true },
    ],
  };
  return `${JSON.stringify(list, null, 2)}\n`;
}

/** @returns the name of the network of a text that is none of ours; undefined: it is ours */
export function strangeNetwork(text: string): string | undefined {
  const name = networkName(text);
  return name === NETWORK_NAME ? undefined : name;
}

function networkName(text: string): string {
  try {
    const { name }: { readonly name?: unknown } = Object(JSON.parse(text));
    return typeof name === 'string' ? name : '';
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return '';
  }
}
