/** BGPPeer, BGPFilter and BGPConfiguration beyond their basics: what their fields become, and what is said of wrong ones. */
import { describe, expect, test } from 'vitest';
import { checkText, type ResourcesResult } from '../../../../agent/resources/index.js';
import { address4, prefix } from '../../../support/addresses.js';
import { configuration, manifest, node, parse, peer, pool, resources } from '../../../support/manifests.js';

const NODE = node('a', '192.168.1.11/24');
const tor = (spec: object) => peer('tor', { peerIP: '192.168.1.1', asNumber: 65001, ...spec });
const filter = (rule: object) => manifest('BGPFilter', 'edge', { importV4: [rule] });

/** The errors of one document that stands beside a node. */
function errorsOf(document: string): string {
  const result: ResourcesResult = parse(NODE, document);
  return 'errors' in result ? checkText(result.errors) : '';
}

describe('durations', () => {
  test.each([
    ['120s', 120],
    ['2m0s', 120],
    ['2m', 120],
    ['1h0m5s', 3605],
    ['0s', 0],
  ])('%s is %i seconds', (written, seconds) => {
    const [read] = resources(NODE, tor({ maxRestartTime: written })).peers;
    expect(read?.options.restartTimeSeconds).toBe(seconds);
  });

  test.each([
    ['maxRestartTime', '120', 'is no duration; write it like 120s or 2m0s'],
    ['maxRestartTime', '', 'is no duration'],
    ['maxRestartTime', '5s2m', 'is no duration'],
    ['maxRestartTime', '-5s', 'is no duration'],
    ['maxRestartTime', '4096s', 'is not between 0 and 4095 seconds'],
    ['holdTime', '2s', 'is not between 3 and 65535 seconds'],
    ['keepaliveTime', '0s', 'is not between 1 and 21845 seconds'],
  ])('%s: %j', (field, written, expected) => {
    expect(errorsOf(tor({ [field]: written }))).toContain(`spec.${field}: "${written}" ${expected}`);
  });
});

describe('communities', () => {
  test.each([
    ['65000:100', 65000 * 65536 + 100],
    ['0:0', 0],
    ['65535:65535', 0xffff_ffff],
    ['4294967295:0:7', { globalAdministrator: 4294967295, localData1: 0, localData2: 7 }],
  ])('%s', (written, expected) => {
    const [read] = resources(filter({ action: 'Accept', communities: { values: [written] } })).filters;
    expect(read?.importV4[0]?.community).toEqual(expected);
  });

  test.each(['65536:1', '1:65536', '1', '1:2:4294967296', '1:2:3:4', 'a:b', ':', '1:-2'])(
    '%s is none',
    (written) => {
      expect(errorsOf(filter({ action: 'Accept', communities: { values: [written] } }))).toContain(
        `spec.importV4[0].communities.values[0]: "${written}" is no community; write it like 65000:100`,
      );
    },
  );
});

describe('a filter', () => {
  test('an interface, in every list', () => {
    const rules = [{ action: 'Reject', interface: '*.calico-1_0' }];
    const spec = { importV4: rules, exportV4: rules, importV6: rules, exportV6: rules };
    const [read] = resources(manifest('BGPFilter', 'edge', spec)).filters;
    for (const list of [read?.importV4, read?.exportV4, read?.importV6, read?.exportV6]) {
      expect(list).toEqual([{ action: 'Reject', interface: '*.calico-1_0', operations: [] }]);
    }
  });

  test('every operation', () => {
    const operations = [
      { addCommunity: { value: '65000:1' } },
      { removeCommunity: { value: '65000:1:2' } },
      { prependASPath: { prefix: [65000, '1.10'] } },
      { setLocalPreference: { value: 200 } },
      { setMED: { value: 0 } },
    ];
    const [read] = resources(filter({ action: 'Accept', operations })).filters;
    expect(read?.importV4[0]?.operations).toEqual([
      { type: 'addCommunity', community: 65000 * 65536 + 1 },
      { type: 'removeCommunity', community: { globalAdministrator: 65000, localData1: 1, localData2: 2 } },
      { type: 'prependAsPath', asns: [65000, 65546] },
      { type: 'setLocalPref', value: 200 },
      { type: 'setMed', value: 0 },
    ]);
  });

  const add = { addCommunity: { value: '65000:1' } };
  test.each<[string, object, string]>([
    [
      'operations where it rejects',
      { action: 'Reject', operations: [add] },
      '.operations: stand in a rule that rejects',
    ],
    [
      'two operations in one entry',
      { action: 'Accept', operations: [{ ...add, setMED: { value: 1 } }] },
      '.operations[0]: must be one operation; write a list entry for each',
    ],
    ['an entry without an operation', { action: 'Accept', operations: [{}] }, '.operations[0]: must be one'],
    [
      'an operation without a value',
      { action: 'Accept', operations: [{ addCommunity: {} }] },
      '.operations[0].addCommunity.value: is missing; write it like value: "65000:100"',
    ],
    [
      'an empty list to prepend',
      { action: 'Accept', operations: [{ prependASPath: { prefix: [] } }] },
      '.operations[0].prependASPath.prefix: is empty',
    ],
    [
      'an operation by the name of another program',
      { action: 'Accept', operations: [{ setMed: { value: 1 } }] },
      '.operations[0].setMed: is an unknown field; did you mean "setMED"?',
    ],
    [
      'more operations than Calico allows',
      { action: 'Accept', operations: Array.from({ length: 11 }, () => add) },
      '.operations: are 11; write at most 10',
    ],
    [
      'two communities in one rule',
      { action: 'Accept', communities: { values: ['1:1', '1:2'] } },
      '.communities.values: holds 2 communities; write one, and a rule for each',
    ],
    ['no community', { action: 'Accept', communities: { values: [] } }, '.communities.values: holds 0'],
    [
      'an interface with a space',
      { action: 'Reject', interface: 'eth 0' },
      '.interface: "eth 0" is no name of an interface; write it like eth0 or eth*',
    ],
    [
      'an interface whose name is too long',
      { action: 'Reject', interface: 'a'.repeat(16) },
      '.interface: "aaaaaaaaaaaaaaaa" is no name of an interface',
    ],
    [
      'a priority',
      { action: 'Accept', priority: 512 },
      '.priority: is not supported: podroute writes every route',
    ],
    [
      'setPriority',
      { action: 'Accept', operations: [{ setPriority: { value: 512 } }] },
      '.operations[0].setPriority: is not supported',
    ],
    [
      'an AS path of words',
      { action: 'Accept', asPathPrefix: ['x'] },
      '.asPathPrefix[0]: "x" is no AS number',
    ],
  ])('%s', (_name, rule, expected) => {
    const errors = errorsOf(filter(rule));
    expect(errors).toContain(`BGPFilter/edge spec.importV4[0]${expected}`);
    expect(errors.split('\n')).toHaveLength(1);
  });
});

describe('a peer', () => {
  test('where its password is kept', () => {
    const sourceOf = (password: object) => resources(NODE, tor({ password })).peers[0]?.options.password;
    expect(sourceOf({ file: '/run/tor' })).toEqual({ type: 'file', path: '/run/tor' });
    expect(sourceOf({ env: 'TOR_PASSWORD' })).toEqual({ type: 'env', name: 'TOR_PASSWORD' });
    const secret = { type: 'secret', name: 'bgp.passwords', key: 'tor_1.key' };
    const { name, key } = secret;
    expect(sourceOf({ secretKeyRef: { name, key } })).toEqual(secret);
    expect(sourceOf({ secretKeyRef: { name, key, optional: true } })).toEqual(secret);
  });

  test.each<[string, object, string]>([
    ...[
      { name: '../tor', key: 'k' },
      { name: '..', key: 'k' },
      { name: 'a/b', key: 'k' },
      { name: 's', key: '../../shadow' },
      { name: 's', key: '..' },
      { name: 's', key: '.' },
      { name: 's', key: '..data' },
      { name: 's', key: 'a/b' },
      { name: 's', key: '' },
      { name: '', key: 'k' },
      { name: 's' },
      { key: 'k' },
      { name: 's', key: 'k', namespace: 'x' },
      { name: 's', key: 'k', optional: 'x' },
      'tor',
    ].map((secretKeyRef): [string, object, string] => [
      `a Secret ${JSON.stringify(secretKeyRef)}`,
      { password: { secretKeyRef } },
      'password: has a secretKeyRef that is no name and key of a Secret',
    ]),
    ['a relative file', { password: { file: 'tor' } }, 'password: has a file that is no absolute path'],
    [
      'no name of a variable',
      { password: { env: '1 x' } },
      'password: has an env that is no name of a variable',
    ],
    [
      'two places',
      { password: { env: 'A', file: '/a' } },
      'password: does not say where the password is kept',
    ],
    ['no place', { password: {} }, 'password: does not say where the password is kept'],
    ['a gateway that is none', { reachableBy: 'gw' }, 'reachableBy: "gw" is no address; write that of the'],
    ['a gateway with a port', { reachableBy: '192.168.1.254:179' }, 'reachableBy: "192.168.1.254:179" is no'],
    ['a gateway that is many', { reachableBy: '224.0.0.1' }, 'reachableBy: "224.0.0.1" is no address that a'],
    ['a gateway on some link', { reachableBy: 'fe80::1' }, 'reachableBy: "fe80::1" is link-local'],
    [
      'a gateway of the other family',
      { reachableBy: 'fd00::1' },
      'reachableBy: is of another address family than peerIP',
    ],
    ['a gateway that is the peer', { reachableBy: '192.168.1.1' }, 'reachableBy: is peerIP itself'],
    [
      'two words for the next hop',
      { nextHopMode: 'Keep', keepOriginalNextHop: true },
      'keepOriginalNextHop: stands beside nextHopMode',
    ],
    ['two hold times', { keepaliveTime: '10s', holdTime: '30s' }, 'keepaliveTime: stands beside holdTime'],
    ['no hops', { ttlSecurity: 0 }, 'ttlSecurity: 0 is not between 1 and 254'],
    ['too many hops', { ttlSecurity: 255 }, 'ttlSecurity: 255 is not between 1 and 254'],
    [
      'a limit without a number',
      { maxPrefixes: {} },
      'maxPrefixes.limit: is missing; write it like limit: 1000',
    ],
    ['a limit of nothing', { maxPrefixes: { limit: 0 } }, 'maxPrefixes.limit: 0 is not between 1'],
    [
      'a role that is none',
      { role: 'client' },
      'role: "client" is not one of Provider, RS, RSClient, Customer, Peer',
    ],
  ])('%s', (_name, spec, expected) => {
    const errors = errorsOf(tor(spec));
    expect(errors).toContain(`BGPPeer/tor spec.${expected}`);
    expect(errors.split('\n')).toHaveLength(1);
  });

  test('the default beyond a limit is that the session stays down', () => {
    const [read] = resources(NODE, tor({ maxPrefixes: { limit: 9 } })).peers;
    expect(read?.options.maxPrefixes).toEqual({ limit: 9, action: 'stop' });
  });

  test('behind a gateway', () => {
    const targetOf = (spec: object) => resources(NODE, tor(spec)).peers[0]?.target;
    const plain = { type: 'address', address: address4('192.168.1.1'), asNumber: 65001 };
    expect(targetOf({ reachableBy: '192.168.1.254' })).toEqual({
      ...plain,
      gateway: address4('192.168.1.254'),
    });
    expect(targetOf({ reachableBy: '' })).toEqual(plain);
    expect(errorsOf(peer('pair', { peerSelector: 'all()', reachableBy: '192.168.1.254' }))).toContain(
      'spec.reachableBy: stands without peerIP',
    );
  });

  test('keepOriginalNextHop: false beside nextHopMode, as Calico allows it', () => {
    const [read] = resources(NODE, tor({ keepOriginalNextHop: false, nextHopMode: 'Self' })).peers;
    expect(read?.nextHop).toBe('self');
  });

  test("an empty text is an absent field, as in Calico's API", () => {
    const written = peer('tor', {
      node: '',
      nodeSelector: '',
      peerSelector: '',
      peerIP: '192.168.1.1',
      asNumber: 65001,
    });
    expect(resources(NODE, written)).toEqual(resources(NODE, tor({})));
    const rule = { cidr: '', matchOperator: '', source: '', peerType: '', interface: '' };
    expect(resources(filter({ action: 'Accept', ...rule }))).toEqual(resources(filter({ action: 'Accept' })));
    expect(errorsOf(peer('tor', { peerIP: '', asNumber: 65001 }))).toContain('spec.peerIP: is missing');
    expect(errorsOf(tor({ password: '' }))).toContain('spec.password: holds the password itself');
  });

  test.each(['localASNumber', 'passive', 'role'])('%s among nodes of the cluster', (field) => {
    const value = { localASNumber: 65001, passive: true, role: 'Peer' }[field];
    expect(errorsOf(peer('pair', { peerSelector: 'all()', [field]: value }))).toContain(
      `spec.${field}: stands beside peerSelector`,
    );
  });

  test('peerRange instead of peerIP: any AS but our own, and 100 peers, where nothing else is said', () => {
    const targetOf = (spec: object) => resources(NODE, peer('leafs', spec)).peers[0]?.target;
    const range = prefix('192.168.1.128/25');
    expect(targetOf({ peerRange: '192.168.1.128/25' })).toEqual({ type: 'range', range, limit: 100 });
    expect(targetOf({ peerRange: '192.168.1.128/25', asNumber: 65001, maxPeers: 3 })).toEqual({
      type: 'range',
      range,
      limit: 3,
      asNumber: 65001,
    });
  });

  test.each<[string, object, string]>([
    [
      'beside peerIP',
      { peerRange: '10.0.0.0/8', peerIP: '10.0.0.1', asNumber: 1 },
      'peerIP: stands beside peerRange',
    ],
    [
      'beside peerSelector',
      { peerRange: '10.0.0.0/8', peerSelector: 'all()' },
      'peerRange: stands beside peerSelector',
    ],
    ['with passive', { peerRange: '10.0.0.0/8', passive: true }, 'passive: says nothing new'],
    [
      'absent, with maxPeers',
      { peerIP: '10.0.0.1', asNumber: 1, maxPeers: 3 },
      'maxPeers: stands without peerRange',
    ],
    ['for no peer', { peerRange: '10.0.0.0/8', maxPeers: 0 }, 'maxPeers: 0 is not between 1 and 10000'],
    ['for everybody', { peerRange: '0.0.0.0/0' }, 'peerRange: "0.0.0.0/0" is every address'],
    ['of IPv6 where the node has none', { peerRange: 'fd00::/64' }, 'peerRange: is IPv6, but Node/node-a'],
  ])('peerRange %s', (_name, spec, expected) => {
    const errors = errorsOf(peer('leafs', spec));
    expect(errors).toContain(`BGPPeer/leafs spec.${expected}`);
    expect(errors.split('\n')).toHaveLength(1);
  });

  test('the same peerRange twice on one node; one in another is fine', () => {
    const leafs = (name: string, peerRange: string) => peer(name, { peerRange });
    const check = (...ranges: readonly string[]) =>
      checkText(errorsIn(parse(NODE, ...ranges.map((range, index) => leafs(`leafs-${index}`, range)))));
    expect(check('10.0.0.0/8', '10.1.0.0/16')).toBe('');
    expect(check('10.0.0.0/8', '10.0.0.0/8')).toContain(
      'BGPPeer/leafs-1 spec.peerRange: 10.0.0.0/8 is the range of BGPPeer/leafs-0',
    );
  });

  test('a filter misspelt, and one named twice', () => {
    const errors = checkText(
      errorsIn(parse(NODE, filter({ action: 'Accept' }), tor({ filters: ['edge', 'egde', 'edge'] }))),
    );
    expect(errors).toContain('spec.filters[2]: "edge" stands there twice; keep one');
    const misspelt = checkText(
      errorsIn(parse(NODE, filter({ action: 'Accept' }), tor({ filters: ['egde'] }))),
    );
    expect(misspelt).toContain('"egde" is no BGPFilter of these resources; did you mean "edge"?');
  });
});

function errorsIn(result: ResourcesResult) {
  return 'errors' in result ? result.errors : [];
}

describe('the BGPConfiguration', () => {
  test('ranges of services are one list, in prefix order, each once', () => {
    const read = resources(
      NODE,
      configuration({
        serviceLoadBalancerIPs: [{ cidr: 'fd00:5::/112' }, { cidr: '203.0.113.0/24' }],
        serviceExternalIPs: [{ cidr: '203.0.113.0/24' }],
        serviceClusterIPs: [{ cidr: '10.96.0.0/12' }],
        serviceLoadBalancerAggregation: 'Enabled',
      }),
    );
    expect(read.configuration.advertisements).toEqual(
      ['10.96.0.0/12', '203.0.113.0/24', 'fd00:5::/112'].map(prefix),
    );
  });

  test('names of communities are replaced by their values', () => {
    const read = resources(
      NODE,
      configuration({
        communities: [{ name: 'pods', value: '65000:1' }],
        prefixAdvertisements: [{ cidr: '10.244.0.0/16', communities: ['pods', '65000:2'] }],
      }),
    );
    expect(read.configuration.prefixCommunities).toEqual([
      { cidr: prefix('10.244.0.0/16'), communities: [65000 * 65536 + 1, 65000 * 65536 + 2] },
    ]);
  });

  test.each<[string, object, string]>([
    [
      'a name that nothing has',
      {
        communities: [{ name: 'pods', value: '65000:1' }],
        prefixAdvertisements: [{ cidr: '10.244.0.0/16', communities: ['pod'] }],
      },
      'prefixAdvertisements[0].communities[0]: "pod" is no name in spec.communities; did you mean "pods"?',
    ],
    [
      'a name twice',
      { communities: ['1:1', '1:2'].map((value) => ({ name: 'pods', value })) },
      'communities[1].name: "pods" is the name of another community too',
    ],
    [
      'a community that is none',
      { communities: [{ name: 'pods', value: '1' }] },
      'communities[0].value: "1" is no community',
    ],
    [
      'host bits in a range',
      { serviceClusterIPs: [{ cidr: '10.96.0.1/12' }] },
      'serviceClusterIPs[0].cidr: "10.96.0.1/12" has bits set beyond its length; write 10.96.0.0/12',
    ],
    [
      'single addresses',
      { serviceLoadBalancerAggregation: 'Disabled' },
      'serviceLoadBalancerAggregation: is not supported: podroute announces whole ranges',
    ],
    [
      'a password of a mesh that is off',
      { nodeToNodeMeshEnabled: false, nodeMeshPassword: { env: 'MESH' } },
      'nodeMeshPassword: is for the mesh, but nodeToNodeMeshEnabled is false',
    ],
  ])('%s', (_name, spec, expected) => {
    const errors = errorsOf(configuration(spec));
    expect(errors).toContain(`BGPConfiguration/default spec.${expected}`);
    expect(errors.split('\n')).toHaveLength(1);
  });

  test('ignoredInterfaces of an exported manifest is a warning', () => {
    const result = parse(NODE, configuration({ ignoredInterfaces: ['kube-ipvs0'] }));
    expect('warnings' in result && checkText(result.warnings)).toContain(
      'spec.ignoredInterfaces: has no effect',
    );
  });
});

describe('a route reflector', () => {
  const reflector = node('r', '192.168.1.21/24', [], { routeReflectorClusterID: '244.0.0.1' });
  const warnings = (...documents: readonly string[]) => {
    const result = parse(pool(), NODE, reflector, ...documents);
    return 'warnings' in result ? checkText(result.warnings) : checkText(result.errors);
  };

  test('its cluster id', () => {
    expect(resources(reflector).nodes[0]?.routeReflectorClusterId).toBe(address4('244.0.0.1'));
    expect(errorsOf(node('r', '192.168.1.21/24', [], { routeReflectorClusterID: '0.0.0.0' }))).toContain(
      'spec.bgp.routeReflectorClusterID: "0.0.0.0" is no cluster id; write it like 244.0.0.1',
    );
  });

  test('that no BGPPeer selects is a warning', () => {
    expect(warnings()).toContain('takes this node out of the mesh, and no BGPPeer selects it');
    expect(warnings(peer('all', { nodeSelector: "rack == 'a'", peerSelector: "rack == 'r'" }))).toBe('');
    expect(warnings(peer('back', { nodeSelector: "rack == 'r'", peerSelector: 'all()' }))).toBe('');
  });
});
