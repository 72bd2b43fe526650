/**
 * What the agent takes from BIRD 2 and tells it, by filters and advertisements: every change live, on sessions that stay up.
 *
 * Two routers, `one` (AS 65001) and `two` (AS 65002), both beside the agent.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { AgentProcess } from '../support/agent-process.js';
import { Bird } from '../support/bird.js';
import { manifest, pool } from '../support/manifests.js';
import { Namespace } from '../support/netns.js';
import { until } from '../support/until.js';

const routerConf = (host: number, asn: number, routes4: string, routes6: string) => `
router id 192.0.2.${host};
protocol device {}
protocol static static4 { ipv4; ${routes4} }
protocol static static6 { ipv6; ${routes6} }
protocol bgp agent {
  local 192.0.2.${host} as ${asn};
  neighbor 192.0.2.1 as 64512;
  connect delay time 1; connect retry time 2; error wait time 1, 4;
  ipv4 { import all; export where source = RTS_STATIC; };
  ipv6 { import all; export where source = RTS_STATIC; next hop address fd00:2::${host}; };
}
`;

const ONE_CONF = routerConf(
  2,
  65001,
  `route 10.244.9.0/24 blackhole;
   route 10.99.0.0/24 blackhole { bgp_community.add((65001, 666)); };
   route 198.51.100.0/24 blackhole { bgp_path.prepend(65077); };`,
  'route fd00:244::9:0/122 blackhole; route fd00:99::/64 blackhole;',
);
const TWO_CONF = routerConf(3, 65002, 'route 203.0.113.0/24 blackhole;', 'route fd00:113::/64 blackhole;');

interface Policy {
  /** Rule lists of the filter that each router has. */
  readonly one?: object;
  readonly two?: object;
  /** Beside them in the BGPPeer of `one`. */
  readonly peer?: object;
  readonly configuration?: object;
}

function cluster({ one = {}, two = {}, peer = {}, configuration = {} }: Policy): string {
  return [
    pool(),
    manifest('IPPool', 'pods6', { cidr: 'fd00:244::/64', blockSize: 122 }),
    manifest('Node', 'node-a', {
      bgp: { ipv4Address: '192.0.2.1/24', ipv6Address: 'fd00:2::1/64', asNumber: 64512 },
      podCIDRs: ['10.244.1.0/24', 'fd00:244::1:0/122'],
    }),
    manifest('BGPConfiguration', 'default', configuration),
    manifest('BGPFilter', 'for-one', one),
    manifest('BGPFilter', 'for-two', two),
    manifest('BGPPeer', 'one', { peerIP: '192.0.2.2', asNumber: 65001, filters: ['for-one'], ...peer }),
    manifest('BGPPeer', 'two', { peerIP: '192.0.2.3', asNumber: 65002, filters: ['for-two'] }),
  ].join('\n---\n');
}

const ALL = [{ action: 'Accept' }];
const EVERYTHING = { importV4: ALL, exportV4: ALL, importV6: ALL, exportV6: ALL };
const only = (cidr: string) => ({ cidr, matchOperator: 'Equal' });

describe('policy between the agent and BIRD 2', () => {
  let folder: string;
  let machines: readonly Namespace[] = [];
  let agent: AgentProcess;
  let birds: Readonly<Record<'one' | 'two', Bird>>;

  const learned = async () =>
    (await agent.routes()).filter(({ learnedFrom }) => learnedFrom !== null).map(({ prefix }) => prefix);
  /** The prefixes that the agent uses become exactly these. */
  const agentUses = (...prefixes: readonly string[]) =>
    until(`the agent uses ${prefixes.join(', ') || 'nothing'}`, async () => {
      const used = await learned();
      return used.length === prefixes.length && prefixes.every((prefix) => used.includes(prefix));
    });
  /** The route as a router got it from the agent, once it has what is asked for. */
  const told = (to: 'one' | 'two', prefix: string, ...contents: readonly RegExp[]) =>
    until(`${to} has ${prefix} with ${contents.join(', ')}`, () => {
      const shown = birds[to].ask('show', 'route', prefix, 'all', 'protocol', 'agent');
      return shown.includes(`${prefix} `) && contents.every((text) => text.test(shown)) && shown;
    });
  const notTold = (to: 'one' | 'two', prefix: string) =>
    until(
      `${to} does not have ${prefix}`,
      () => !birds[to].ask('show', 'route', prefix, 'protocol', 'agent').includes(`${prefix} `),
    );

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'podroute-policy-'));
    machines = Namespace.bridged(
      'policy',
      [1, 2, 3].map((host) => [`192.0.2.${host}/24`, `fd00:2::${host}/64`]),
    );
    const [first, second, third] = machines;
    if (first === undefined || second === undefined || third === undefined)
      throw new Error('three were made');
    agent = new AgentProcess(first, folder, 'node-a', ['--dataplane', 'off']);
    agent.configure(cluster({}));
    for (const name of ['one', 'two']) mkdirSync(join(folder, name));
    birds = {
      one: new Bird(second, join(folder, 'one'), ONE_CONF),
      two: new Bird(third, join(folder, 'two'), TWO_CONF),
    };
    await Promise.all([agent.start(), birds.one.start(), birds.two.start()]);
    await until('both sessions are established', async () =>
      (await agent.peers()).every(({ state }) => state === 'Established'),
    );
  });

  // Whatever a case has changed: no session has ended for it.
  afterEach(async () => {
    for (const { counters, state } of await agent.peers()) {
      expect({ state, flaps: counters.flaps }).toEqual({ state: 'Established', flaps: 0 });
    }
  });

  afterAll(async () => {
    for (const machine of machines) await machine.remove();
    rmSync(folder, { recursive: true });
  });

  test('filters without rules leave everything to the pools', async () => {
    await agentUses('10.244.9.0/24', 'fd00:244::9:0/122');
    await told('one', '10.244.1.0/24', /BGP\.as_path: 64512\n/);
    await told('two', 'fd00:244::1:0/122');
    await notTold('two', '10.244.9.0/24');
  });

  test('an import filter widens and narrows, live, and the API names the rule', async () => {
    agent.configure(
      cluster({
        one: {
          importV4: [
            { action: 'Reject', ...only('10.244.9.0/24') },
            { action: 'Accept', cidr: '10.99.0.0/16', matchOperator: 'In', prefixLength: { max: 24 } },
          ],
          importV6: [{ action: 'Accept', ...only('fd00:99::/64') }],
        },
      }),
    );
    await agentUses('10.99.0.0/24', 'fd00:99::/64', 'fd00:244::9:0/122');
    expect((await agent.peer('peer/one')).rejected).toContainEqual({
      prefix: '10.244.9.0/24',
      reason: 'BGPFilter/for-one spec.importV4[0] rejects it',
    });
  });

  test('what is filtered out comes back from the Adj-RIB-In: the router sends nothing again', async () => {
    agent.configure(cluster({ one: { importV4: [{ action: 'Reject' }] } }));
    await agentUses('fd00:244::9:0/122');
    const before = (await agent.peer('peer/one')).counters.updatesIn;
    agent.configure(cluster({}));
    await agentUses('10.244.9.0/24', 'fd00:244::9:0/122');
    expect((await agent.peer('peer/one')).counters.updatesIn).toBe(before);
  });

  test.each([
    ['a community', { communities: { values: ['65001:666'] } }, '10.99.0.0/24'],
    ['the beginning of the AS path', { asPathPrefix: [65001, 65077] }, '198.51.100.0/24'],
    ['everything but a prefix', { cidr: '10.0.0.0/8', matchOperator: 'NotIn' }, '198.51.100.0/24'],
  ])('import by %s', async (_name, condition, expected) => {
    const importV4 = [{ action: 'Accept', peerType: 'eBGP', ...condition }, { action: 'Reject' }];
    agent.configure(cluster({ one: { importV4 } }));
    await agentUses(expected, 'fd00:244::9:0/122');
  });

  test('an export filter narrows, and its operations are what the router sees', async () => {
    agent.configure(
      cluster({
        one: {
          exportV4: [
            {
              action: 'Accept',
              ...only('10.244.1.0/24'),
              operations: [
                { addCommunity: { value: '65000:7' } },
                { addCommunity: { value: '65000:1:2' } },
                { prependASPath: { prefix: [65000, 65099] } },
                { setMED: { value: 50 } },
              ],
            },
          ],
          exportV6: [{ action: 'Reject' }],
        },
      }),
    );
    await told(
      'one',
      '10.244.1.0/24',
      /BGP\.as_path: 64512 65000 65099\n/,
      /BGP\.community: \(65000,7\)/,
      /BGP\.large_community: \(65000, 1, 2\)/,
      /BGP\.med: 50/,
    );
    await notTold('one', 'fd00:244::1:0/122');
    await told('two', 'fd00:244::1:0/122');
  });

  test('accept-all in and out makes both routers customers of a transit, in both families', async () => {
    agent.configure(cluster({ one: EVERYTHING, two: EVERYTHING }));
    await told('two', '198.51.100.0/24', /BGP\.as_path: 64512 65001 65077\n/);
    await told('two', 'fd00:99::/64', /BGP\.as_path: 64512 65001\n/);
    await told('one', '203.0.113.0/24', /BGP\.as_path: 64512 65002\n/);
    agent.configure(cluster({}));
    await notTold('two', '198.51.100.0/24');
    await notTold('two', 'fd00:99::/64');
    await notTold('one', '203.0.113.0/24');
  });

  test('source RemotePeers: the own block is told, what others announced is not', async () => {
    const exportV4 = [{ action: 'Reject', source: 'RemotePeers' }, { action: 'Accept' }];
    agent.configure(cluster({ one: { exportV4 }, two: EVERYTHING }));
    await agentUses('10.244.9.0/24', 'fd00:244::9:0/122', '203.0.113.0/24', 'fd00:113::/64');
    await told('one', '10.244.1.0/24');
    await notTold('one', '203.0.113.0/24');
  });

  test('nextHopMode changes the next hop of a session that stays up', async () => {
    const transit = { one: EVERYTHING, two: EVERYTHING };
    agent.configure(cluster(transit));
    await told('one', '203.0.113.0/24', /BGP\.next_hop: 192\.0\.2\.3\n/);
    agent.configure(cluster({ ...transit, peer: { nextHopMode: 'Self' } }));
    await told('one', '203.0.113.0/24', /BGP\.next_hop: 192\.0\.2\.1\n/);
    expect(agent.log()).toMatch(/next hop auto -> self/);
  });

  test('a community that an import filter adds is matched on the way out, and removed there', async () => {
    const tag = { addCommunity: { value: '65000:42' } };
    agent.configure(
      cluster({
        one: { importV4: [{ action: 'Accept', ...only('198.51.100.0/24'), operations: [tag] }] },
        two: {
          exportV4: [
            {
              action: 'Accept',
              communities: { values: ['65000:42'] },
              operations: [{ removeCommunity: tag.addCommunity }, { addCommunity: { value: '65000:43' } }],
            },
          ],
        },
      }),
    );
    expect(await told('two', '198.51.100.0/24', /BGP\.community: \(65000,43\)/)).not.toContain('(65000,42)');
  });

  test('ranges of services are announced, and prefixAdvertisements put communities on what is announced', async () => {
    agent.configure(
      cluster({
        configuration: {
          serviceClusterIPs: [{ cidr: '10.96.0.0/12' }],
          serviceExternalIPs: [{ cidr: 'fd00:5::/112' }],
          communities: [{ name: 'services', value: '65000:100' }],
          prefixAdvertisements: [
            { cidr: '10.96.0.0/12', communities: ['services'] },
            { cidr: '10.244.0.0/16', communities: ['65000:7:8', '65000:200'] },
          ],
        },
      }),
    );
    for (const to of ['one', 'two'] as const) {
      await told(to, '10.96.0.0/12', /BGP\.as_path: 64512\n/, /BGP\.community: \(65000,100\)\n/);
      await told(
        to,
        '10.244.1.0/24',
        /BGP\.community: \(65000,200\)/,
        /BGP\.large_community: \(65000, 7, 8\)/,
      );
      await told(to, 'fd00:5::/112');
    }
    agent.configure(cluster({}));
    await notTold('one', '10.96.0.0/12');
    await until('the community is gone', () => {
      const shown = birds.one.ask('show', 'route', '10.244.1.0/24', 'all');
      return shown.includes('10.244.1.0/24 ') && !shown.includes('BGP.community');
    });
  });

  test('a filter that does not exist leaves the configuration in force and is named', async () => {
    agent.configure(cluster({ peer: { filters: ['for-noe'] } }));
    const { configErrors } = await until('the error is shown', async () => {
      const status = await agent.status();
      return status.configErrors.length > 0 && status;
    });
    expect(configErrors).toEqual([
      expect.stringContaining('"for-noe" is no BGPFilter of these resources; did you mean "for-one"?'),
    ]);
    agent.configure(cluster({}));
    await until('the error is gone', async () => (await agent.status()).configErrors.length === 0);
  });
});
