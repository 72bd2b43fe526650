/** What the resources ask of this machine is checked against it: here, of a node address that no machine has. */
import { describe, expect, test } from 'vitest';
import { checkedPlan } from '../../../agent/checked-plan.js';
import { parseResources, type Resources } from '../../../agent/resources/index.js';
import { Secrets } from '../../../agent/secrets.js';
import { StartError } from '../../../agent/start-error.js';
import { address4 } from '../../support/addresses.js';

const ADDRESS = '192.0.2.77';

function resources(): Resources {
  const text = `
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: node-a}
spec: {bgp: {ipv4Address: ${ADDRESS}/24, asNumber: 64512}, podCIDRs: [10.244.1.0/24]}
---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: pods}
spec: {cidr: 10.244.0.0/16, blockSize: 24}
`;
  const result = parseResources([{ path: 'cluster.yaml', text }]);
  if ('errors' in result) throw new Error('the resources of the test are wrong');
  return result.resources;
}

const noSecrets = async () => ({ secrets: Secrets.none, problems: [] });

describe('the node address', () => {
  test('one that this machine does not have is refused', async () => {
    await expect(checkedPlan(resources(), 'node-a', noSecrets)).rejects.toBeInstanceOf(StartError);
  });

  test('a changed one, too', async () => {
    await expect(checkedPlan(resources(), 'node-a', noSecrets, address4('192.0.2.1'))).rejects.toThrow(
      ADDRESS,
    );
  });

  test('one that the agent runs with may be away for a moment: what else has changed is taken', async () => {
    const { membership } = await checkedPlan(resources(), 'node-a', noSecrets, address4(ADDRESS));
    expect(membership.blocks).toHaveLength(1);
  });
});
