/**
 * A stock BIRD 2 as a member of the mesh, in place of a node's agent: it forwards to the nodes of other subnets through
 * IPIP by an import filter, and takes part in graceful restart in both roles.
 *
 * Owns: its configuration and the preparation of the machine.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun } from '../lab/namespaces.js';
import { birdSocket, type Program, startBird } from '../lab/programs.js';
import { labFolder } from '../lab/state.js';
import { machinesOf, mainAddress, type NodeMachine, type Topology } from '../lab/topology.js';
import { must } from '../support/machine.js';

const ASN = 64512;
/** The device that every network namespace has as soon as the kernel has ipip. */
const TUNNEL = 'tunl0';

export class BirdMember {
  readonly node: NodeMachine;
  readonly #lab: string;
  readonly #config: string;
  #program: Program | undefined;

  constructor(lab: string, topology: Topology, node: NodeMachine) {
    this.node = node;
    this.#lab = lab;
    this.#config = join(labFolder(lab), `${node.name}.bird.conf`);
    writeFileSync(this.#config, configuration(topology, node));
  }

  /** What an administrator types before BIRD starts. */
  get preparation(): readonly string[] {
    return [`address add ${this.node.tunnelAddress}/32 dev ${TUNNEL}`, `link set ${TUNNEL} mtu 1480 up`];
  }

  /** And after it has gone for good. */
  get removal(): readonly string[] {
    return ['route flush proto 12', `link set ${TUNNEL} down`, `address flush dev ${TUNNEL}`];
  }

  /** @param flags `-R`: it takes over the routes that an earlier run left */
  start(...flags: readonly string[]): void {
    this.#program = startBird(this.#lab, { name: this.node.name, config: this.#config }, flags);
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    await must(this.#program, 'BIRD').end(signal);
  }

  /** Every session is up, and no restart is under way. */
  async hasSettled(): Promise<boolean> {
    const ask = (...words: readonly string[]) =>
      mustRun(['/usr/sbin/birdc', '-s', birdSocket(this.#lab, this.node.name), ...words]);
    const sessions = (await ask('show', 'protocols')).split('\n').filter((line) => / BGP /.test(line));
    const isRecovering = (await ask('show', 'status')).includes('recovery in progress');
    return !isRecovering && sessions.length > 0 && sessions.every((line) => line.includes('Established'));
  }
}

function configuration(topology: Topology, node: NodeMachine): string {
  const address = mainAddress(node);
  const others = machinesOf(topology, 'node').filter(({ name }) => name !== node.name);
  const network = must(topology.networks.get(must(node.interfaces[0]).network)).prefix;
  const sessions = others.map(
    (other) =>
      `protocol bgp ${other.name.replace('-', '_')} from agent { neighbor ${mainAddress(other)} as ${ASN}; }`,
  );
  return `router id ${address};
protocol device {}
protocol direct { ipv4; interface "eth0"; }
protocol static { ipv4; route ${node.podSubnet} blackhole; }

# The order matters: the gateway is set last.
filter from_agents {
  if net !~ [ 10.244.0.0/16+ ] then reject;
  if bgp_next_hop ~ ${network} then accept;
  onlink = true; ifname = "${TUNNEL}"; gw = bgp_next_hop;
  accept;
}

protocol kernel {
  persist;
  graceful restart on;
  ipv4 { import none; export where source = RTS_BGP; };
}

template bgp agent {
  local ${address} as ${ASN};
  multihop;
  connect delay time 1; connect retry time 2; error wait time 1, 2;
  graceful restart on;
  ipv4 { import filter from_agents; export where source = RTS_STATIC; next hop self; };
}
${sessions.join('\n')}
`;
}
