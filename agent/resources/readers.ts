/**
 * The texts of resources as values: addresses, prefixes, AS numbers, selectors, names.
 *
 * Owns: what a text must look like, and the sentence when it does not. Must not know: which field it stands in.
 */
import {
  addressFamily,
  formatPrefix,
  type IpAddress,
  type Ipv4,
  type Ipv6,
  ipv4,
  isHostAddress,
  isIpv4,
  isIpv6,
  isLinkLocal,
  type Prefix,
  parseCidr,
  parseIpAddress,
  parseIpv4,
  parsePrefix,
  prefixAddress,
  prefixContainsAddress,
  prefixFamily,
  prefixLength,
  prefixOf,
} from '../../bgp/net/index.js';
import type { Community } from '../../bgp/policy/index.js';
import { quote, type Reading } from '../schema/index.js';
import { parseSelector, type Selector } from './selector.js';
import type { InterfaceAddress, SecretSource } from './types.js';

const MAX_AS_NUMBER = 0xffff_ffff;
/** 0 (RFC 7607), AS_TRANS (RFC 6793) and the last of each size (RFC 7300) identify nobody. */
const RESERVED_AS_NUMBERS: ReadonlySet<number> = new Set([0, 23456, 65535, MAX_AS_NUMBER]);

/** An AS number: a number, a text of digits, or asdot (RFC 5396); reserved ones are refused. */
export function readAsNumber(value: unknown): Reading<number> {
  const asNumber = asNumberOf(value);
  if (asNumber === undefined) {
    const hint =
      typeof value === 'number' && !Number.isInteger(value) ? ' (asdot such as "1.10" needs quotes)' : '';
    return { problem: `${quote(value)} is no AS number; write one from 1 to 4294967294${hint}` };
  }
  if (RESERVED_AS_NUMBERS.has(asNumber)) {
    return {
      problem: `AS ${asNumber} is reserved and identifies nobody; take one of your own, or a private one such as 64512`,
    };
  }
  return { value: asNumber };
}

function asNumberOf(value: unknown): number | undefined {
  if (typeof value === 'number')
    return Number.isInteger(value) && value >= 0 && value <= MAX_AS_NUMBER ? value : undefined;
  const digits = typeof value === 'string' ? /^(?:(\d{1,5})\.)?(\d{1,10})$/.exec(value) : null;
  if (digits === null) return undefined;
  const [high, low] = [Number(digits[1] ?? 0), Number(digits[2])];
  if (digits[1] !== undefined && (high > 0xffff || low > 0xffff)) return undefined;
  const asNumber = high * 0x1_0000 + low;
  return asNumber <= MAX_AS_NUMBER ? asNumber : undefined;
}

/** Why an address with its subnet cannot be that of a host, or undefined. */
function hostProblem(value: string, { address, lengthBits }: InterfaceAddress): string | undefined {
  if (!isHostAddress(address)) return `${quote(value)} is no address that a host can have`;
  if (lengthBits === 0) return `${quote(value)} has prefix length 0; write that of the node's network`;
  // RFC 3021: both addresses of a /31 are those of hosts.
  if (!isIpv4(address) || lengthBits >= 31) return undefined;
  const subnet = prefixOf(address, lengthBits);
  if (prefixAddress(subnet) === address) {
    return `${quote(value)} is the address of the network itself; write the node's own address in it`;
  }
  if (!prefixContainsAddress(subnet, ipv4(address + 1))) {
    return `${quote(value)} is the broadcast address of its network; write the node's own address in it`;
  }
  return undefined;
}

/** The IPv4 address of a node with its prefix length. */
export function readInterfaceIpv4(value: string): Reading<InterfaceAddress<Ipv4>> {
  const cidr = parseCidr(value);
  if (cidr === undefined || !isIpv4(cidr.address)) {
    return {
      problem: `${quote(value)} is no IPv4 address with a prefix length; write it like 192.168.1.11/24`,
    };
  }
  const problem = hostProblem(value, cidr);
  return problem === undefined
    ? { value: { address: cidr.address, lengthBits: cidr.lengthBits } }
    : { problem };
}

/** The IPv6 address of a node with its prefix length; routable, because it becomes a next hop. */
export function readInterfaceIpv6(value: string): Reading<InterfaceAddress<Ipv6>> {
  const cidr = parseCidr(value);
  if (cidr === undefined || !isIpv6(cidr.address)) {
    return {
      problem: `${quote(value)} is no IPv6 address with a prefix length; write it like 2001:db8::11/64`,
    };
  }
  const problem = isLinkLocal(cidr.address)
    ? `${quote(value)} is link-local; write an address that is valid beyond one link`
    : hostProblem(value, cidr);
  return problem === undefined
    ? { value: { address: cidr.address, lengthBits: cidr.lengthBits } }
    : { problem };
}

/** `10.244.0.0/16`: a prefix without host bits, and not the default route. */
export function readPrefix(value: string): Reading<Prefix> {
  const prefix = parsePrefix(value);
  if (prefix === undefined) {
    const cidr = parseCidr(value);
    return {
      problem:
        cidr === undefined
          ? `${quote(value)} is no prefix; write it like 10.244.0.0/16`
          : `${quote(value)} has bits set beyond its length; write ${formatPrefix(prefixOf(cidr.address, cidr.lengthBits))}`,
    };
  }
  if (prefixLength(prefix) === 0)
    return { problem: `${quote(value)} is every address; write a narrower prefix` };
  if (!isHostAddress(prefixAddress(prefix)))
    return { problem: `${quote(value)} holds no addresses that hosts can have` };
  return { value: prefix };
}

/** A prefix of one family for a filter rule, where the default route is a fair thing to match. */
export function readFilterPrefix(family: 'ipv4' | 'ipv6'): (value: string) => Reading<Prefix> {
  const example = family === 'ipv4' ? '10.0.0.0/8' : 'fd00::/8';
  return (value) => {
    const prefix = parsePrefix(value);
    return prefix !== undefined && prefixFamily(prefix) === family
      ? { value: prefix }
      : {
          problem: `${quote(value)} is no ${family === 'ipv4' ? 'IPv4' : 'IPv6'} prefix; write it like ${example}`,
        };
  };
}

/** Of an interface, less strict than the kernel, which refuses only slashes and spaces. */
const DEVICE_NAME = /^[\w.:-]{1,15}$/;

/** `192.168.1.1`, `192.168.1.1:179`, `2001:db8::1`, `[2001:db8::1]:179`, `fe80::1%eth0` or `[fe80::1%eth0]:179`. */
export function readPeerAddress(
  value: string,
): Reading<{ readonly address: IpAddress; readonly zone?: string; readonly port?: number }> {
  const parts = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(value);
  const host = parts?.[1] ?? parts?.[2] ?? value;
  const [, text = host, zone] = /^([^%]*)%(.+)$/.exec(host) ?? [];
  const address = parseIpAddress(text);
  const port = parts?.[3] === undefined ? undefined : Number(parts[3]);
  if (address === undefined || (parts?.[1] !== undefined && addressFamily(address) === 'ipv4')) {
    return {
      problem: `${quote(value)} is no address; write it like 192.168.1.1 or 192.168.1.1:179, IPv6 with a port like [2001:db8::1]:179`,
    };
  }
  if (port !== undefined && (port < 1 || port > 65535)) {
    return { problem: `${quote(value)} has a port that is not between 1 and 65535` };
  }
  if (!isHostAddress(address)) return { problem: `${quote(value)} is no address that a router can have` };
  if (isLinkLocal(address) && zone === undefined) {
    return { problem: `${quote(value)} is link-local; write its device behind it, like ${text}%eth0` };
  }
  if (zone !== undefined && (!isLinkLocal(address) || !DEVICE_NAME.test(zone))) {
    const problem = isLinkLocal(address)
      ? `names no device of 1 to 15 letters, digits, ".", "_", ":" or "-"`
      : 'names a device, which only a link-local address needs';
    return { problem: `${quote(value)} ${problem}` };
  }
  return {
    value: { address, ...(zone === undefined ? {} : { zone }), ...(port === undefined ? {} : { port }) },
  };
}

/** The address of a router on a network of this node. */
export function readGateway(value: string): Reading<IpAddress> {
  const address = parseIpAddress(value);
  if (address === undefined) {
    return { problem: `${quote(value)} is no address; write that of the gateway, like 192.168.1.254` };
  }
  if (!isHostAddress(address)) return { problem: `${quote(value)} is no address that a gateway can have` };
  return isLinkLocal(address)
    ? {
        problem: `${quote(value)} is link-local, which names no link; write a routable address of the gateway`,
      }
    : { value: address };
}

/** The name of an interface; `*` stands for any letters, and for none. */
export function readInterfacePattern(value: string): Reading<string> {
  return /^[A-Za-z0-9_.*-]{1,15}$/.test(value)
    ? { value }
    : {
        problem: `${quote(value)} is no name of an interface; write it like eth0 or eth*, at most 15 letters, digits, "_", ".", "-" and "*"`,
      };
}

/** A label selector. */
export function readSelector(value: string): Reading<Selector> {
  const result = parseSelector(value);
  return 'selector' in result
    ? { value: result.selector }
    : { problem: `${quote(value)} is no selector: column ${result.column}: ${result.problem}` };
}

/** A resource name as Kubernetes and host names have them. */
export function readName(value: string): Reading<string> {
  return /^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/.test(value)
    ? { value }
    : {
        problem: `${quote(value)} is no name; use letters, digits, "-", "_" and ".", a letter or digit first and last`,
      };
}

/** `65000:100` (RFC 1997) or `65000:1:2` (RFC 8092). */
export function readCommunity(value: string): Reading<Community> {
  const parts = /^\d{1,10}(:\d{1,10}){1,2}$/.test(value) ? value.split(':').map(Number) : [];
  const [first = 0, second = 0, third] = parts;
  const most = third === undefined ? 0xffff : 0xffff_ffff;
  if (parts.length === 0 || parts.some((part) => part > most)) {
    return {
      problem: `${quote(value)} is no community; write it like 65000:100 (two numbers up to 65535), or 65000:1:2 (three up to 4294967295)`,
    };
  }
  return {
    value:
      third === undefined
        ? first * 0x1_0000 + second
        : { globalAdministrator: first, localData1: second, localData2: third },
  };
}

/** A community, or the name of one. */
export function readCommunityOrName(value: string): Reading<Community | string> {
  return value.includes(':') ? readCommunity(value) : readName(value);
}

/** The cluster id of a route reflector, written like an IPv4 address (RFC 4456 section 7). */
export function readClusterId(value: string): Reading<Ipv4> {
  const id = parseIpv4(value);
  return id === undefined || id === 0
    ? { problem: `${quote(value)} is no cluster id; write it like 244.0.0.1` }
    : { value: id };
}

const UNIT_SECONDS = [3600, 60, 1] as const;

/** `90s`, `2m0s` or `1h`: whole seconds from `minimum` to `maximum`. */
export function readSeconds(minimum: number, maximum: number): (value: string) => Reading<number> {
  return (value) => {
    const parts = /^(?=\d)(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?$/.exec(value);
    if (parts === null) return { problem: `${quote(value)} is no duration; write it like 120s or 2m0s` };
    const seconds = UNIT_SECONDS.reduce((sum, unit, at) => sum + unit * Number(parts[at + 1] ?? 0), 0);
    return seconds >= minimum && seconds <= maximum
      ? { value: seconds }
      : { problem: `${quote(value)} is not between ${minimum} and ${maximum} seconds` };
  };
}

const SECRET_REMEDY = 'write {file: /PATH}, {env: NAME} or {secretKeyRef: {name: NAME, key: KEY}}';

/** Where a password is kept. No sentence of this function holds any part of the value: it may be the password. */
export function readSecretSource(value: unknown): Reading<SecretSource> {
  if (!isMapping(value)) {
    return {
      problem: `holds the password itself, and anyone who reads the file reads it; ${SECRET_REMEDY}`,
    };
  }
  const entries = Object.entries(value);
  const [kind, place] = entries[0] ?? [];
  if (entries.length === 1) {
    if (kind === 'file') return readSecretFile(place);
    if (kind === 'env') return readSecretVariable(place);
    if (kind === 'secretKeyRef') return readSecretKeyRef(place);
  }
  return { problem: `does not say where the password is kept; ${SECRET_REMEDY}` };
}

function readSecretFile(path: unknown): Reading<SecretSource> {
  return typeof path === 'string' && /^\/[^\0]*$/.test(path)
    ? { value: { type: 'file', path } }
    : { problem: 'has a file that is no absolute path; write it like {file: /etc/podroute/tor.password}' };
}

function readSecretVariable(name: unknown): Reading<SecretSource> {
  return typeof name === 'string' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)
    ? { value: { type: 'env', name } }
    : { problem: 'has an env that is no name of a variable; write it like {env: TOR_PASSWORD}' };
}

/** What Kubernetes allows for a key; like {@link readName} for the name, it leads out of no folder. */
const SECRET_KEY = /^(?!\.\.|\.$)[A-Za-z0-9._-]{1,253}$/;

/** `optional` is what Kubernetes makes of a missing key for a pod; here a session never goes without its password. */
function readSecretKeyRef(reference: unknown): Reading<SecretSource> {
  const { name, key, optional = false, ...others } = isMapping(reference) ? reference : {};
  const hasName = typeof name === 'string' && 'value' in readName(name);
  const hasKey = typeof key === 'string' && SECRET_KEY.test(key);
  return hasName && hasKey && typeof optional === 'boolean' && Object.keys(others).length === 0
    ? { value: { type: 'secret', name, key } }
    : {
        problem:
          'has a secretKeyRef that is no name and key of a Secret; write it like {secretKeyRef: {name: bgp-passwords, key: tor}}',
      };
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
