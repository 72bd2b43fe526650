/**
 * The schemas of the resource kinds: every field that may be written, with its meaning.
 *
 * Owns: which fields exist, which of them this agent honours, and the defaults. Must not know: files, other resources.
 * Source: the API of Calico, projectcalico.org/v3. `Ours` marks additions.
 */
import { Type } from 'typebox';
import {
  descriptive,
  integer,
  mapping,
  notYet,
  oneOf,
  password,
  refused,
  scalar,
  text,
  withoutEffect,
} from '../schema/index.js';
import {
  readAsNumber,
  readFilterPrefix,
  readInterfaceIpv4,
  readInterfaceIpv6,
  readName,
  readPeerAddress,
  readPrefix,
  readSelector,
} from './readers.js';
import type { Labels } from './selector.js';

const NO_VXLAN =
  'is not supported: podroute tunnels by IPIP alone; take it out and set spec.ipipMode of the IPPool';
const NO_WIREGUARD = 'is not supported: podroute does not encrypt; take it out';
const NO_SERVICES = 'is not supported yet: podroute does not announce Kubernetes services; take it out';
const SINCE_V1 = 'is a field of the old v1 API; take it out and write ';

const labels = Type.Decode(
  Type.Record(Type.String(), Type.String(), {
    description: 'What selectors select by; text values.',
    // The pattern behind Record does not match a line feed.
    additionalProperties: false,
  }),
  (record): Labels => new Map(Object.entries(record)),
);

/** `metadata` as exported from a cluster: only the name and the labels matter, the rest is bookkeeping of Kubernetes. */
export const metadataSchema = mapping(
  {
    name: text(readName, { description: 'The name, unique in its kind.', example: 'name: node-a' }),
    labels: Type.Optional(labels),
    annotations: descriptive('Notes of other programs.'),
    creationTimestamp: descriptive('Bookkeeping of Kubernetes.'),
    deletionGracePeriodSeconds: descriptive('Bookkeeping of Kubernetes.'),
    deletionTimestamp: descriptive('Bookkeeping of Kubernetes.'),
    finalizers: descriptive('Bookkeeping of Kubernetes.'),
    generateName: descriptive('Bookkeeping of Kubernetes.'),
    generation: descriptive('Bookkeeping of Kubernetes.'),
    managedFields: descriptive('Bookkeeping of Kubernetes.'),
    namespace: descriptive('Bookkeeping of Kubernetes.'),
    ownerReferences: descriptive('Bookkeeping of Kubernetes.'),
    resourceVersion: descriptive('Bookkeeping of Kubernetes.'),
    selfLink: descriptive('Bookkeeping of Kubernetes.'),
    uid: descriptive('Bookkeeping of Kubernetes.'),
  },
  { description: 'Name and labels of the resource.', example: 'metadata: {name: node-a}' },
);

/** One machine of the cluster. */
export const nodeSpec = mapping(
  {
    bgp: Type.Optional(
      mapping(
        {
          ipv4Address: Type.Optional(
            text(readInterfaceIpv4, {
              description:
                "The node's address with the prefix length of its network; the end of its BGP sessions and tunnels.",
            }),
          ),
          ipv6Address: Type.Optional(
            text(readInterfaceIpv6, {
              description: "The node's IPv6 address with its prefix length; the next hop of its IPv6 blocks.",
            }),
          ),
          asNumber: Type.Optional(
            scalar(readAsNumber, {
              description: 'AS number of this node; by default that of the BGPConfiguration.',
            }),
          ),
          ipv4IPIPTunnelAddr: withoutEffect(
            'has no effect: the tunnel address of podroute is the network address of the first block of the node',
            "Calico's tunnel address.",
          ),
          routeReflectorClusterID: notYet('Makes this node a route reflector of that cluster (RFC 4456)'),
        },
        { description: 'BGP on this node; without it the node takes no part.' },
      ),
    ),
    podCIDRs: Type.Array(text(readPrefix, { description: 'A pod subnet.' }), {
      description: 'Ours: the pod subnets of this node, each inside an IPPool; the node announces them.',
      default: [],
    }),
    addresses: descriptive('Addresses for clients.'),
    interfaces: descriptive('Interfaces of the node.'),
    orchRefs: descriptive('What the orchestrator calls this node.'),
    wireguard: refused(NO_WIREGUARD, 'WireGuard. Not supported.'),
    ipv4VXLANTunnelAddr: refused(NO_VXLAN, 'VXLAN. Not supported.'),
    ipv6VXLANTunnelAddr: refused(NO_VXLAN, 'VXLAN. Not supported.'),
    vxlanTunnelMACAddr: refused(NO_VXLAN, 'VXLAN. Not supported.'),
    vxlanTunnelMACAddrV6: refused(NO_VXLAN, 'VXLAN. Not supported.'),
  },
  { description: 'A machine of the cluster.', default: {} },
);

/** A range that pod subnets come from. */
export const ipPoolSpec = mapping(
  {
    cidr: text(readPrefix, { description: 'The range.', example: 'cidr: 10.244.0.0/16' }),
    ipipMode: oneOf(['Always', 'CrossSubnet', 'Never'], {
      description: 'Routes into the pool by the IPIP tunnel: always, only to another subnet, or never.',
      default: 'Never',
    }),
    blockSize: Type.Optional(
      integer(20, 128, {
        description:
          'Prefix length of the blocks that nodes claim: 20 to 32 (default 26), IPv6 116 to 128 (default 122).',
      }),
    ),
    disabled: Type.Boolean({
      description: 'Takes the pool out of use: no node imports routes of it.',
      default: false,
    }),
    disableBGPExport: Type.Boolean({
      description: 'Keeps routes of the pool inside the cluster: no router is told.',
      default: false,
    }),
    nodeSelector: text(readSelector, {
      description: 'The nodes that may own blocks of the pool.',
      default: 'all()',
    }),
    natOutgoing: refused(
      'is not supported yet: podroute does not masquerade; write natOutgoing: false and let the router do it',
      'Masquerades what leaves the pool. Not supported yet.',
      [false],
    ),
    vxlanMode: refused(
      'is not supported: podroute tunnels by IPIP alone; write vxlanMode: Never, and ipipMode: Always or CrossSubnet',
      'VXLAN. Not supported.',
      ['Never', ''],
    ),
    namespaceSelector: refused(
      'is not supported: podroute knows no namespaces; write namespaceSelector: all()',
      'Kubernetes namespaces. Not supported.',
      ['all()', ''],
    ),
    allowedUses: Type.Optional(
      Type.Array(
        Type.Refine(
          Type.String(),
          (use) => use === 'Workload' || use === 'Tunnel',
          () => 'is not supported: the pools of podroute are for Workload and Tunnel; take the others out',
        ),
        { description: 'Workload and Tunnel.' },
      ),
    ),
    assignmentMode: refused(
      'is not supported yet; write assignmentMode: Automatic',
      'Who may take addresses.',
      ['Automatic'],
    ),
    ipip: refused(`${SINCE_V1}ipipMode`, 'Field of the v1 API.'),
    'nat-outgoing': refused(`${SINCE_V1}natOutgoing`, 'Field of the v1 API.'),
  },
  { description: 'A range of pod addresses.', example: 'spec: {cidr: 10.244.0.0/16}' },
);

/** What all nodes share. */
export const bgpConfigurationSpec = mapping(
  {
    asNumber: scalar(readAsNumber, { description: 'AS number of the nodes that set none.', default: 64512 }),
    nodeToNodeMeshEnabled: Type.Boolean({
      description: 'Every node peers with every other.',
      default: true,
    }),
    listenPort: integer(1, 65535, { description: 'TCP port of BGP on every node.', default: 179 }),
    bindMode: oneOf(['None', 'NodeIP'], {
      description: "Listen on all addresses, or on the node's own alone.",
      default: 'None',
    }),
    logSeverityScreen: withoutEffect(
      'has no effect: the log level is a setting of each agent (--log-level)',
      "Calico's log level.",
    ),
    programClusterRoutes: withoutEffect(
      'has no effect: podroute programs the routes of the cluster itself',
      "Which of Calico's programs writes routes.",
    ),
    nodeMeshPassword: password('TCP MD5 password of the mesh'),
    nodeMeshMaxRestartTime: notYet('Graceful restart time of the mesh'),
    communities: notYet('Names of communities', ['[]']),
    prefixAdvertisements: notYet('Communities of announced prefixes', ['[]']),
    serviceClusterIPs: refused(NO_SERVICES, 'Kubernetes services. Not supported yet.', ['[]']),
    serviceExternalIPs: refused(NO_SERVICES, 'Kubernetes services. Not supported yet.', ['[]']),
    serviceLoadBalancerIPs: refused(NO_SERVICES, 'Kubernetes services. Not supported yet.', ['[]']),
    serviceLoadBalancerAggregation: refused(NO_SERVICES, 'Kubernetes services. Not supported yet.'),
    ignoredInterfaces: notYet('Interfaces whose routes are not announced', ['[]']),
    localWorkloadPeeringIPV4: notYet('Address for peerings with pods', ['']),
    localWorkloadPeeringIPV6: notYet('IPv6 address for peerings with pods', ['']),
  },
  { description: 'Settings of BGP that all nodes share.', default: {} },
);

/** A peering beyond the mesh. */
export const bgpPeerSpec = mapping(
  {
    node: Type.Optional(text(readName, { description: 'The one node that has this peer.' })),
    nodeSelector: Type.Optional(
      text(readSelector, { description: 'The nodes that have this peer; without it and without node: all.' }),
    ),
    peerIP: Type.Optional(
      text(readPeerAddress, { description: 'Address of the router, with a port if it is not 179.' }),
    ),
    asNumber: Type.Optional(scalar(readAsNumber, { description: 'AS number of the router.' })),
    peerSelector: Type.Optional(
      text(readSelector, {
        description: 'Nodes of the cluster to peer with, instead of peerIP and asNumber.',
      }),
    ),
    sourceAddress: oneOf(['UseNodeIP', 'None'], {
      description: "Connect from the node's address, or from the one that the kernel chooses.",
      default: 'UseNodeIP',
    }),
    reversePeering: refused(
      'is not supported yet; write reversePeering: Auto: the selected nodes peer back',
      'Whether nodes that peerSelector matches peer back.',
      ['Auto'],
    ),
    nextHopMode: notYet('The next hop of announced routes', ['Auto']),
    keepOriginalNextHop: notYet('Announces routes with the next hop unchanged', [false]),
    password: password('TCP MD5 password'),
    maxRestartTime: notYet('Graceful restart time'),
    keepaliveTime: notYet('Keepalive interval'),
    numAllowedLocalASNumbers: notYet('How often our own AS may be in a path', [0]),
    localASNumber: notYet('AS number that this peer sees'),
    ttlSecurity: notYet('GTSM (RFC 5082)'),
    filters: notYet('Names of BGPFilters', ['[]']),
    reachableBy: notYet('Gateway to the peer', ['']),
    localWorkloadSelector: notYet('Peerings with pods', ['']),
    maxPrefixes: notYet('Ours: how many prefixes the peer may announce'),
  },
  { description: 'A peering beyond the mesh.', example: 'spec: {peerIP: 192.168.1.1, asNumber: 65001}' },
);

const filterRule = (family: 'ipv4' | 'ipv6', maxLengthBits: number) =>
  mapping(
    {
      action: oneOf(['Accept', 'Reject'], {
        description: 'What happens to a route that matches.',
        example: 'action: Accept',
      }),
      cidr: Type.Optional(text(readFilterPrefix(family), { description: 'Compared by matchOperator.' })),
      matchOperator: Type.Optional(
        oneOf(['Equal', 'NotEqual', 'In', 'NotIn'], {
          description: 'Equal: that prefix itself. In: that prefix or inside it.',
        }),
      ),
      prefixLength: Type.Optional(
        mapping(
          {
            min: Type.Optional(integer(0, maxLengthBits, { description: 'Shortest prefix length.' })),
            max: Type.Optional(integer(0, maxLengthBits, { description: 'Longest prefix length.' })),
          },
          { description: 'Narrows cidr to routes of these prefix lengths.' },
        ),
      ),
      source: Type.Optional(oneOf(['RemotePeers'], { description: 'Only routes learned from peers.' })),
      peerType: Type.Optional(oneOf(['eBGP', 'iBGP'], { description: 'Only towards peers of that type.' })),
      interface: notYet('Outgoing interface'),
      communities: notYet('Communities that the route must have'),
      asPathPrefix: notYet('AS numbers that the path must begin with', ['[]']),
      priority: notYet('Priority that the route must have'),
      operations: notYet('Changes to the route', ['[]']),
    },
    { description: 'A rule; the first that matches decides.' },
  );

/** Rules for what comes in and goes out. */
export const bgpFilterSpec = mapping(
  {
    importV4: Type.Array(filterRule('ipv4', 32), { description: 'Routes from the peer.', default: [] }),
    exportV4: Type.Array(filterRule('ipv4', 32), { description: 'Routes to the peer.', default: [] }),
    importV6: Type.Array(filterRule('ipv6', 128), { description: 'IPv6 routes from the peer.', default: [] }),
    exportV6: Type.Array(filterRule('ipv6', 128), { description: 'IPv6 routes to the peer.', default: [] }),
  },
  { description: 'Rules for the routes of the peers that name it.', default: {} },
);
