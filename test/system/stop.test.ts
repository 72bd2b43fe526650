/**
 * A stopped agent leaves every route in place, whatever its peers are in the middle of: packets flow on until it is
 * back. On the running kernel, with a peer that the test plays. Needs root.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { announce } from '../interop/conformance/route.js';
import { AgentProcess } from '../support/agent-process.js';
import type { Place } from '../support/conformance-lab.js';
import { enterNamespace } from '../support/enter-namespace.js';
import { Namespace } from '../support/netns.js';
import { RawPeer, TYPE, usualCapabilities } from '../support/raw-peer.js';
import { until } from '../support/until.js';
import { frame } from '../support/wire.js';

const AGENT = { host: '172.31.0.1' };
const PEER: Place = { name: 'peer', kind: 'ebgp', address: '172.31.0.2', asn: 65001, prefix: '10.244.7' };
const ROUTE = `${PEER.prefix}.0/24`;
const RESOURCES = `
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: { name: pods }
spec: { cidr: 10.244.0.0/16, blockSize: 24 }
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: { name: node-a }
spec: { bgp: { ipv4Address: ${AGENT.host}/24, asNumber: 64512 }, podCIDRs: [10.244.0.0/24] }
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: { name: peer }
spec: { peerIP: ${PEER.address}, asNumber: ${PEER.asn}, passive: true }
`;
/** RFC 4724 section 3: the R bit, 60 s, and IPv4 unicast with its F bit. */
const RESTARTING = `${usualCapabilities(PEER.asn)} 4006 803c 0001 01 80`;

describe('the agent is stopped', () => {
  let folder: string;
  let machines: readonly [Namespace, Namespace];
  let agent: AgentProcess;
  let leave: () => void;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'podroute-stop-'));
    machines = Namespace.linked('stop', [`${AGENT.host}/24`], [`${PEER.address}/24`]);
    agent = new AgentProcess(machines[0], folder, 'node-a');
    agent.configure(RESOURCES);
    await agent.start();
    leave = enterNamespace(machines[1]);
  });

  afterEach(async () => {
    leave();
    await agent.stop();
    for (const machine of machines) await machine.remove();
    rmSync(folder, { recursive: true });
  });

  // The API answers before the agent takes sessions.
  const session = (capabilities: string) =>
    until('a session is up', async () =>
      (await RawPeer.connect(PEER.address, AGENT)).establish({ asn: PEER.asn, capabilities }),
    );
  const state = async () => (await agent.routes()).find(({ prefix }) => prefix === ROUTE)?.state;
  const is = (wanted: string) => until(`the route is ${wanted}`, async () => (await state()) === wanted);
  const kernelRoute = () => machines[0].ip('route', 'show', ROUTE).trim();

  test('with a peer that does not speak graceful restart', async () => {
    const peer = await session(usualCapabilities(PEER.asn));
    peer.send(announce(PEER));
    await is('ok');
    const before = kernelRoute();
    expect(before).toContain(`via ${PEER.address}`);
    expect(await agent.stop()).toBe(0);
    expect(kernelRoute()).toBe(before);
  });

  test('with a peer that is back from a restart and has not announced its routes again (RFC 4724 4.2)', async () => {
    const peer = await session(RESTARTING);
    peer.send(announce(PEER), frame(TYPE.UPDATE, '00000000'));
    await is('ok');
    const before = kernelRoute();
    peer.reset();
    await until('the session is gone', async () => (await agent.peer('peer/peer')).state !== 'Established');
    await session(RESTARTING);
    expect(kernelRoute()).toBe(before);
    expect(await agent.stop()).toBe(0);
    expect(kernelRoute()).toBe(before);
  });
});
