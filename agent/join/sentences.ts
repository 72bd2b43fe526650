/**
 * What is said of names, addresses and Nodes that are in each other's way.
 *
 * Owns: the sentences. Must not know: stores, when they are said. Pure.
 */
import { type ConfigError, formatConfigError } from '../resources/index.js';

/** `Node/vm1` or a field of it. */
export function isAbout({ path }: ConfigError, nodeName: string): boolean {
  return path === `Node/${nodeName}` || path.startsWith(`Node/${nodeName} `);
}

export function leftOutText(error: ConfigError): string {
  return `left out until it is put right: ${formatConfigError(error)}`;
}

/** @param address where the one that has the name is */
export function nameTakenText(nodeName: string, address: string): string {
  return `another machine (${address}) is called ${nodeName} and its agent lives: this one announces nothing; give each machine a name of its own with --node-name`;
}

/** Only one of them is in the mesh; the other one was refused, or is left out. */
export function sameAddressText(nodeName: string, address: string): string {
  return `another machine, which calls itself ${nodeName}, has the address ${address} of this one too; give each machine its own`;
}

/** @param address where the one that is kept out is */
export function nameWantedText(nodeName: string, address: string): string {
  return `another machine (${address}) calls itself ${nodeName} too and is kept out; start it with another --node-name`;
}
