/**
 * The address of this node, by the method that is set.
 *
 * Owns: which questions a method needs. Must not know: how the choice is made.
 */
import { chooseAddress, type Detection, type DetectionContext, type InterfaceFacts } from './choose.js';
import { readInterfaces, resolveHost, routeSource } from './machine.js';
import type { DetectionMethod } from './method.js';

/** The questions to the machine. */
export interface Machine {
  readonly readInterfaces: () => readonly InterfaceFacts[];
  readonly resolveHost: typeof resolveHost;
  readonly routeSource: typeof routeSource;
}

const thisMachine: Machine = { readInterfaces, resolveHost, routeSource };

/** Asks anew each time: addresses come and go. */
export async function detectAddress(
  method: DetectionMethod,
  context: Omit<DetectionContext, 'source'>,
  machine: Machine = thisMachine,
): Promise<Detection> {
  if (method.type !== 'can-reach') return chooseAddress(method, machine.readInterfaces(), context);
  const target =
    method.address === undefined
      ? await machine.resolveHost(method.host, context.family)
      : { address: method.address };
  if ('problem' in target) return target;
  const source = await machine.routeSource(target.address);
  return chooseAddress(method, machine.readInterfaces(), { ...context, source });
}
