/** Manifests of cluster resources: what is read, and that every error names file, line, path and remedy. */
import { describe, expect, test } from 'vitest';
import { checkText, parseResources, type ResourcesResult } from '../../../../agent/resources/index.js';
import { parseIpv4, parseIpv6, parsePrefix } from '../../../../bgp/net/index.js';
import {
  CLUSTER,
  configuration,
  manifest,
  node,
  parse,
  peer,
  pool,
  resources,
} from '../../../support/manifests.js';

/** All errors as text, one per line; empty where there is none. */
function errorsOf(result: ResourcesResult): string {
  return 'errors' in result ? checkText(result.errors) : '';
}

function warningsOf(result: ResourcesResult): string {
  return 'warnings' in result ? checkText(result.warnings) : `wrong: ${errorsOf(result)}`;
}

const yaml = (text: string) => parseResources([{ path: 'cluster.yaml', text }]);

const DEFAULT_CONFIGURATION = {
  asNumber: 64512,
  nodeToNodeMeshEnabled: true,
  listenPort: 179,
  bindMode: 'None',
  advertisements: [],
  prefixCommunities: [],
  mesh: {},
};

describe('what is read', () => {
  test('the example of the documentation', () => {
    const result = yaml(`
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: pods}
spec: {cidr: 10.244.0.0/16, ipipMode: CrossSubnet, blockSize: 24}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: node-a, labels: {rack: a}}
spec:
  bgp: {ipv4Address: 192.168.1.11/24, asNumber: 64512}
  podCIDRs: [10.244.1.0/24]
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: {name: tor}
spec: {nodeSelector: "rack == 'a'", peerIP: 192.168.1.1, asNumber: 65001}
`);
    expect(result).toEqual({
      warnings: [],
      leftOut: [],
      resources: {
        blocks: [],
        nodes: [
          {
            name: 'node-a',
            anycastCIDRs: [],
            labels: new Map([['rack', 'a']]),
            ipv4: { address: parseIpv4('192.168.1.11'), lengthBits: 24 },
            asNumber: 64512,
            podCIDRs: [parsePrefix('10.244.1.0/24')],
          },
        ],
        pools: [
          {
            name: 'pods',
            cidr: parsePrefix('10.244.0.0/16'),
            ipipMode: 'CrossSubnet',
            blockSize: 24,
            disabled: false,
            disableBGPExport: false,
            natOutgoing: false,
            nodeSelector: { type: 'all' },
          },
        ],
        configuration: DEFAULT_CONFIGURATION,
        peers: [
          {
            name: 'tor',
            nodes: { selector: { type: 'compare', key: 'rack', operator: '==', value: 'a' } },
            target: { type: 'address', address: parseIpv4('192.168.1.1'), asNumber: 65001 },
            sourceAddress: 'UseNodeIP',
            nextHop: 'auto',
            filters: [],
            options: {},
          },
        ],
        filters: [],
      },
    });
  });

  test('defaults are those of Calico', () => {
    const read = resources(
      manifest('IPPool', 'pods', { cidr: '10.244.0.0/16' }),
      pool('six', 'fd00::/64', { ipipMode: 'Never', blockSize: undefined }),
    );
    expect(read.pools).toMatchObject([
      { name: 'pods', ipipMode: 'Never', blockSize: 26 },
      { name: 'six', blockSize: 122 },
    ]);
    expect(read.configuration).toEqual(DEFAULT_CONFIGURATION);
    expect(resources(pool(), configuration({})).configuration).toEqual(DEFAULT_CONFIGURATION);
  });

  test('a manifest as exported from a Calico cluster, bookkeeping and lists included', () => {
    const result = yaml(`
apiVersion: projectcalico.org/v3
kind: NodeList
metadata: {resourceVersion: "1234"}
items:
- apiVersion: projectcalico.org/v3
  kind: Node
  metadata:
    annotations: {projectcalico.org/kube-labels: '{"a":"b"}'}
    creationTimestamp: null
    generation: 4
    labels: {kubernetes.io/hostname: node-a}
    managedFields: [{manager: calico}]
    name: node-a
    resourceVersion: "1234"
    uid: 6f54fb93-d5a5-4a40-93a6-5cfa7f42b3d1
  spec:
    addresses: [{address: 192.168.1.11/24, type: CalicoNodeIP}]
    bgp: {ipv4Address: 192.168.1.11/24}
    orchRefs: [{nodeName: node-a, orchestrator: k8s}]
  status: {podCIDRs: [10.244.0.0/24]}
---
apiVersion: v1
kind: List
items:
- apiVersion: projectcalico.org/v3
  kind: IPPool
  metadata: {name: default-ipv4-ippool}
  spec:
    allowedUses: [Workload, Tunnel]
    assignmentMode: Automatic
    blockSize: 26
    cidr: 10.244.0.0/16
    ipipMode: Always
    natOutgoing: true
    nodeSelector: all()
    vxlanMode: Never
- apiVersion: projectcalico.org/v3
  kind: BGPConfiguration
  metadata: {name: default}
  spec: {asNumber: "64500", listenPort: 1790, nodeToNodeMeshEnabled: false, serviceClusterIPs: []}
`);
    expect(warningsOf(result)).toBe('');
    expect('resources' in result && result.resources).toMatchObject({
      nodes: [{ name: 'node-a' }],
      pools: [{ name: 'default-ipv4-ippool', ipipMode: 'Always' }],
      configuration: { asNumber: 64500, listenPort: 1790, nodeToNodeMeshEnabled: false },
    });
  });

  test('JSON, with tabs, is read like YAML', () => {
    const text = JSON.stringify(JSON.parse(node('a', '192.168.1.11/24')), null, '\t');
    expect(yaml(text)).toMatchObject({ resources: { nodes: [{ name: 'node-a' }] } });
  });

  test('empty documents and comments say nothing', () => {
    expect(yaml(`# nodes\n---\n---\n${node('a', '192.168.1.11/24')}\n---\n# end\n`)).toMatchObject({
      resources: { nodes: [{ name: 'node-a' }] },
    });
  });

  test('several files are one set, in the order of names', () => {
    const files = ['b', 'a'].map((letter, index) => ({
      path: `${letter}.yaml`,
      text: node(letter, `192.168.1.${11 + index}/24`),
    }));
    expect(parseResources(files)).toMatchObject({
      resources: { nodes: [{ name: 'node-a' }, { name: 'node-b' }] },
    });
  });

  test('YAML anchors and aliases mean what they say', () => {
    const result = yaml(`
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: &name node-a, labels: {host: *name}}
spec: {bgp: {ipv4Address: 192.168.1.11/24}}
`);
    expect('resources' in result && result.resources.nodes[0]?.labels).toEqual(new Map([['host', 'node-a']]));
  });

  test('a list of rules may stand in two places by an alias', () => {
    const result = yaml(`
apiVersion: projectcalico.org/v3
kind: BGPFilter
metadata: {name: both}
spec:
  importV4: &rules [{action: Accept, cidr: 10.0.0.0/8, matchOperator: In}]
  exportV4: *rules
`);
    const filter = 'resources' in result ? result.resources.filters[0] : undefined;
    expect(filter?.importV4).toMatchObject([{ match: { cidr: parsePrefix('10.0.0.0/8') } }]);
    expect(filter?.exportV4).toEqual(filter?.importV4);
  });

  test.each([
    [64512, 64512],
    ['64512', 64512],
    ['1.10', 65546],
    [4_200_000_000, 4_200_000_000],
  ])('AS number %j is %i', (written, expected) => {
    expect(resources(configuration({ asNumber: written })).configuration.asNumber).toBe(expected);
  });

  test.each([
    ['192.168.1.1', { address: parseIpv4('192.168.1.1') }],
    ['192.168.1.1:1790', { address: parseIpv4('192.168.1.1'), port: 1790 }],
    ['2001:db8::1', { address: parseIpv6('2001:db8::1') }],
    ['[2001:db8::1]:1790', { address: parseIpv6('2001:db8::1'), port: 1790 }],
    ['fe80::1%eth0', { address: parseIpv6('fe80::1'), zone: 'eth0' }],
    ['[fe80::1%eth0.100]:1790', { address: parseIpv6('fe80::1'), zone: 'eth0.100', port: 1790 }],
  ])('peerIP %s', (peerIP, expected) => {
    const [read] = resources(peer('tor', { peerIP, asNumber: 65001 })).peers;
    expect(read?.target).toEqual({ type: 'address', asNumber: 65001, ...expected });
  });

  test('the rules of a filter', () => {
    const rules = [
      {
        action: 'Accept',
        cidr: '10.0.0.0/8',
        matchOperator: 'In',
        prefixLength: { max: 24 },
        peerType: 'eBGP',
      },
      { action: 'Reject', source: 'RemotePeers' },
    ];
    const { filters } = resources(manifest('BGPFilter', 'narrow', { importV4: rules }));
    expect(filters).toEqual([
      {
        name: 'narrow',
        importV4: [
          {
            action: 'Accept',
            match: { cidr: parsePrefix('10.0.0.0/8'), operator: 'In', lengthBits: { min: 8, max: 24 } },
            peerType: 'ebgp',
            operations: [],
          },
          { action: 'Reject', source: 'RemotePeers', operations: [] },
        ],
        exportV4: [],
        importV6: [],
        exportV6: [],
      },
    ]);
  });
});

describe('every error at once, with file, line, path and remedy', () => {
  test('the errors of two files, in their order', () => {
    const result = parseResources([
      {
        path: 'nodes.yaml',
        text: `apiVersion: projectcalico.org/v3
kind: Node
metadata:
  name: node-b
spec:
  bgp:
    ipv4Address: 192.168.1.1111/24
    ipv4Adress: 192.168.1.12/24
  podCIDRs:
    - 10.244.2.0/24
    - 10.244.300.0/24
`,
      },
      {
        path: 'pools.yaml',
        text: `apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: pods}
spec:
  ipipMode: crosssubnet
  vxlanMode: Always
`,
      },
    ]);
    expect(errorsOf(result).split('\n')).toEqual([
      'nodes.yaml:7: Node/node-b spec.bgp.ipv4Address: "192.168.1.1111/24" is no IPv4 address with a prefix length; write it like 192.168.1.11/24',
      'nodes.yaml:8: Node/node-b spec.bgp.ipv4Adress: is an unknown field; did you mean "ipv4Address"?',
      'nodes.yaml:11: Node/node-b spec.podCIDRs[1]: "10.244.300.0/24" is no prefix; write it like 10.244.0.0/16',
      'pools.yaml:4: IPPool/pods spec.cidr: is missing; write it like cidr: 10.244.0.0/16',
      'pools.yaml:5: IPPool/pods spec.ipipMode: "crosssubnet" is not one of Always, CrossSubnet, Never; did you mean "CrossSubnet"?',
      'pools.yaml:6: IPPool/pods spec.vxlanMode: is not supported: podroute tunnels by IPIP alone; write vxlanMode: Never, and ipipMode: Always or CrossSubnet',
    ]);
  });

  test('more errors than the validator gathers by default', () => {
    const podCIDRs = Array.from({ length: 50 }, (_, index) => `10.244.${index}.1/24`);
    expect(errorsOf(parse(node('a', '192.168.1.11/24', podCIDRs))).split('\n')).toHaveLength(50);
  });

  test('the items of a list have their own lines and names', () => {
    const text = `apiVersion: v1
kind: List
items:
- {apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: node-a}}
- apiVersion: projectcalico.org/v3
  kind: Node
  metadata:
    name: node-b
  spec: {podCIDRs: 7}
`;
    expect(errorsOf(yaml(text))).toBe('cluster.yaml:9: Node/node-b spec.podCIDRs: 7 is no list');
  });

  const wrong: readonly (readonly [name: string, document: string, expected: string])[] = [
    [
      'a kind misspelt',
      manifest('BGPPear', 'x', {}),
      '"BGPPear" is no kind that podroute reads (Node, IPPool, BGPConfiguration, BGPPeer, BGPFilter, BlockAffinity); did you mean "BGPPeer"?',
    ],
    [
      'a kind of Calico that is not ours',
      manifest('FelixConfiguration', 'default', {}),
      'take the document out',
    ],
    ['no kind', '{"apiVersion": "projectcalico.org/v3"}', 'kind: is missing'],
    [
      'another apiVersion',
      '{"apiVersion": "crd.projectcalico.org/v1", "kind": "Node", "metadata": {"name": "a"}}',
      'write apiVersion: projectcalico.org/v3',
    ],
    [
      'no name',
      '{"apiVersion": "projectcalico.org/v3", "kind": "Node"}',
      'metadata: is missing; write it like metadata: {name: node-a}',
    ],
    ['a name with a blank', manifest('Node', 'node a', {}), 'metadata.name: "node a" is no name'],
    [
      'a number for a label',
      manifest('Node', 'a', {}, { labels: { rack: 1 } }),
      'metadata.labels.rack: 1 is no text; put it in quotes: "1"',
    ],
    [
      'a value left out',
      'apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: p}\nspec:\n',
      'spec: is empty; give it a value or take the line out',
    ],
    ['an address without a length', node('a', '192.168.1.11'), 'no IPv4 address with a prefix length'],
    ['the address of the network', node('a', '192.168.1.0/24'), 'the address of the network itself'],
    ['the broadcast address', node('a', '192.168.1.255/24'), 'the broadcast address'],
    ['a multicast address', node('a', '224.0.0.1/24'), 'no address that a host can have'],
    ['an IPv6 address for IPv4', node('a', '2001:db8::1/64'), 'no IPv4 address'],
    [
      'a link-local IPv6 address',
      node('a', '192.168.1.11/24', [], { ipv6Address: 'fe80::1/64' }),
      'link-local',
    ],
    [
      'host bits in a prefix',
      pool('p', '10.244.0.1/16'),
      'has bits set beyond its length; write 10.244.0.0/16',
    ],
    ['everything as a pool', pool('p', '0.0.0.0/0'), 'is every address'],
    ['a multicast pool', pool('p', '224.0.0.0/8'), 'no addresses that hosts can have'],
    [
      'blocks larger than the pool',
      pool('p', '10.244.0.0/25'),
      'blocks of /24 do not fit into a pool of /25',
    ],
    [
      'a block size of the other family',
      pool('p', '10.244.0.0/16', { blockSize: 122 }),
      '122 is not between 20 and 32',
    ],
    [
      'a block size out of range',
      pool('p', '10.244.0.0/16', { blockSize: 8 }),
      '8 is not between 20 and 128',
    ],
    ['IPIP for IPv6', pool('p', 'fd00::/64', { blockSize: 122 }), 'IPIP carries IPv4 alone; write Never'],
    ['AS 0', configuration({ asNumber: 0 }), 'AS 0 is reserved'],
    ['AS_TRANS', configuration({ asNumber: 23456 }), 'AS 23456 is reserved'],
    ['the last AS of 16 bits', configuration({ asNumber: 65535 }), 'AS 65535 is reserved'],
    ['an AS number too large', configuration({ asNumber: 4294967296 }), 'is no AS number'],
    ['asdot without quotes', configuration({ asNumber: 1.1 }), 'asdot such as "1.10" needs quotes'],
    ['asdot out of range', configuration({ asNumber: '65536.1' }), 'is no AS number'],
    ['a port out of range', configuration({ listenPort: 70000 }), '70000 is not between 1 and 65535'],
    [
      'a configuration of one node',
      manifest('BGPConfiguration', 'node.node-a', {}),
      'move them to the one named default',
    ],
    ['a peer without address', peer('tor', {}), 'spec.peerIP: is missing'],
    ['a peer without AS number', peer('tor', { peerIP: '192.168.1.1' }), 'spec.asNumber: is missing'],
    [
      'a peer with two local sides',
      peer('tor', { node: 'a', nodeSelector: 'all()', peerIP: '192.168.1.1', asNumber: 1 }),
      'spec.nodeSelector: stands beside node',
    ],
    [
      'a peer with two remote sides',
      peer('tor', { peerSelector: 'all()', peerIP: '192.168.1.1' }),
      'spec.peerIP: stands beside peerSelector',
    ],
    [
      'a wrong selector',
      peer('tor', { nodeSelector: "rack = 'a'", peerIP: '192.168.1.1', asNumber: 1 }),
      'is no selector: column 6',
    ],
    [
      'a peer address with a wrong port',
      peer('tor', { peerIP: '192.168.1.1:99999', asNumber: 1 }),
      'a port that is not between 1 and 65535',
    ],
    [
      'a link-local peer without its device',
      peer('tor', { peerIP: 'fe80::1', asNumber: 1 }),
      'is link-local; write its device behind it, like fe80::1%eth0',
    ],
    [
      'a device behind an address of no link',
      peer('tor', { peerIP: '2001:db8::1%eth0', asNumber: 1 }),
      'names a device, which only a link-local address needs',
    ],
    [
      'a device that cannot be',
      peer('tor', { peerIP: 'fe80::1%../eth0', asNumber: 1 }),
      'names no device of 1 to 15 letters',
    ],
    [
      'a peer by name',
      peer('tor', { peerIP: 'tor.example', asNumber: 1 }),
      'is no address; write it like 192.168.1.1',
    ],
    ['WireGuard', manifest('Node', 'a', { wireguard: {} }), 'spec.wireguard: is not supported'],
    [
      'VXLAN on a node',
      manifest('Node', 'a', { ipv4VXLANTunnelAddr: '10.0.0.1' }),
      'spec.ipv4VXLANTunnelAddr: is not supported',
    ],
    [
      'a filter that does not exist',
      peer('tor', { peerIP: '192.168.1.1', asNumber: 1, filters: ['f'] }),
      'spec.filters[0]: "f" is no BGPFilter of these resources; there is none',
    ],
    [
      'a filter rule for nothing',
      manifest('BGPFilter', 'f', { importV4: [{ action: 'Accept', cidr: '10.0.0.0/8' }] }),
      'spec.importV4[0].cidr: stands without matchOperator',
    ],
    [
      'a filter rule of the other family',
      manifest('BGPFilter', 'f', {
        importV6: [{ action: 'Accept', cidr: '10.0.0.0/8', matchOperator: 'In' }],
      }),
      'is no IPv6 prefix',
    ],
    [
      'lengths that contradict',
      manifest('BGPFilter', 'f', {
        importV4: [
          { action: 'Accept', cidr: '10.0.0.0/8', matchOperator: 'In', prefixLength: { min: 25, max: 24 } },
        ],
      }),
      'matches nothing',
    ],
    [
      'a block without a next hop',
      node('a', '192.168.1.11/24', ['fd00::/120']),
      'no IPv6 address to be its next hop; add spec.bgp.ipv6Address',
    ],
    ['text that is no YAML', 'kind: "Node', 'is no valid YAML or JSON'],
    ['a key twice', 'kind: Node\nkind: Node', 'is no valid YAML or JSON: map keys must be unique'],
    ['an unknown alias', 'kind: *node', 'is no valid YAML or JSON: unresolved alias'],
    [
      'an alias of itself',
      'kind: Node\nspec: &spec\n  podCIDRs: [*spec]',
      'cluster.yaml:3: contains itself by an alias',
    ],
    [
      'aliases that explode',
      `a: &a [x]\n${'bcdefghi'.replace(/./g, (letter, at) => `${letter}: &${letter} [${`*${'abcdefgh'[at]},`.repeat(9)}]\n`)}`,
      'excessive alias count',
    ],
    ['__proto__ by an alias', 'kind: &p __proto__\nspec: {*p : x}', 'has the key __proto__'],
    ['an unknown tag', 'kind: !node a', 'is no valid YAML or JSON: unresolved tag'],
    ['a list as a document', '[1, 2]', 'is no mapping'],
    ['nothing at all', '# nothing\n', 'holds no resource'],
  ];
  test.each(wrong)('%s', (_name, document, expected) => {
    const errors = errorsOf(parse(document));
    expect(errors).toContain(expected);
    expect(errors).toMatch(/^cluster\.yaml(:\d+)?: /);
    expect(errors.split('\n')).toHaveLength(1);
  });

  test('no file at all holds no resource either', () => {
    expect(parseResources([])).toHaveProperty('errors');
  });
});

describe('secrets', () => {
  const secret = 'hunter2-hunter2';
  test.each([
    ['written inline', secret],
    ['written inline as a mapping', { value: secret }],
    ['written as a number of a mapping', { file: '/etc/secret', password: secret }],
  ])('a password %s is an error that does not print it', (_name, password) => {
    const errors = errorsOf(parse(peer('tor', { peerIP: '192.168.1.1', asNumber: 1, password })));
    expect(errors).toContain('spec.password');
    expect(errors).not.toContain(secret);
  });

  test('an inline password is told to be one', () => {
    expect(errorsOf(parse(configuration({ nodeMeshPassword: secret })))).toContain(
      'holds the password itself',
    );
  });
});

describe('keys that are names of JavaScript', () => {
  test('__proto__ is refused wherever it stands, and changes nothing', () => {
    const errors = errorsOf(
      yaml(`apiVersion: projectcalico.org/v3
kind: Node
metadata:
  name: node-a
  labels:
    __proto__: x
spec:
  __proto__: {podCIDRs: [10.0.0.0/8]}
`),
    );
    expect(errors.split('\n')).toEqual([
      'cluster.yaml:6: has the key __proto__, which no resource has; take it out',
      'cluster.yaml:8: has the key __proto__, which no resource has; take it out',
    ]);
    expect(({} as Record<string, unknown>)['podCIDRs']).toBeUndefined();
  });

  test.each(['constructor', 'prototype', 'toString', 'hasOwnProperty'])(
    '%s is an unknown field and a fine label',
    (key) => {
      expect(errorsOf(parse(manifest('Node', 'a', { [key]: {} })))).toContain(
        `spec.${key}: is an unknown field`,
      );
      const [read] = resources(manifest('Node', 'a', {}, { labels: { [key]: 'x' } })).nodes;
      expect(read?.labels).toEqual(new Map([[key, 'x']]));
    },
  );

  test.each(['__proto__', 'constructor'])('%s is no kind', (kind) => {
    expect(errorsOf(parse(manifest(kind, 'a', {})))).toContain('is no kind that podroute reads');
  });
});

describe('what is accepted without effect is a warning', () => {
  test.each([
    [
      'a log level of Calico',
      configuration({ logSeverityScreen: 'Info' }),
      'spec.logSeverityScreen: has no effect',
    ],
    [
      'a claim in no pool',
      manifest('BlockAffinity', '10-9-0-0-24', { cidr: '10.9.0.0/24', node: 'node-a' }),
      'spec.cidr: 10.9.0.0/24 lies in no IPPool, so that no other node imports it; release it, or change the pool',
    ],
    [
      'a selector that matches nobody',
      peer('tor', { nodeSelector: 'has(x)', peerIP: '192.168.1.1', asNumber: 1 }),
      'spec.nodeSelector: matches no node',
    ],
  ])('%s', (_name, document, expected) => {
    expect(warningsOf(parse(document))).toContain(expected);
  });

  test('a block in a disabled pool', () => {
    const result = parse(
      pool('pods', '10.244.0.0/16', { disabled: true }),
      node('a', '192.168.1.11/24', ['10.244.1.0/24']),
    );
    expect(warningsOf(result)).toBe(
      'cluster.yaml:3: Node/node-a spec.podCIDRs[0]: 10.244.1.0/24 lies in the disabled IPPool/pods (cluster.yaml:1): no other node imports it',
    );
  });

  test('the cluster of the other tests has none', () => {
    expect(warningsOf(parse(...CLUSTER))).toBe('');
  });
});
