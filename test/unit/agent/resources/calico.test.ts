/** Every field of Calico's BGPPeer, BGPFilter and BGPConfiguration, as `kubectl get -o yaml` writes them: what becomes of each. */
import { describe, expect, test } from 'vitest';
import { checkText, parseResources, type ResourcesResult } from '../../../../agent/resources/index.js';
import { address4, prefix } from '../../../support/addresses.js';

function read(text: string): ResourcesResult {
  return parseResources([{ path: 'export.yaml', text }]);
}

function resourcesOf(text: string) {
  const result = read(text);
  if ('errors' in result) throw new Error(checkText(result.errors));
  return result;
}

const NODE = `
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: node-a, labels: {rack: a}}
spec: {bgp: {ipv4Address: 192.168.1.11/24}}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: node-b, labels: {rack: b}}
spec: {bgp: {ipv4Address: 192.168.1.12/24}}
`;

const EDGE = `
---
apiVersion: projectcalico.org/v3
kind: BGPFilter
metadata:
  creationTimestamp: "2026-05-04T09:00:00Z"
  name: edge
  resourceVersion: "77"
spec:
  importV4:
  - {action: Accept, cidr: 10.0.0.0/8, matchOperator: In, prefixLength: {min: 16, max: 24}, peerType: eBGP}
  - {action: Reject, cidr: 10.0.0.0/8, matchOperator: NotEqual, source: RemotePeers}
  exportV4:
  - action: Accept
    asPathPrefix: [65001, "65002"]
    communities: {values: ["65000:1:2"]}
    interface: '*.calico'
    operations:
    - addCommunity: {value: "65000:1"}
    - prependASPath: {prefix: [65000, 65000]}
  importV6:
  - {action: Accept, cidr: 5000::0/64, matchOperator: Equal}
  exportV6:
  - {action: Reject, cidr: fd00::/8, matchOperator: NotIn, interface: eth0}
`;

describe('a BGPPeer', () => {
  test('of a router, with every field', () => {
    const { resources, warnings } = resourcesOf(`${NODE}${EDGE}
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata:
  annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}"}
  name: tor
spec:
  asNumber: 65001
  filters: [edge]
  keepOriginalNextHop: false
  keepaliveTime: 10s
  localASNumber: 65010
  maxRestartTime: 5m0s
  nextHopMode: Self
  nodeSelector: rack == 'a'
  numAllowedLocalASNumbers: 2
  password: {secretKeyRef: {key: tor, name: bgp-passwords, optional: false}}
  peerIP: 198.18.0.9:1790
  reachableBy: 192.168.1.254
  reversePeering: Auto
  sourceAddress: None
  ttlSecurity: 3
`);
    expect(warnings).toEqual([]);
    expect(resources.peers).toEqual([
      {
        name: 'tor',
        nodes: { selector: { type: 'compare', key: 'rack', operator: '==', value: 'a' } },
        target: {
          type: 'address',
          address: address4('198.18.0.9'),
          port: 1790,
          asNumber: 65001,
          gateway: address4('192.168.1.254'),
        },
        sourceAddress: 'None',
        localAsNumber: 65010,
        nextHop: 'self',
        filters: ['edge'],
        options: {
          password: { type: 'secret', name: 'bgp-passwords', key: 'tor' },
          restartTimeSeconds: 300,
          holdTimeSeconds: 30,
          ttlSecurityHops: 3,
          allowedOwnAs: 2,
        },
      },
    ]);
  });

  test('of nodes, with every field', () => {
    const { resources, warnings } = resourcesOf(`${NODE}
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: {name: pair}
spec: {node: node-a, peerSelector: "rack == 'b'", reversePeering: Manual, keepOriginalNextHop: true}
`);
    expect(warnings).toEqual([]);
    expect(resources.peers).toMatchObject([
      { nodes: { name: 'node-a' }, target: { type: 'nodes', peerBack: false }, nextHop: 'keep' },
    ]);
  });

  test('of a pod is refused by the name of the field', () => {
    const result = read(`${NODE}
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: {name: pod}
spec: {localWorkloadSelector: "app == 'bird'", peerIP: 10.0.0.1, asNumber: 65001}
`);
    expect('errors' in result && checkText(result.errors)).toContain(
      'BGPPeer/pod spec.localWorkloadSelector: is not supported yet; take it out',
    );
  });
});

test('a BGPFilter with every condition and operation', () => {
  const { resources, warnings } = resourcesOf(`${NODE}${EDGE}`);
  expect(warnings).toEqual([]);
  expect(resources.filters).toEqual([
    {
      name: 'edge',
      importV4: [
        {
          action: 'Accept',
          match: { cidr: prefix('10.0.0.0/8'), operator: 'In', lengthBits: { min: 16, max: 24 } },
          peerType: 'ebgp',
          operations: [],
        },
        {
          action: 'Reject',
          match: { cidr: prefix('10.0.0.0/8'), operator: 'NotEqual', lengthBits: { min: 8, max: 32 } },
          source: 'RemotePeers',
          operations: [],
        },
      ],
      exportV4: [
        {
          action: 'Accept',
          interface: '*.calico',
          community: { globalAdministrator: 65000, localData1: 1, localData2: 2 },
          asPathPrefix: [65001, 65002],
          operations: [
            { type: 'addCommunity', community: 65000 * 65536 + 1 },
            { type: 'prependAsPath', asns: [65000, 65000] },
          ],
        },
      ],
      importV6: [
        {
          action: 'Accept',
          match: { cidr: prefix('5000::/64'), operator: 'Equal', lengthBits: { min: 64, max: 128 } },
          operations: [],
        },
      ],
      exportV6: [
        {
          action: 'Reject',
          match: { cidr: prefix('fd00::/8'), operator: 'NotIn', lengthBits: { min: 8, max: 128 } },
          interface: 'eth0',
          operations: [],
        },
      ],
    },
  ]);
});

test('a BGPConfiguration with every field', () => {
  const { resources, warnings } = resourcesOf(`${NODE}
---
apiVersion: projectcalico.org/v3
kind: BGPConfiguration
metadata: {name: default}
spec:
  asNumber: 64513
  bindMode: NodeIP
  communities: [{name: backup, value: "65000:100"}]
  ignoredInterfaces: [kube-ipvs0]
  listenPort: 1790
  logSeverityScreen: Info
  nodeMeshMaxRestartTime: 2m0s
  nodeMeshPassword: {secretKeyRef: {key: mesh, name: bgp-passwords}}
  nodeToNodeMeshEnabled: true
  prefixAdvertisements: [{cidr: 10.244.0.0/16, communities: [backup, "65000:200"]}]
  programClusterRoutes: Disabled
  serviceClusterIPs: [{cidr: 10.96.0.0/12}]
  serviceExternalIPs: [{cidr: 203.0.113.0/24}]
  serviceLoadBalancerAggregation: Enabled
  serviceLoadBalancerIPs: [{cidr: 198.51.100.0/24}]
`);
  expect(resources.configuration).toEqual({
    asNumber: 64513,
    nodeToNodeMeshEnabled: true,
    listenPort: 1790,
    bindMode: 'NodeIP',
    advertisements: ['10.96.0.0/12', '198.51.100.0/24', '203.0.113.0/24'].map(prefix),
    prefixCommunities: [
      { cidr: prefix('10.244.0.0/16'), communities: [65000 * 65536 + 100, 65000 * 65536 + 200] },
    ],
    mesh: {
      password: { type: 'secret', name: 'bgp-passwords', key: 'mesh' },
      restartTimeSeconds: 120,
    },
  });
  // What belongs to other programs of Calico loads, and says that it changes nothing.
  expect(warnings.map(({ path }) => path)).toEqual([
    'BGPConfiguration/default spec.ignoredInterfaces',
    'BGPConfiguration/default spec.logSeverityScreen',
    'BGPConfiguration/default spec.programClusterRoutes',
  ]);
});
