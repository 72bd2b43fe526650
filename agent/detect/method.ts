/**
 * How a node finds its address, as a word of the settings: the methods are Calico's.
 *
 *   first-found | autodetect                the first address of an interface that is not passed over
 *   can-reach=ADDRESS|NAME                  the address from which the kernel would send there
 *   interface=REGEX[,REGEX]                 of the first interface whose name one of them matches
 *   skip-interface=REGEX[,REGEX]            as first-found, without the interfaces that one of them matches
 *   cidr=CIDR[,CIDR]                        the first address that lies in one of them
 *   ADDRESS/LENGTH                          this one
 *
 * Owns: the language. Must not know: interfaces. As in Calico an expression matches anywhere in a name: ^eth0$ is eth0.
 */
import {
  addressFamily,
  type Family,
  type IpAddress,
  isHostAddress,
  isLinkLocal,
  type Prefix,
  parseCidr,
  parseIpAddress,
  parsePrefix,
  prefixFamily,
} from '../../bgp/net/index.js';
import type { InterfaceAddress } from '../resources/index.js';
import { quote, type Reading } from '../schema/index.js';

/** How the address of one family is found. */
export type DetectionMethod =
  | { readonly type: 'first-found' }
  /** A name is an address only when it is asked for. */
  | { readonly type: 'can-reach'; readonly host: string; readonly address?: IpAddress }
  | { readonly type: 'interface' | 'skip-interface'; readonly patterns: readonly RegExp[] }
  | { readonly type: 'cidr'; readonly cidrs: readonly Prefix[] }
  | { readonly type: 'address'; readonly address: InterfaceAddress };

/** What an address of each family looks like, for sentences. */
const EXAMPLES = {
  ipv4: { word: 'IPv4', address: '192.168.1.11', length: 24, cidr: '192.168.0.0/16' },
  ipv6: { word: 'IPv6', address: '2001:db8::11', length: 64, cidr: '2001:db8::/32' },
} as const;

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*\.?$/i;

/** Reads a method for an address of `family`. */
export function readMethod(family: Family): (text: string) => Reading<DetectionMethod> {
  return (text) => {
    const [, word = text, value] = /^([a-z-]+)=(.*)$/s.exec(text) ?? [];
    switch (word) {
      case 'first-found':
      case 'autodetect':
        return value === undefined
          ? { value: { type: 'first-found' } }
          : { problem: `${quote(text)}: ${word} takes no value; write ${word}` };
      case 'can-reach':
        return readHost(family, value ?? '');
      case 'interface':
      case 'skip-interface':
        return readPatterns(word, value ?? '');
      case 'cidr':
        return readCidrs(family, value ?? '');
      default:
        return readAddress(family, text);
    }
  };
}

/** The method as it is written. */
export function formatMethodName(method: DetectionMethod): string {
  switch (method.type) {
    case 'can-reach':
      return `can-reach=${method.host}`;
    case 'address':
      return 'set';
    default:
      return method.type;
  }
}

function readHost(family: Family, host: string): Reading<DetectionMethod> {
  const address = parseIpAddress(host);
  const { word, address: example } = EXAMPLES[family];
  if (address !== undefined) {
    return addressFamily(address) === family
      ? { value: { type: 'can-reach', host, address } }
      : { problem: `can-reach=${host} is of the other family; name an ${word} address, such as ${example}` };
  }
  return HOST_NAME.test(host)
    ? { value: { type: 'can-reach', host } }
    : { problem: `${quote(host)} is no address and no name; write it like can-reach=${example}` };
}

function readPatterns(type: 'interface' | 'skip-interface', list: string): Reading<DetectionMethod> {
  const patterns: RegExp[] = [];
  for (const source of list.split(',')) {
    const pattern = compile(source);
    if (pattern === undefined) {
      return {
        problem: `${quote(source)} is no regular expression; write it like ${type}=^eth or ${type}=^ens,^bond`,
      };
    }
    patterns.push(pattern);
  }
  return { value: { type, patterns } };
}

function compile(source: string): RegExp | undefined {
  if (source === '') return undefined;
  try {
    return new RegExp(source);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function readCidrs(family: Family, list: string): Reading<DetectionMethod> {
  const cidrs: Prefix[] = [];
  for (const text of list.split(',')) {
    const cidr = parsePrefix(text);
    if (cidr === undefined || prefixFamily(cidr) !== family) {
      const { word, cidr: example } = EXAMPLES[family];
      return { problem: `${quote(text)} is no ${word} network; write it like cidr=${example}` };
    }
    cidrs.push(cidr);
  }
  return { value: { type: 'cidr', cidrs } };
}

function readAddress(family: Family, text: string): Reading<DetectionMethod> {
  const { word, address: example, length } = EXAMPLES[family];
  const alone = parseIpAddress(text);
  if (alone !== undefined) {
    return {
      problem: `${quote(text)} lacks the prefix length of its network; write it like ${example}/${length}`,
    };
  }
  const address = parseCidr(text);
  if (address === undefined) {
    return {
      problem: `${quote(text)} is no method; write first-found, can-reach=ADDRESS, interface=REGEX, skip-interface=REGEX, cidr=CIDR or ADDRESS/LENGTH`,
    };
  }
  if (addressFamily(address.address) !== family) {
    return { problem: `${quote(text)} is no ${word} address; write it like ${example}/${length}` };
  }
  if (!isHostAddress(address.address) || isLinkLocal(address.address) || address.lengthBits === 0) {
    return {
      problem: `${quote(text)} is no address that other nodes reach; write it like ${example}/${length}`,
    };
  }
  return { value: { type: 'address', address } };
}
