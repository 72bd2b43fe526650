/**
 * What the resources mean for this node, where this machine can live up to it.
 *
 * Owns: the checks that need the machine: its addresses and the passwords. Must not know: how a plan is carried out.
 */
import { EXIT } from '../api/index.js';
import type { Ipv4 } from '../bgp/net/index.js';
import { type Membership, planMembership } from './membership/index.js';
import type { Resources, SecretSource } from './resources/index.js';
import type { Secrets, SecretsResult } from './secrets.js';
import { missingAddress, StartError } from './start-error.js';

/** A membership that this machine can live up to. */
export interface CheckedPlan {
  readonly membership: Membership;
  readonly secrets: Secrets;
}

/**
 * @param readSecrets the passwords, or every problem with them
 * @param addressInForce the node's address as the running agent has it. It is not asked for again: where it is away for
 *   the moment, what else has changed must not wait for the next change.
 * @throws StartError where this node is not in the resources, this machine does not have its address, or a password
 *   cannot be read.
 */
export async function checkedPlan(
  resources: Resources,
  nodeName: string,
  readSecrets: (sources: readonly SecretSource[]) => Promise<SecretsResult>,
  addressInForce?: Ipv4,
): Promise<CheckedPlan> {
  const plan = planMembership(resources, nodeName);
  if ('problem' in plan) throw new StartError(plan.problem, { exitStatus: EXIT.usage });
  const { nodeAddress } = plan.membership;
  const problem = nodeAddress === addressInForce ? undefined : await missingAddress(nodeName, nodeAddress);
  if (problem !== undefined) throw new StartError(problem);
  const { secrets, problems } = await readSecrets(passwordsOf(plan.membership));
  if (problems.length > 0) throw new StartError(problems.join('\n'), { exitStatus: EXIT.usage });
  return { membership: plan.membership, secrets };
}

/** Where the passwords of all peers are kept. */
export function passwordsOf({ peers, dynamicPeers }: Membership): readonly SecretSource[] {
  return [...peers, ...dynamicPeers].flatMap(({ options }) => options.password ?? []);
}
