/** A running lab seen from inside: what its machines print themselves, and what a visitor may try. */
import { inside, namespaceName, runCommand } from './namespaces.js';
import { heading, type Output, styled } from './output.js';
import { birdSocket, clusterFile, fileStore, logFile, podrouteCommand } from './programs.js';
import { machinesOf, mainAddress, sharedNetwork, type Topology } from './topology.js';

/** What a command printed on a machine. */
export interface View {
  readonly machine: string;
  /** As a person in that machine would type it. */
  readonly command: string;
  readonly text: string;
}

/** The first node's peers and routes, and the routes of every BIRD. */
export async function collectViews(lab: string, topology: Topology): Promise<readonly View[]> {
  const view = async (machine: string, command: string, argv: readonly string[]): Promise<View> => {
    const { stdout, stderr } = await runCommand(inside(namespaceName(lab, machine), argv));
    return { machine, command, text: `${stdout}${stderr}` };
  };
  const [node] = machinesOf(topology, 'node');
  const ofNode =
    node === undefined
      ? []
      : [
          view(node.name, 'podroute peers', [podrouteCommand(lab), 'peers']),
          view(node.name, 'podroute routes', [podrouteCommand(lab), 'routes']),
          view(node.name, 'ip route', ['ip', 'route']),
        ];
  const birds = [...machinesOf(topology, 'bird'), ...machinesOf(topology, 'bird-node')];
  const ofBirds = birds.map(({ name }) =>
    view(name, 'birdc show route', ['/usr/sbin/birdc', '-s', birdSocket(lab, name), 'show', 'route']),
  );
  return Promise.all([...ofNode, ...ofBirds]);
}

export function printViews(output: Output, views: readonly View[]): void {
  for (const { machine, command, text } of views) {
    output.write(`\n${styled(output, 'bold', `${machine}# ${command}`)}\n${text.trimEnd()}\n`);
  }
}

/** A name that no topology in deploy/lab has. */
const NEW_NODE = 'node-f';

/** How to look around in a lab that was kept. */
export function printSuggestions(output: Output, lab: string, topology: Topology, storeUrl: string): void {
  const [node] = machinesOf(topology, 'node');
  const [router] = machinesOf(topology, 'router');
  const [bird] = machinesOf(topology, 'bird');
  const far = machinesOf(topology, 'node').find(
    (each) => node && sharedNetwork(topology, each, node) === undefined,
  );
  const pods = machinesOf(topology, 'pod');
  const pod = pods.find((each) => each.node === node?.name);
  const farPod = pods.find((each) => each.node === far?.name);
  const name = lab === DEFAULT_LAB ? '' : ` --name ${lab}`;
  const enter = `npm run lab -- enter${name}`;
  const lines = [
    node && [`${enter} ${node.name}`, 'a shell on a node'],
    node && [`${enter} ${node.name} podroute routes`, 'what the agent has learned and done'],
    node && [`${enter} ${node.name} podroute routes -o json`, 'the same, as the API gives it'],
    node && [`${enter} ${node.name} cat ${logFile(lab, node.name)}`, 'the log of the agent'],
    node &&
      (storeUrl === fileStore(lab)
        ? [`${enter} ${node.name} vi ${clusterFile(lab)}`, 'change the cluster; all agents follow']
        : [`${enter} ${node.name} podroute get all`, `what is in ${storeUrl}`]),
    pod && farPod && [`${enter} ${pod.name} ping -c 3 ${mainAddress(farPod)}`, 'a pod in the other subnet'],
    router && [`${enter} ${router.name} tcpdump -ni eth0 ip proto 4`, 'watch it pass in IPIP'],
    bird && [`${enter} ${bird.name} birdc show protocols`, 'the BIRD router'],
    [`npm run lab -- add${name} ${NEW_NODE}`, 'one more node, while everything runs on'],
    [`npm run lab -- remove${name} ${NEW_NODE}`, 'and one less'],
    [`npm run lab -- check${name}`, 'every check again'],
    [`npm run lab -- down${name}`, 'take everything away'],
  ].filter((line) => line !== undefined);
  heading(output, 'The lab keeps running. Machines to enter:');
  output.write(`  ${[...topology.machines.keys()].join(' ')}\n`);
  heading(output, 'To try:');
  const width = Math.max(...lines.map(([command = '']) => command.length));
  for (const [command = '', what = ''] of lines) {
    output.write(`  ${command.padEnd(width)}  ${styled(output, 'dim', `# ${what}`)}\n`);
  }
}

/** The lab that commands mean when they name none. */
export const DEFAULT_LAB = 'mesh';
