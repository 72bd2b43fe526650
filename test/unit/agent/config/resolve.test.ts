/** The settings of an agent: sources and their order, and errors that name the source. */
import { describe, expect, test } from 'vitest';
import {
  type AgentSettings,
  resolveSettings,
  SETTINGS,
  type SettingsSources,
  settingsHelp,
} from '../../../../agent/config/index.js';
import { checkText } from '../../../../agent/resources/index.js';
import { parseIpv4, parseIpv6 } from '../../../../bgp/net/index.js';

function resolve(sources: Partial<SettingsSources> & { readonly yaml?: string }) {
  const { yaml, ...others } = sources;
  const file = yaml === undefined ? {} : { file: { path: 'agent.yaml', text: yaml } };
  return resolveSettings({ argv: [], env: {}, hostname: 'node-a', ...file, ...others });
}

function settings(sources: Parameters<typeof resolve>[0]): AgentSettings {
  const result = resolve(sources);
  if ('errors' in result) throw new Error(checkText(result.errors));
  return result.settings;
}

function errors(sources: Parameters<typeof resolve>[0]): readonly string[] {
  const result = resolve(sources);
  return 'errors' in result ? checkText(result.errors).split('\n') : [];
}

describe('sources', () => {
  test('defaults', () => {
    expect(settings({})).toEqual({
      nodeName: 'node-a',
      datastore: 'file:/etc/podroute/cluster.yaml',
      secrets: '/etc/podroute/secrets',
      api: { type: 'tcp', host: '127.0.0.1', port: 9179 },
      dataplane: true,
      logLevel: 'info',
      tunnelDevice: 'podroute0',
      routeProtocol: 179,
      routeMetric: 2048,
      maxPaths: 16,
      nodeTimeout: 300,
      runDir: '/run/podroute',
      stateDir: '/var/lib/podroute',
      ip: { type: 'first-found' },
      cniPlugin: 'ptp',
      cniDataDir: '/run/cni',
    });
  });

  test('a flag goes before the variable, the variable before the file, the file before the default', () => {
    const yaml = 'nodeName: from-file\nlogLevel: debug\nrouteMetric: 1';
    const env = { PODROUTE_NODE_NAME: 'from-env', PODROUTE_LOG_LEVEL: 'warn', PODROUTE_DATAPLANE: 'off' };
    const argv = ['--node-name', 'from-flag', '--bgp-port=1790'];
    expect(settings({ yaml, env, argv })).toMatchObject({
      nodeName: 'from-flag',
      logLevel: 'warn',
      routeMetric: 1,
      dataplane: false,
      bgpPort: 1790,
      tunnelDevice: 'podroute0',
    });
  });

  test('every setting is a flag, a variable and a field', () => {
    const values: Readonly<Record<string, string>> = {
      nodeName: 'x',
      datastore: 'file:/x',
      secrets: '/run/secrets',
      api: 'unix:/run/x',
      dataplane: 'off',
      logLevel: 'trace',
      tunnelDevice: 'tun-x',
      routeProtocol: '42',
      routeMetric: '7',
      maxPaths: '4',
      runDir: '/run/x',
      stateDir: '/var/x',
      ip: 'can-reach=192.168.1.254',
      ip6: '2001:db8::11/64',
      nodeTimeout: '60',
      cniConfDir: '/etc/cni/x',
      cniPlugin: 'bridge',
      cniDataDir: '/run/cni-x',
      listenAddress: '192.168.1.11',
      bgpPort: '1790',
    };
    expect(Object.keys(values)).toEqual(SETTINGS.map(({ name }) => name));
    const byFlags = settings({ argv: SETTINGS.map(({ name, flag }) => `--${flag}=${values[name]}`) });
    const byEnv = settings({
      env: Object.fromEntries(SETTINGS.map(({ name, variable }) => [variable, values[name]])),
    });
    const byFile = settings({ yaml: JSON.stringify(values) });
    expect(byFlags).toEqual({
      nodeName: 'x',
      datastore: 'file:/x',
      secrets: '/run/secrets',
      api: { type: 'unix', path: '/run/x' },
      dataplane: false,
      logLevel: 'trace',
      tunnelDevice: 'tun-x',
      routeProtocol: 42,
      routeMetric: 7,
      maxPaths: 4,
      runDir: '/run/x',
      stateDir: '/var/x',
      ip: { type: 'can-reach', host: '192.168.1.254', address: parseIpv4('192.168.1.254') },
      ip6: { type: 'address', address: { address: parseIpv6('2001:db8::11'), lengthBits: 64 } },
      nodeTimeout: 60,
      cniConfDir: '/etc/cni/x',
      cniPlugin: 'bridge',
      cniDataDir: '/run/cni-x',
      listenAddress: parseIpv4('192.168.1.11'),
      bgpPort: 1790,
    });
    expect(byEnv).toEqual(byFlags);
    expect(byFile).toEqual(byFlags);
  });

  test('an empty variable is no value', () => {
    expect(settings({ env: { PODROUTE_NODE_NAME: '', PODROUTE_BGP_PORT: '' } }).nodeName).toBe('node-a');
  });

  test('an empty file says nothing', () => {
    expect(settings({ yaml: '# nothing\n' }).nodeName).toBe('node-a');
  });

  test.each([
    ['127.0.0.1:0', { type: 'tcp', host: '127.0.0.1', port: 0 }],
    ['[::1]:9179', { type: 'tcp', host: '::1', port: 9179 }],
    ['unix:/run/podroute/api.sock', { type: 'unix', path: '/run/podroute/api.sock' }],
    ['unix:///run/podroute/api.sock', { type: 'unix', path: '/run/podroute/api.sock' }],
  ])('api %s', (api, expected) => {
    expect(settings({ argv: ['--api', api] }).api).toEqual(expected);
  });

  test.each([
    ['on', true],
    ['off', false],
    [true, true],
    [false, false],
  ])('dataplane: %j in the file', (written, expected) => {
    expect(settings({ yaml: JSON.stringify({ dataplane: written }) }).dataplane).toBe(expected);
  });

  test('an IPv6 listen address', () => {
    expect(settings({ argv: ['--listen-address', '2001:db8::11'] }).listenAddress).toBe(
      parseIpv6('2001:db8::11'),
    );
  });
});

describe('errors name their source, all at once', () => {
  test('flag, variable and file', () => {
    expect(
      errors({
        argv: ['--log-level', 'loud', '--nodename=x', '--bgp-port'],
        env: { PODROUTE_ROUTE_METRIC: '-1' },
        yaml: '# settings\ntunnelDevice: a-name-that-is-too-long\nlogLevl: debug\n',
      }),
    ).toEqual([
      '--nodename: is an unknown flag; did you mean "node-name"?',
      '--bgp-port: needs a value; write it like --bgp-port=VALUE',
      'agent.yaml:3: logLevl: is an unknown field; did you mean "logLevel"?',
      '--log-level: "loud" is not one of trace, debug, info, warn, error',
      'agent.yaml:2: tunnelDevice: "a-name-that-is-too-long" is no device name; use at most 15 letters and digits, such as podroute0',
      'PODROUTE_ROUTE_METRIC: "-1" is no whole number from 1 to 4294967295',
    ]);
  });

  test.each<[readonly string[], string]>([
    [['--api', 'localhost'], '--api: "localhost" is no place to listen; write it like 127.0.0.1:9179'],
    [['--api', '127.0.0.1:99999'], 'is no place to listen'],
    [['--api', 'unix:relative'], 'is no place to listen'],
    [['--dataplane', 'yes'], '--dataplane: "yes" is neither on nor off'],
    [['--route-protocol', '4'], '--route-protocol: "4" is no whole number from 5 to 255'],
    [['--route-metric', '0'], 'is no whole number from 1 to 4294967295'],
    [['--max-paths', '0'], 'is no whole number from 1 to 256'],
    [['--max-paths', '257'], 'is no whole number from 1 to 256'],
    [['--bgp-port', '0x10'], 'is no whole number from 1 to 65535'],
    [['--listen-address', 'eth0'], '--listen-address: "eth0" is no address'],
    [['--node-name', 'a b'], '--node-name: "a b" is no node name'],
    [['--datastore='], '--datastore: is empty'],
    [['--tunnel-device', 'a/b'], 'is no device name'],
    [['start'], 'start: is an unexpected argument'],
    [['--node-name', '--api', 'x'], '--node-name: needs a value'],
    [['-v'], '-v: is an unknown flag'],
  ])('%j: %s', (argv, expected) => {
    expect(errors({ argv }).join('\n')).toContain(expected);
  });

  test('a host name that is no node name matters only if no other is given', () => {
    expect(errors({ hostname: 'a b' })).toEqual([
      'host name: "a b" is no node name; give the name of one of the Nodes with --node-name',
    ]);
    expect(settings({ hostname: 'a b', argv: ['--node-name', 'node-a'] }).nodeName).toBe('node-a');
  });

  test.each([
    ['nodeName: [', 'agent.yaml:1: is no valid YAML'],
    ['nodeName: a\n---\nnodeName: b', 'agent.yaml:3: is a second document'],
    ['__proto__: {dataplane: off}', 'agent.yaml:1: has the key __proto__'],
    ['- a', 'agent.yaml:1: is no mapping'],
  ])('the file %j: %s', (yaml, expected) => {
    expect(errors({ yaml }).join('\n')).toContain(expected);
  });

  test('a misspelt variable is a warning; those that Kubernetes sets are none', () => {
    const result = resolve({
      env: {
        PODROUTE_NODENAME: 'x',
        PODROUTE_PORT: 'tcp://10.96.0.1:9179',
        PODROUTE_SERVICE_HOST: '10.96.0.1',
      },
    });
    expect('warnings' in result && checkText(result.warnings)).toBe(
      'PODROUTE_NODENAME: is an unknown variable; did you mean "PODROUTE_NODE_NAME"?',
    );
  });
});

describe('the help text', () => {
  test('has every flag with its meaning and default', () => {
    const help = settingsHelp();
    for (const { flag, description } of SETTINGS) {
      expect(help).toContain(`--${flag} `);
      expect(help).toContain(description.replace(/\.$/, ''));
    }
    expect(help).toMatch(/--route-metric NUMBER +Metric of our routes \(default: 2048\)\./);
    expect(help).toContain('--config FILE');
  });
});
