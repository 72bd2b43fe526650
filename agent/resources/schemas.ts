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
  optionalText,
  refused,
  scalar,
  text,
  withoutEffect,
} from '../schema/index.js';
import {
  readAsNumber,
  readClusterId,
  readCommunity,
  readCommunityOrName,
  readGateway,
  readInterfaceIpv4,
  readInterfaceIpv6,
  readName,
  readPeerAddress,
  readPrefix,
  readSeconds,
  readSecretSource,
  readSelector,
} from './readers.js';
import type { Labels } from './selector.js';

const NO_VXLAN =
  'is not supported: podroute tunnels by IPIP alone; take it out and set spec.ipipMode of the IPPool';
const NO_WIREGUARD = 'is not supported: podroute does not encrypt; take it out';
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
          ipv4IPIPTunnelAddr: descriptive(
            'The address of the tunnel, written by the agent: the network address of the first block of the node.',
          ),
          routeReflectorClusterID: Type.Optional(
            text(readClusterId, {
              description:
                'Makes this node a route reflector of that cluster (RFC 4456); it leaves the mesh.',
            }),
          ),
        },
        { description: 'BGP on this node; without it the node takes no part.' },
      ),
    ),
    podCIDRs: Type.Array(text(readPrefix, { description: 'A pod subnet.' }), {
      description: 'Ours: the pod subnets of this node, each inside an IPPool; the node announces them.',
      default: [],
    }),
    anycastCIDRs: Type.Array(text(readPrefix, { description: 'A prefix that others may announce too.' }), {
      description:
        'Ours: prefixes that this node announces beside its pod subnets, in common with others: the traffic is shared.',
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

/** A pod subnet that a node has claimed. */
export const blockAffinitySpec = mapping(
  {
    cidr: text(readPrefix, { description: 'The pod subnet.', example: 'cidr: 10.244.1.0/24' }),
    node: text(readName, { description: 'The node that has it.', example: 'node: node-a' }),
    state: oneOf(['confirmed', 'pending', 'pendingDeletion'], {
      description: 'Only a confirmed one is announced; in the other states it is taken all the same.',
      default: 'confirmed',
    }),
    type: descriptive('What the block is of: a host.'),
    deleted: descriptive('Bookkeeping of Calico.'),
  },
  { description: 'A pod subnet of a node.' },
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
    natOutgoing: Type.Boolean({
      description:
        'Masquerades what pods of the pool send to addresses outside all pools that are no node addresses.',
      default: false,
    }),
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

/** How long a peer may keep our routes while we restart: 12 bits (RFC 4724 section 3). */
const MAX_RESTART_SECONDS = 4095;

const password = (whose: string) =>
  Type.Optional(
    scalar(readSecretSource, {
      description: `Where the TCP MD5 password ${whose} is kept: {file: PATH}, {env: NAME} or {secretKeyRef: {name, key}}.`,
    }),
  );

const services = (which: string) =>
  Type.Array(
    mapping(
      { cidr: text(readPrefix, { description: 'A range.', example: 'cidr: 10.96.0.0/12' }) },
      { description: 'A range of addresses.' },
    ),
    { description: `Ranges of ${which} of services; every node announces them.`, default: [] },
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
    nodeMeshPassword: password('of the mesh'),
    nodeMeshMaxRestartTime: Type.Optional(
      text(readSeconds(0, MAX_RESTART_SECONDS), {
        description: 'How long nodes of the mesh keep routes while an agent restarts.',
      }),
    ),
    communities: Type.Array(
      mapping(
        {
          name: text(readName, { description: 'The name.', example: 'name: backup' }),
          value: text(readCommunity, { description: 'The community.', example: 'value: "65000:100"' }),
        },
        { description: 'A community with a name.' },
      ),
      { description: 'Names of communities.', default: [] },
    ),
    prefixAdvertisements: Type.Array(
      mapping(
        {
          cidr: text(readPrefix, { description: 'The range.', example: 'cidr: 10.244.0.0/16' }),
          communities: Type.Array(
            text(readCommunityOrName, { description: 'A community, or the name of one.' }),
            { description: 'What the routes carry.', example: 'communities: ["65000:100"]' },
          ),
        },
        { description: 'Communities of the announced routes in a range.' },
      ),
      { description: 'Communities of what the nodes announce.', default: [] },
    ),
    serviceClusterIPs: services('cluster addresses'),
    serviceExternalIPs: services('external addresses'),
    serviceLoadBalancerIPs: services('load balancer addresses'),
    serviceLoadBalancerAggregation: refused(
      'is not supported: podroute announces whole ranges; write serviceLoadBalancerAggregation: Enabled',
      'Single load balancer addresses. Not supported.',
      ['Enabled'],
    ),
    ignoredInterfaces: withoutEffect(
      'has no effect: podroute announces pod subnets and service ranges, and no routes of interfaces',
      'Interfaces whose routes Calico does not announce.',
    ),
    localWorkloadPeeringIPV4: notYet('Address for peerings with pods', ['']),
    localWorkloadPeeringIPV6: notYet('IPv6 address for peerings with pods', ['']),
  },
  { description: 'Settings of BGP that all nodes share.', default: {} },
);

/** A peering beyond the mesh. */
export const bgpPeerSpec = mapping(
  {
    node: optionalText(readName, { description: 'The one node that has this peer.' }),
    nodeSelector: optionalText(readSelector, {
      description: 'The nodes that have this peer; without it and without node: all.',
    }),
    peerIP: optionalText(readPeerAddress, {
      description: 'Address of the router, with a port if it is not 179.',
    }),
    peerRange: Type.Optional(
      text(readPrefix, {
        description: 'Ours, instead of peerIP: whoever connects from there is a peer; it is never dialled.',
      }),
    ),
    maxPeers: Type.Optional(
      integer(1, 10_000, { description: 'Ours: how many peers of peerRange there may be at one time.' }),
    ),
    asNumber: Type.Optional(
      scalar(readAsNumber, {
        description: 'AS number of the router; with peerRange it may be left out, for any but our own.',
      }),
    ),
    peerSelector: optionalText(readSelector, {
      description: 'Nodes of the cluster to peer with, instead of peerIP and asNumber.',
    }),
    sourceAddress: oneOf(['UseNodeIP', 'None'], {
      description: "Connect from the node's address, or from the one that the kernel chooses.",
      default: 'UseNodeIP',
    }),
    reversePeering: oneOf(['Auto', 'Manual'], {
      description:
        'Auto: the nodes that peerSelector matches peer back. Manual: only where another BGPPeer says so.',
      default: 'Auto',
    }),
    nextHopMode: Type.Optional(
      oneOf(['Auto', 'Self', 'Keep'], {
        description:
          'The next hop of what the peer is told: this node, as received, or as BGP has it (Auto, the default).',
      }),
    ),
    keepOriginalNextHop: Type.Optional(
      Type.Boolean({ description: 'The older word for nextHopMode: Keep.' }),
    ),
    password: password('of the session'),
    maxRestartTime: Type.Optional(
      text(readSeconds(0, MAX_RESTART_SECONDS), {
        description: 'How long the peer keeps our routes while the agent restarts; 120s by default.',
      }),
    ),
    keepaliveTime: Type.Optional(
      text(readSeconds(1, 21_845), {
        description: 'How often keepalives are sent at least; the peer is given up after three times that.',
      }),
    ),
    holdTime: Type.Optional(
      text(readSeconds(3, 65_535), {
        description: 'Ours: when a silent peer is given up; 90s by default, where the peer offers no less.',
      }),
    ),
    passive: Type.Boolean({
      description: 'Ours: waits for the router to connect and never does so itself.',
      default: false,
    }),
    numAllowedLocalASNumbers: Type.Optional(
      integer(0, 10, { description: 'How often our own AS may be in a path of the peer.' }),
    ),
    localASNumber: Type.Optional(
      scalar(readAsNumber, { description: 'AS number that the router sees, instead of that of the node.' }),
    ),
    ttlSecurity: Type.Optional(
      integer(1, 254, { description: 'GTSM (RFC 5082): the router is at most so many hops away.' }),
    ),
    filters: Type.Array(text(readName, { description: 'Name of a BGPFilter.' }), {
      description: 'Names of BGPFilters, asked in this order.',
      default: [],
    }),
    reachableBy: optionalText(readGateway, {
      description: 'Address of the gateway by which peerIP is reached: a route to peerIP alone leads there.',
    }),
    localWorkloadSelector: notYet('Peerings with pods', ['']),
    maxPrefixes: Type.Optional(
      mapping(
        {
          limit: integer(1, 0xffff_ffff, {
            description: 'How many prefixes of one family.',
            example: 'limit: 1000',
          }),
          action: oneOf(['Warn', 'Restart', 'Stop'], {
            description:
              'What happens beyond: a warning, a session that is tried again later, or none any more.',
            default: 'Stop',
          }),
        },
        { description: 'Ours: how many prefixes the router may announce.' },
      ),
    ),
    encapsulation: Type.Optional(
      oneOf(['auto', 'direct', 'ipip'], {
        description:
          'Ours: the way of packets to this peer, in pools with ipipMode CrossSubnet, whatever the networks say.',
      }),
    ),
    role: Type.Optional(
      oneOf(['Provider', 'RS', 'RSClient', 'Customer', 'Peer'], {
        description: 'Ours: what this node is to the router (RFC 9234).',
      }),
    ),
  },
  { description: 'A peering beyond the mesh.', example: 'spec: {peerIP: 192.168.1.1, asNumber: 65001}' },
);
