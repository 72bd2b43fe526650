/**
 * The agent and a real BIRD 2 on one wire: sessions, routes of both families both ways, every way a session ends.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AgentProcess } from '../support/agent-process.js';
import { Bird } from '../support/bird.js';
import { Namespace } from '../support/netns.js';
import { until } from '../support/until.js';

const CLUSTER = `
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: pods}
spec: {cidr: 10.244.0.0/16, ipipMode: CrossSubnet, blockSize: 24}
---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: pods6}
spec: {cidr: 'fd00:244::/64', blockSize: 122}
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: {name: bird}
spec: {peerIP: 192.0.2.2, asNumber: 65001}
---
`;

function node(...blocks: readonly string[]): string {
  return `
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: node-a}
spec:
  bgp: {ipv4Address: 192.0.2.1/24, ipv6Address: 'fd00:2::1/64', asNumber: 64512}
  podCIDRs: [${blocks.map((block) => `'${block}'`).join(', ')}]
`;
}

const BOTH = CLUSTER + node('10.244.1.0/24', 'fd00:244::1:0/122');

/** A plain router. 10.99.0.0/24 is outside every pool: the agent must not take it. */
const BIRD_CONF = `
router id 192.0.2.2;
protocol device {}
protocol direct { ipv4; ipv6; }
protocol static pods4 { ipv4; route 10.244.9.0/24 blackhole; route 10.99.0.0/24 blackhole; }
protocol static pods6 { ipv6; route fd00:244::9:0/122 blackhole; }
protocol bgp agent {
  local 192.0.2.2 as 65001;
  neighbor 192.0.2.1 as 64512;
  connect delay time 1; connect retry time 2; error wait time 1, 4;
  graceful restart on;
  ipv4 { import all; export where source = RTS_STATIC; };
  ipv6 { import all; export where source = RTS_STATIC; next hop address fd00:2::2; };
}
`;

describe('the agent and BIRD 2', () => {
  let folder: string;
  let left: Namespace;
  let right: Namespace;
  let agent: AgentProcess;
  let bird: Bird;

  const birdKnows = (prefix: string, nextHop: string) =>
    until(`BIRD has ${prefix} via ${nextHop}`, () => {
      const route = bird.ask('show', 'route', prefix, 'all');
      return route.includes(`via ${nextHop}`) && route;
    });
  const birdLacks = (prefix: string) =>
    until(`BIRD has no ${prefix}`, () => !bird.ask('show', 'route', prefix).includes(prefix));
  const agentKnows = (prefix: string, nextHop: string) =>
    until(`the agent has ${prefix} via ${nextHop}`, () => agent.hasRoute(prefix, nextHop));
  const agentLacks = (prefix: string) =>
    until(`the agent has no ${prefix}`, async () =>
      (await agent.routes()).every((route) => route.prefix !== prefix),
    );
  const established = () =>
    until('the session is established', async () => (await agent.peer('peer/bird')).state === 'Established');
  /** Everything that holds while both are up. */
  const allIsWell = async () => {
    await established();
    await agentKnows('10.244.9.0/24', '192.0.2.2');
    await birdKnows('10.244.1.0/24', '192.0.2.1');
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'podroute-bird-'));
    [left, right] = Namespace.linked(
      'bird',
      ['192.0.2.1/24', 'fd00:2::1/64'],
      ['192.0.2.2/24', 'fd00:2::2/64'],
    );
    agent = new AgentProcess(left, folder, 'node-a', ['--dataplane', 'off']);
    agent.configure(BOTH);
    bird = new Bird(right, folder, BIRD_CONF);
    await Promise.all([agent.start(), bird.start()]);
    await established();
  });

  afterAll(async () => {
    await left?.remove();
    await right?.remove();
    rmSync(folder, { recursive: true });
  });

  test('IPv4 routes travel both ways, with AS_PATH and next hop as RFC 4271 5.1.2 and 5.1.3 say', async () => {
    await agentKnows('10.244.9.0/24', '192.0.2.2');
    const route = await birdKnows('10.244.1.0/24', '192.0.2.1');
    expect(route).toMatch(/BGP\.as_path: 64512\n/);
    expect(route).toMatch(/BGP\.next_hop: 192\.0\.2\.1\n/);
    expect(route).toMatch(/BGP\.origin: IGP/);
    expect(route).not.toMatch(/local_pref: (?!100)/);
  });

  test('IPv6 routes travel both ways on the same session (RFC 4760, RFC 2545)', async () => {
    await agentKnows('fd00:244::9:0/122', 'fd00:2::2');
    expect(await birdKnows('fd00:244::1:0/122', 'fd00:2::1')).toMatch(/BGP\.as_path: 64512\n/);
  });

  test('a prefix outside every pool is received and not used; the API says why', async () => {
    const { counters, rejected } = await agent.peer('peer/bird');
    expect(counters).toMatchObject({ prefixesReceived: 3, prefixesAccepted: 2, prefixesRejected: 1 });
    expect(rejected).toEqual([{ prefix: '10.99.0.0/24', reason: 'it is in no enabled IPPool' }]);
  });

  test('capabilities agree: BIRD shows ours, we show its', async () => {
    const shown = bird.ask('show', 'protocols', 'all', 'agent');
    for (const text of [
      '4-octet AS numbers',
      'Route refresh',
      'Graceful restart',
      'AF announced: ipv4 ipv6',
    ]) {
      expect(shown).toContain(text);
    }
    const { capabilities, timers } = await agent.peer('peer/bird');
    expect(capabilities.negotiated).toHaveLength(6);
    expect(timers.holdTimeSeconds).toBe(90);
  });

  test('BIRD withdraws, and announces again', async () => {
    bird.ask('disable', 'pods4');
    await agentLacks('10.244.9.0/24');
    bird.ask('enable', 'pods4');
    await agentKnows('10.244.9.0/24', '192.0.2.2');
  });

  test('a block that is taken out of the file is withdrawn, live; one that is added is announced', async () => {
    agent.configure(CLUSTER + node('10.244.1.0/24', '10.244.7.0/24'));
    await birdKnows('10.244.7.0/24', '192.0.2.1');
    await birdLacks('fd00:244::1:0/122');
    agent.configure(BOTH);
    await birdLacks('10.244.7.0/24');
    await birdKnows('fd00:244::1:0/122', 'fd00:2::1');
    expect((await agent.peer('peer/bird')).counters.flaps).toBe(0);
  });

  test('a broken file leaves the configuration in force and is named with its line', async () => {
    agent.configure(BOTH.replace('192.0.2.1/24', '192.0.2.1111/24'));
    const { configErrors } = await until('the error is shown', async () => {
      const status = await agent.status();
      return status.configErrors.length > 0 && status;
    });
    expect(configErrors).toEqual([
      expect.stringMatching(/cluster\.yaml:\d+: Node\/node-a spec\.bgp\.ipv4Address: /),
    ]);
    expect((await agent.peer('peer/bird')).state).toBe('Established');
    agent.configure(BOTH);
    await until('the error is gone', async () => (await agent.status()).configErrors.length === 0);
    expect((await agent.peer('peer/bird')).counters.flaps).toBe(0);
  });

  test('BIRD asks for a route refresh (RFC 2918) and gets the table again', async () => {
    const before = (await agent.peer('peer/bird')).counters.updatesOut;
    bird.ask('reload', 'in', 'agent');
    await until(
      'the table was sent again',
      async () => (await agent.peer('peer/bird')).counters.updatesOut > before,
    );
    await allIsWell();
  });

  test('BIRD resets the session: the API shows its NOTIFICATION in words, and it comes back', async () => {
    bird.ask('restart', 'agent');
    const text = await until('the NOTIFICATION is shown', async () => {
      const { lastError } = await agent.peer('peer/bird');
      return lastError?.direction === 'received' && lastError.text;
    });
    expect(text).toMatch(/administrative reset/i);
    await allIsWell();
  });

  test('BIRD shuts the session down with a text (RFC 9003), and the API shows it', async () => {
    bird.ask('disable', 'agent', '"bye for now"');
    const { lastError } = await until('the session is down', async () => {
      const peer = await agent.peer('peer/bird');
      return peer.state !== 'Established' && peer.lastError?.direction === 'received' && peer;
    });
    expect(lastError?.text).toContain('bye for now');
    await agentLacks('10.244.9.0/24');
    bird.ask('enable', 'agent');
    await allIsWell();
  });

  test('BIRD is killed: its routes stay as stale, and are confirmed when it is back (RFC 4724)', async () => {
    await bird.stop('SIGKILL');
    await until('the route is stale', async () =>
      (await agent.routes()).some(({ prefix, state }) => prefix === '10.244.9.0/24' && state === 'stale'),
    );
    await bird.start('-R');
    await allIsWell();
    await until('the route is confirmed', async () =>
      (await agent.routes()).some(({ prefix, state }) => prefix === '10.244.9.0/24' && state === 'ok'),
    );
  });

  test('the agent is killed: BIRD keeps its routes until it is back, and has them again', async () => {
    await agent.stop('SIGKILL');
    await until(
      'BIRD sees the session down',
      () => !bird.ask('show', 'protocols', 'agent').includes('Established'),
    );
    expect(bird.ask('show', 'route', '10.244.1.0/24')).toContain('via 192.0.2.1');
    await agent.start();
    await allIsWell();
  });

  test('the agent is stopped: status 0, BIRD keeps its routes', async () => {
    expect(await agent.stop('SIGTERM')).toBe(0);
    await until(
      'BIRD sees the session down',
      () => !bird.ask('show', 'protocols', 'agent').includes('Established'),
    );
    expect(bird.ask('show', 'route', '10.244.1.0/24')).toContain('via 192.0.2.1');
    await agent.start();
    await allIsWell();
  });

  test('the wrong AS in the file: NOTIFICATION 2/2 in words on both sides; the right one again: it comes back', async () => {
    agent.configure(BOTH.replace('asNumber: 65001', 'asNumber: 65002'));
    const { lastError } = await until('the OPEN is refused', async () => {
      const peer = await agent.peer('peer/bird');
      return peer.asn === 65002 && peer.lastError?.direction === 'sent' && peer;
    });
    expect(lastError?.text).toMatch(/bad peer AS/i);
    await until('BIRD shows it', () => /Bad peer AS/i.test(bird.ask('show', 'protocols', 'all', 'agent')));
    agent.configure(BOTH);
    await allIsWell();
  });
});
