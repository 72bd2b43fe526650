/**
 * The interfaces of a machine and a method -> the address of the node, and why it is none of the others.
 *
 * Owns: the choice. Must not know: where facts come from. Interfaces are looked at in the order of the machine, which is
 * that in which they came to be, so that the same machine makes the same choice again.
 */
import {
  addressFamily,
  type Family,
  formatIpAddress,
  type IpAddress,
  prefixContainsAddress,
} from '../../bgp/net/index.js';
import type { InterfaceAddress, IpPool } from '../resources/index.js';
import { type DetectionMethod, formatMethodName } from './method.js';
import { whyNotAddress, whyNotInterface } from './passed-over.js';

/** An interface as the machine has it. */
export interface InterfaceFacts {
  readonly name: string;
  readonly isUp: boolean;
  readonly mac: string;
  readonly addresses: readonly InterfaceAddress[];
}

/** What the choice rests on beside the interfaces. */
export interface DetectionContext {
  readonly family: Family;
  /** An address inside one of them is of pods. */
  readonly pools: readonly Pick<IpPool, 'name' | 'cidr'>[];
  /** Our own tunnel, whatever it is called. */
  readonly tunnelDevice: string;
  /** For `can-reach`: the address from which the kernel would send there, or one sentence why it would not. */
  readonly source?: { readonly address: IpAddress } | { readonly problem: string };
}

/** An address with its interface, and why it is or is not the one. */
export interface Candidate extends InterfaceAddress {
  readonly interface: string;
  readonly reason: string;
}

export type Detection =
  | {
      readonly chosen: Candidate;
      /** All other addresses of the family, in the order of the machine. */
      readonly alternatives: readonly Candidate[];
    }
  /** One sentence with the remedy. */
  | { readonly problem: string };

/** The interface of an address that was set and that no interface has. */
const NO_INTERFACE = '';

export function chooseAddress(
  method: DetectionMethod,
  interfaces: readonly InterfaceFacts[],
  context: DetectionContext,
): Detection {
  const { family, source } = context;
  if (source !== undefined && 'problem' in source) return source;
  const judged = interfaces.flatMap((facts) =>
    facts.addresses
      .filter(({ address }) => addressFamily(address) === family)
      .map((address) => ({
        ...address,
        interface: facts.name,
        whyNot: whyNot(method, facts, address, context),
      })),
  );
  const found = judged.find((candidate) => candidate.whyNot === undefined);
  const alternatives = judged
    .filter((candidate) => candidate !== found)
    .map(({ whyNot: reason, ...candidate }) => ({ ...candidate, reason: reason ?? 'not the first' }));
  if (found !== undefined) {
    const { whyNot: _none, ...candidate } = found;
    return { chosen: { ...candidate, reason: reasonOf(method) }, alternatives };
  }
  if (method.type === 'address') {
    // What an operator has set is taken at their word: the interface may come up later.
    const reason = 'as set, although no interface has it';
    return { chosen: { ...method.address, interface: NO_INTERFACE, reason }, alternatives };
  }
  return { problem: nothingFound(method, family, alternatives) };
}

/** One line for the log and for people: the choice, and each other address with the reason against it. */
export function detectionText(detection: Detection): string {
  if ('problem' in detection) return detection.problem;
  const { chosen, alternatives } = detection;
  const others = alternatives.map((candidate) => `${placeText(candidate)}: ${candidate.reason}`);
  return [
    `${placeText(chosen)}: ${chosen.reason}`,
    ...(others.length > 0 ? [`not ${others.join(', not ')}`] : []),
  ].join('; ');
}

function whyNot(
  method: DetectionMethod,
  { name, isUp }: InterfaceFacts,
  { address, lengthBits }: InterfaceAddress,
  { pools, tunnelDevice, source }: DetectionContext,
): string | undefined {
  if (method.type === 'address') {
    return address === method.address.address && lengthBits === method.address.lengthBits
      ? undefined
      : 'another one is set';
  }
  const general =
    (name === tunnelDevice ? 'the tunnel of podroute' : undefined) ??
    whyNotAddress(address, pools) ??
    (isUp ? undefined : 'its interface is down');
  if (general !== undefined) return general;
  switch (method.type) {
    case 'first-found':
      return whyNotInterface(name);
    case 'skip-interface':
      return (
        whyNotInterface(name) ?? (matches(method.patterns, name) ? 'its interface is skipped' : undefined)
      );
    case 'interface':
      return matches(method.patterns, name) ? undefined : 'the name of its interface does not match';
    case 'cidr':
      return (
        whyNotInterface(name) ??
        (method.cidrs.some((cidr) => prefixContainsAddress(cidr, address))
          ? undefined
          : 'in none of the networks of cidr=')
      );
    case 'can-reach':
      return source !== undefined && 'address' in source && source.address === address
        ? undefined
        : `not the source towards ${method.host}`;
    default:
      return method satisfies never;
  }
}

function matches(patterns: readonly RegExp[], name: string): boolean {
  return patterns.some((pattern) => pattern.test(name));
}

function reasonOf(method: DetectionMethod): string {
  switch (method.type) {
    case 'address':
      return 'as set';
    case 'can-reach':
      return `the source towards ${method.host}`;
    default:
      return formatMethodName(method);
  }
}

function nothingFound(method: DetectionMethod, family: Family, seen: readonly Candidate[]): string {
  const word = family === 'ipv4' ? 'IPv4' : 'IPv6';
  const flag = family === 'ipv4' ? '--ip' : '--ip6';
  const list = seen.map((candidate) => `${placeText(candidate)} (${candidate.reason})`).join(', ');
  const found = list === '' ? `no interface that is up has an ${word} address` : `there is ${list}`;
  return `no address of this node was found by ${formatMethodName(method)}: ${found}; name it with ${flag} ADDRESS/LENGTH, or choose another method`;
}

/** `192.168.1.11/24 of eth0`. */
function placeText({ address, lengthBits, interface: name }: Candidate): string {
  return `${formatIpAddress(address)}/${lengthBits}${name === NO_INTERFACE ? '' : ` of ${name}`}`;
}
