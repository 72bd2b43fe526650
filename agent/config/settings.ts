/**
 * The settings of one agent: one schema, from which the flags, the variables and the help text follow.
 *
 * Owns: which settings exist, their meaning, form and default. Must not know: where a value comes from.
 */
import { type StaticDecode, Type } from 'typebox';
import { formatIpAddress, type IpAddress, parseIpAddress } from '../../bgp/net/index.js';
import { readMethod } from '../detect/index.js';
import { readName } from '../resources/index.js';
import { type FieldOptions, mapping, oneOf, quote, type Reading, scalar, text } from '../schema/index.js';

/** Where the API listens. */
export type ApiAddress =
  | { readonly type: 'tcp'; readonly host: string; readonly port: number }
  | { readonly type: 'unix'; readonly path: string };

/** Kernel limit: IFNAMSIZ, less the closing zero. */
const MAX_DEVICE_NAME_LENGTH = 15;

/**
 * As BIRD's `merge paths`, which Calico switches on: enough for the routers of a rack and for a service on many nodes,
 * few enough for what a switch's hardware takes.
 */
const DEFAULT_MAX_PATHS = 16;

/** More next hops in one route than anybody has, and what one message of the kernel holds many times over. */
const MAX_PATHS_LIMIT = 256;

/** 0 to 4 are unspec, redirect, kernel, boot and static: routes of the kernel and of people (linux/rtnetlink.h). */
const FIRST_FREE_ROUTE_PROTOCOL = 5;

/** All settings. Each is a flag `--kebab-case`, a variable `PODROUTE_UPPER_CASE` and a field of the settings file. */
export const settingsSchema = mapping(
  {
    nodeName: text(readNodeName, {
      placeholder: 'NAME',
      description: 'The Node that this machine is (default: the host name).',
    }),
    datastore: text(readText, {
      placeholder: 'URL',
      description: 'The cluster resources: a file or a folder of manifests, or redis://HOST.',
      default: 'file:/etc/podroute/cluster.yaml',
    }),
    secrets: text(readFolder('/etc/podroute/secrets'), {
      placeholder: 'FOLDER',
      description:
        'Where passwords of the form secretKeyRef are: key KEY of Secret NAME is the file NAME/KEY.',
      default: '/etc/podroute/secrets',
    }),
    api: text(readApiAddress, {
      placeholder: 'ADDRESS',
      description: 'Where the API listens: ADDRESS:PORT or unix:PATH.',
      default: '127.0.0.1:9179',
    }),
    dataplane: scalar(readOnOff, {
      placeholder: 'on|off',
      description: 'Write routes to the kernel, or only speak BGP.',
      default: 'on',
    }),
    logLevel: oneOf(['trace', 'debug', 'info', 'warn', 'error'], {
      placeholder: 'LEVEL',
      description: 'Log from this level up: trace, debug, info, warn or error.',
      default: 'info',
    }),
    tunnelDevice: text(readDeviceName, {
      placeholder: 'NAME',
      description: 'Name of the IPIP device.',
      default: 'podroute0',
    }),
    routeProtocol: scalar(wholeNumber(FIRST_FREE_ROUTE_PROTOCOL, 255), {
      placeholder: 'NUMBER',
      description: 'Protocol number that marks our routes in the kernel.',
      default: 179,
    }),
    routeMetric: scalar(wholeNumber(1, 0xffff_ffff), {
      placeholder: 'NUMBER',
      description: 'Metric of our routes.',
      default: 2048,
    }),
    maxPaths: scalar(wholeNumber(1, MAX_PATHS_LIMIT), {
      placeholder: 'NUMBER',
      description: 'Share the traffic to a prefix among at most so many equal paths (ECMP); 1: one path.',
      default: DEFAULT_MAX_PATHS,
    }),
    runDir: text(readFolder('/run/podroute'), {
      placeholder: 'FOLDER',
      description: 'Where the agent keeps what outlives it: changed kernel settings, subnet.env.',
      default: '/run/podroute',
    }),
    stateDir: text(readFolder('/var/lib/podroute'), {
      placeholder: 'FOLDER',
      description: 'Where the agent keeps the last state of a datastore that may be away at its next start.',
      default: '/var/lib/podroute',
    }),
    ip: text(readMethod('ipv4'), {
      placeholder: 'METHOD',
      description:
        'How the node finds its address: first-found, can-reach=ADDRESS, interface=REGEX, skip-interface=REGEX, cidr=CIDR or ADDRESS/LENGTH.',
      default: 'first-found',
    }),
    ip6: Type.Optional(
      text(readMethod('ipv6'), {
        placeholder: 'METHOD',
        description: 'The same for an IPv6 address (default: the node has none).',
      }),
    ),
    nodeTimeout: scalar(wholeNumber(3, 31_536_000), {
      placeholder: 'SECONDS',
      description: 'A node that gives no sign for so long, to the store or by BGP, leaves the mesh.',
      default: 300,
    }),
    cniConfDir: Type.Optional(
      text(readFolder('/etc/cni/net.d'), {
        placeholder: 'FOLDER',
        description: 'Keep a CNI configuration for the pods of this node there (default: none).',
      }),
    ),
    cniPlugin: oneOf(['ptp', 'bridge'], {
      placeholder: 'ptp|bridge',
      description: 'The plugin that links pods: ptp serves every subnet of the node, bridge the first.',
      default: 'ptp',
    }),
    cniDataDir: text(readFolder('/run/cni'), {
      placeholder: 'FOLDER',
      description: 'Where the CNI plugins note which addresses are taken; it must not outlive the pods.',
      default: '/run/cni',
    }),
    listenAddress: Type.Optional(
      text(readListenAddress, {
        placeholder: 'ADDRESS',
        description: 'Accept BGP on this address alone (default: as the cluster says).',
      }),
    ),
    bgpPort: Type.Optional(
      scalar(wholeNumber(1, 65535), {
        placeholder: 'PORT',
        description: 'Accept BGP on this port (default: as the cluster says).',
      }),
    ),
  },
  { description: 'The settings of one agent.' },
);

/** The settings as values. */
export type AgentSettings = Readonly<StaticDecode<typeof settingsSchema>>;

/** The name of a setting in its schema. */
export type SettingName = keyof AgentSettings;

/** A setting by its names. */
export interface Setting {
  readonly name: SettingName;
  /** Without the dashes. */
  readonly flag: string;
  readonly variable: string;
  readonly placeholder: string;
  readonly description: string;
  readonly default?: unknown;
}

const properties = settingsSchema.properties as unknown as Readonly<Record<SettingName, FieldOptions>>;

/** Begins the name of every environment variable of ours. */
export const VARIABLE_PREFIX = 'PODROUTE_';

/** All settings in the order of the help text. */
export const SETTINGS: readonly Setting[] = (Object.keys(properties) as SettingName[]).map((name) => {
  const words = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return {
    name,
    flag: words,
    variable: `${VARIABLE_PREFIX}${words.replaceAll('-', '_').toUpperCase()}`,
    placeholder: properties[name].placeholder ?? 'VALUE',
    description: properties[name].description,
    ...(properties[name].default !== undefined && { default: properties[name].default }),
  };
});

/** The settings file itself: a flag and a variable, but no field of the file. */
export const CONFIG_FLAG = 'config';
export const CONFIG_VARIABLE = 'PODROUTE_CONFIG';
export const DEFAULT_CONFIG_FILE = '/etc/podroute/agent.yaml';

/** The flags of the agent with their meaning and default, one per line. */
export function settingsHelp(): string {
  const rows = SETTINGS.map(({ flag, placeholder, description, default: standard }): [string, string] => [
    `--${flag} ${placeholder}`,
    standard === undefined
      ? description
      : `${description.replace(/\.$/, '')} (default: ${String(standard)}).`,
  ]);
  rows.push([
    `--${CONFIG_FLAG} FILE`,
    `File with settings, as fields named like ${SETTINGS[0]?.name ?? ''} (default: ${DEFAULT_CONFIG_FILE}, if there is one).`,
  ]);
  const width = Math.max(...rows.map(([flag]) => flag.length));
  return [
    ...rows.map(([flag, meaning]) => `  ${flag.padEnd(width)}  ${meaning}`),
    '',
    `Each flag is also an environment variable (--node-name is PODROUTE_NODE_NAME). A flag goes before the variable,`,
    'the variable before the file.',
  ].join('\n');
}

function readText(value: string): Reading<string> {
  return value === '' ? { problem: 'is empty; give it a value or take it out' } : { value };
}

function readFolder(example: string): (value: string) => Reading<string> {
  return (value) =>
    /^\/[^\0]*$/.test(value)
      ? { value }
      : { problem: `${quote(value)} is no absolute path; write it like ${example}` };
}

function readNodeName(value: string): Reading<string> {
  const name = readName(value);
  if ('value' in name) return name;
  return { problem: `${quote(value)} is no node name; give the name of one of the Nodes with --node-name` };
}

function readApiAddress(value: string): Reading<ApiAddress> {
  const unixPath = /^unix:(?:\/\/)?(\/.+)$/.exec(value)?.[1];
  if (unixPath !== undefined) return { value: { type: 'unix', path: unixPath } };
  const parts = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(value);
  const address = parseIpAddress(parts?.[1] ?? parts?.[2] ?? '');
  const port = Number(parts?.[3]);
  if (parts === null || address === undefined || port > 65535) {
    return {
      problem: `${quote(value)} is no place to listen; write it like 127.0.0.1:9179, [::1]:9179 or unix:/run/podroute/api.sock`,
    };
  }
  return { value: { type: 'tcp', host: formatIpAddress(address), port } };
}

/** `on` and `off`; YAML's own true and false mean the same. */
function readOnOff(value: unknown): Reading<boolean> {
  if (value === true || value === 'on') return { value: true };
  if (value === false || value === 'off') return { value: false };
  return { problem: `${quote(value)} is neither on nor off` };
}

function readDeviceName(value: string): Reading<string> {
  const isName = /^[^\s/:]+$/.test(value) && value !== '.' && value !== '..';
  return isName && Buffer.byteLength(value) <= MAX_DEVICE_NAME_LENGTH
    ? { value }
    : {
        problem: `${quote(value)} is no device name; use at most ${MAX_DEVICE_NAME_LENGTH} letters and digits, such as podroute0`,
      };
}

/** A number, or the text of one, as flags and variables have it. */
function wholeNumber(minimum: number, maximum: number): (value: unknown) => Reading<number> {
  return (value) => {
    const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
    return typeof number === 'number' && Number.isInteger(number) && number >= minimum && number <= maximum
      ? { value: number }
      : { problem: `${quote(value)} is no whole number from ${minimum} to ${maximum}` };
  };
}

function readListenAddress(value: string): Reading<IpAddress> {
  const address = parseIpAddress(value);
  return address === undefined
    ? { problem: `${quote(value)} is no address; write it like 192.168.1.11 or 2001:db8::11` }
    : { value: address };
}
