/**
 * What the resources mean for this node, where this machine can live up to it.
 *
 * Owns: the checks that need the machine: its addresses and the passwords. Must not know: how a plan is carried out.
 */
import { EXIT } from '../api/index.js';
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
 * @throws StartError where this node is not in the resources, this machine does not have its address, or a password
 *   cannot be read.
 */
export async function checkedPlan(
  resources: Resources,
  nodeName: string,
  readSecrets: (sources: readonly SecretSource[]) => Promise<SecretsResult>,
): Promise<CheckedPlan> {
  const plan = planMembership(resources, nodeName);
  if ('problem' in plan) throw new StartError(plan.problem, { exitStatus: EXIT.usage });
  const problem = await missingAddress(nodeName, plan.membership.nodeAddress);
  if (problem !== undefined) throw new StartError(problem);
  const { secrets, problems } = await readSecrets(passwordsOf(plan.membership));
  if (problems.length > 0) throw new StartError(problems.join('\n'), { exitStatus: EXIT.usage });
  return { membership: plan.membership, secrets };
}

/** Where the passwords of all peers are kept. */
export function passwordsOf({ peers, dynamicPeers }: Membership): readonly SecretSource[] {
  return [...peers, ...dynamicPeers].flatMap(({ options }) => options.password ?? []);
}
