/**
 * The Nodes of the file that all agents of a lab watch: one more, one less, the rest of the text as people left it.
 *
 * Owns: the text of that file. Must not know: the lab's machines.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { parse } from 'yaml';
import { formatConfigError, parseResources, type Resources } from '../../agent/resources/index.js';
import { GrowthError } from './growth.js';

/** What a Node of the lab says of itself. */
export interface NodeEntry {
  readonly name: string;
  /** With the length of its network. */
  readonly address: string;
  readonly podSubnet: string;
}

/** @throws GrowthError where the file has faults: the agents do not follow it then */
export function readCluster(path: string): Resources {
  return check(path, readFileSync(path, 'utf8'));
}

export function addNode(path: string, { name, address, podSubnet }: NodeEntry): void {
  const text = readFileSync(path, 'utf8').replace(/\n?$/, '\n');
  const node = `apiVersion: projectcalico.org/v3
kind: Node
metadata: { name: ${name} }
spec:
  bgp: { ipv4Address: ${address} }
  podCIDRs: [${podSubnet}]
`;
  replace(path, `${text}---\n${node}`);
}

/** Takes a Node out, with the comments of its document. Nothing is done where it is not there. */
export function removeNode(path: string, name: string): void {
  const before = readFileSync(path, 'utf8');
  // At the beginning of a line, three dashes always begin a document.
  const documents = before.split(/^---(?=\s)/m);
  const left = documents.filter((document) => !isNode(parse(document), name));
  if (left.length < documents.length) replace(path, left.join('---'));
  if (check(path, readFileSync(path, 'utf8')).nodes.some((node) => node.name === name)) {
    throw new GrowthError(`Node ${name} is no document of its own in ${path}: take it out there`);
  }
}

function isNode(document: unknown, name: string): boolean {
  const { kind, metadata } = (document ?? {}) as { kind?: unknown; metadata?: { name?: unknown } };
  return kind === 'Node' && metadata?.name === name;
}

/** In one step: the agents read it the moment that it changes. */
function replace(path: string, text: string): void {
  check(path, text);
  const draft = `${path}.draft`;
  writeFileSync(draft, text);
  renameSync(draft, path);
}

function check(path: string, text: string): Resources {
  const result = parseResources([{ path, text }]);
  if ('resources' in result) return result.resources;
  throw new GrowthError(`${path} has faults: ${result.errors.map(formatConfigError).join('; ')}`);
}
