/**
 * What the resources say of a session, with BIRD 2 at its other end: keys, hops, AS numbers, limits, ranges, reflection.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AgentProcess } from '../support/agent-process.js';
import { Bird } from '../support/bird.js';
import { manifest, pool } from '../support/manifests.js';
import { Namespace } from '../support/netns.js';
import { until } from '../support/until.js';

const SECRET = 'not-in-any-log-1';
const SECOND_SECRET = 'not-in-any-log-2';

/** A router that asks for everything that a BGPPeer can say of a session. */
const STRICT_CONF = `
router id 192.0.2.2;
protocol device {}
protocol static { ipv4; route 10.244.9.0/24 blackhole { bgp_path.prepend(64999); }; route 10.244.8.0/24 blackhole; }
protocol bgp agent {
  local 192.0.2.2 as 65001;
  neighbor 192.0.2.1 as 64999;
  password "${SECRET}";
  ttl security on;
  connect delay time 1; connect retry time 2; error wait time 1, 4;
  ipv4 { import all; export where source = RTS_STATIC; };
}
`;

describe('what a BGPPeer says of its session, with BIRD 2', () => {
  let folder: string;
  let left: Namespace;
  let right: Namespace;
  let agent: AgentProcess;
  let bird: Bird;

  const keyFile = () => join(folder, 'key');
  const strict = (changes: object = {}) =>
    [
      pool(),
      manifest('Node', 'node-a', {
        bgp: { ipv4Address: '192.0.2.1/24', asNumber: 64512 },
        podCIDRs: ['10.244.1.0/24'],
      }),
      manifest('BGPPeer', 'strict', {
        peerIP: '192.0.2.2',
        asNumber: 65001,
        localASNumber: 64999,
        password: { file: keyFile() },
        ttlSecurity: 1,
        holdTime: '30s',
        maxRestartTime: '1m5s',
        numAllowedLocalASNumbers: 1,
        ...changes,
      }),
    ].join('\n---\n');
  const peer = () => agent.peer('peer/strict');
  const established = () =>
    until('the session is established', async () => (await peer()).state === 'Established');

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'podroute-peering-'));
    [left, right] = Namespace.linked('peering', ['192.0.2.1/24'], ['192.0.2.2/24']);
    agent = new AgentProcess(left, folder, 'node-a', ['--dataplane', 'off']);
    writeFileSync(keyFile(), `${SECRET}\n`);
    agent.configure(strict());
    bird = new Bird(right, folder, STRICT_CONF);
    await Promise.all([agent.start(), bird.start()]);
    await established();
  });

  afterAll(async () => {
    await left?.remove();
    await right?.remove();
    rmSync(folder, { recursive: true });
  });

  test('key, hops, AS, hold time and restart time are those of the resource', async () => {
    const shown = bird.ask('show', 'protocols', 'all', 'agent');
    expect(shown).toMatch(/Neighbor AS: +64999/);
    expect(shown).toMatch(/Hold timer: .*\/30/);
    expect(shown).toMatch(/Restart time: 65/);
    expect(await peer()).toMatchObject({ localAs: 64999, timers: { holdTimeSeconds: 30 } });
    await until('BIRD has the block', () =>
      /BGP\.as_path: 64999\n/.test(bird.ask('show', 'route', '10.244.1.0/24', 'all')),
    );
  });

  test('numAllowedLocalASNumbers: a path with our AS is used, and no longer where none is allowed', async () => {
    await until('the route is used', () => agent.hasRoute('10.244.9.0/24', '192.0.2.2'));
    agent.configure(strict({ numAllowedLocalASNumbers: 0 }));
    await until('the route is not used', async () => !(await agent.hasRoute('10.244.9.0/24', '192.0.2.2')));
    expect((await peer()).rejected).toEqual([
      { prefix: '10.244.9.0/24', reason: expect.stringContaining('64999') },
    ]);
    expect((await peer()).counters.flaps).toBe(0);
  });

  test('a key that cannot be read leaves the old one in force, and is named by its place', async () => {
    agent.configure(strict({ password: { env: 'PODROUTE_TEST_MISSING' } }));
    const { configErrors } = await until('the error is shown', async () => {
      const status = await agent.status();
      return status.configErrors.length > 0 && status;
    });
    expect(configErrors).toEqual([
      'the password in the variable PODROUTE_TEST_MISSING is not there: set the variable for the agent',
    ]);
    expect((await peer()).state).toBe('Established');
    agent.configure(strict());
    await until('the error is gone', async () => (await agent.status()).configErrors.length === 0);
  });

  test('a limit of prefixes that is exceeded ends the session for good; a higher one brings it back', async () => {
    agent.configure(strict({ maxPrefixes: { limit: 1 } }));
    await until('the session is down', async () => (await peer()).state !== 'Established');
    await until('BIRD knows why', () =>
      /Maximum number of prefixes/i.test(bird.ask('show', 'protocols', 'all', 'agent')),
    );
    agent.configure(strict({ maxPrefixes: { limit: 2 } }));
    await established();
  });

  test('another key keeps BIRD out', async () => {
    writeFileSync(keyFile(), SECOND_SECRET);
    agent.configure(strict({ holdTime: '33s' }));
    await until('the session is down', async () => (await peer()).state !== 'Established');
    writeFileSync(keyFile(), SECRET);
    agent.configure(strict({ holdTime: '36s' }));
    await established();
    expect((await peer()).timers.holdTimeSeconds).toBe(36);
  });

  test('a router of a range becomes a peer when it connects, with the filters and the key of the range', async () => {
    const deny = { importV4: [{ action: 'Reject', cidr: '10.244.8.0/24', matchOperator: 'Equal' }] };
    const range = { peerIP: undefined, asNumber: undefined, peerRange: '192.0.2.0/29', filters: ['deny'] };
    agent.configure([strict(range), manifest('BGPFilter', 'deny', deny)].join('\n---\n'));
    const dynamic = await until('the router is a peer', async () =>
      (await agent.peers()).find(({ name, state }) => name.startsWith('dynamic/') && state === 'Established'),
    );
    expect(dynamic).toMatchObject({ name: 'dynamic/strict/192.0.2.2', asn: 65001, direction: 'incoming' });
    await until('the other route is used', () => agent.hasRoute('10.244.9.0/24', '192.0.2.2'));
    expect(await agent.hasRoute('10.244.8.0/24', '192.0.2.2')).toBe(false);
    agent.configure(strict());
    await established();
  });

  test('no key is in the log or in what the API says', async () => {
    const said = agent.log() + JSON.stringify([await agent.peers(), await agent.status()]);
    expect(said).toContain('peer/strict');
    expect(said).not.toContain(SECRET);
    expect(said).not.toContain(SECOND_SECRET);
  });
});

/** A node of the cluster that speaks to the reflector alone. */
const clientConf = (host: number) => `
router id 192.0.2.${host};
protocol device {}
protocol direct { ipv4; }
protocol static { ipv4; route 10.244.${host}.0/24 blackhole; }
protocol bgp agent {
  local 192.0.2.${host} as 64512;
  neighbor 192.0.2.1 as 64512;
  connect delay time 1; connect retry time 2; error wait time 1, 4;
  ipv4 { import all; export where source = RTS_STATIC; };
}
`;

const REFLECTED_CLUSTER = [
  pool(),
  ...[1, 2, 3].map((host) =>
    manifest(
      'Node',
      `node-${host}`,
      {
        bgp: {
          ipv4Address: `192.0.2.${host}/24`,
          asNumber: 64512,
          ...(host === 1 && { routeReflectorClusterID: '244.0.0.1' }),
        },
        podCIDRs: [`10.244.${host}.0/24`],
      },
      { labels: { role: host === 1 ? 'reflector' : 'client' } },
    ),
  ),
  manifest('BGPPeer', 'rr', { nodeSelector: "role == 'client'", peerSelector: "role == 'reflector'" }),
].join('\n---\n');

describe('the agent as a route reflector between two BIRD 2 (RFC 4456)', () => {
  let folder: string;
  let machines: readonly Namespace[] = [];
  let agent: AgentProcess;
  let birds: readonly Bird[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'podroute-reflector-'));
    machines = Namespace.bridged(
      'reflect',
      [1, 2, 3].map((host) => [`192.0.2.${host}/24`]),
    );
    const [first, ...others] = machines;
    if (first === undefined) throw new Error('three were made');
    agent = new AgentProcess(first, folder, 'node-1', ['--dataplane', 'off']);
    agent.configure(REFLECTED_CLUSTER);
    birds = others.map((machine, index) => {
      const home = join(folder, `bird-${index}`);
      mkdirSync(home);
      return new Bird(machine, home, clientConf(index + 2));
    });
    await Promise.all([agent.start(), ...birds.map((bird) => bird.start())]);
  });

  afterAll(async () => {
    for (const machine of machines) await machine.remove();
    rmSync(folder, { recursive: true });
  });

  test('a client is told of the other with its next hop, ORIGINATOR_ID and CLUSTER_LIST (section 8)', async () => {
    for (const [index, bird] of birds.entries()) {
      const other = 3 - index;
      const shown = await until(`client ${index + 2} has the block of client ${other}`, () => {
        const route = bird.ask('show', 'route', `10.244.${other}.0/24`, 'all', 'protocol', 'agent');
        return route.includes('BGP.originator_id') && route;
      });
      expect(shown).toMatch(/BGP\.as_path: *\n/);
      expect(shown).toContain(`BGP.next_hop: 192.0.2.${other}\n`);
      expect(shown).toContain(`BGP.originator_id: 192.0.2.${other}\n`);
      expect(shown).toContain('BGP.cluster_list: 244.0.0.1\n');
    }
  });

  test("the reflector's own block comes without the marks of reflection", async () => {
    const [bird] = birds;
    const shown = await until('the block is there', () => {
      const route = bird?.ask('show', 'route', '10.244.1.0/24', 'all', 'protocol', 'agent') ?? '';
      return route.includes('BGP.next_hop: 192.0.2.1\n') && route;
    });
    expect(shown).not.toMatch(/originator_id|cluster_list/);
  });
});
