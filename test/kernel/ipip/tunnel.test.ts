/**
 * The tunnel on a real kernel. Where the running one has no ipip, that is proven to be told well, and this same file
 * runs again inside User-Mode Linux, whose kernel has it. Needs root and iproute2, there also user-mode-linux and kmod.
 */
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { formatIpAddress } from '../../../bgp/net/index.js';
import { kernelShortfall } from '../../../deploy/kernel.mjs';
import { cleanUp, defaultDataplaneSettings, OutgoingNat, SettingRecord } from '../../../ipip/index.js';
import { rtnetlinkKernel } from '../../../ipip/kernel/rtnetlink.js';
import { procSysctl } from '../../../ipip/kernel/sysctl.js';
import { volatileStore } from '../../../ipip/setting-record.js';
import { inNamespace } from '../../lab/libc.js';
import { prefix } from '../../support/addresses.js';
import { tunnelCrossroads } from '../../support/crossroads.js';
import { FakeClock } from '../../support/fake-clock.js';
import { RealMachine } from '../../support/machine.js';
import { multipathSuite } from '../../support/multipath-suite.js';
import { Namespace } from '../../support/netns.js';
import { changes, FACTS, learned, Plane } from '../../support/plane.js';
import { podTunnelSuite } from '../../support/pod-tunnel-suite.js';
import { noTunnelSuite, tunnelSuite } from '../../support/tunnel-suite.js';
import { runInUml } from '../../support/uml.js';
import { until } from '../../support/until.js';

const UML_TIMEOUT_MS = 400_000;

if (kernelShortfall() === undefined) {
  describe('the tunnel on the running kernel', () => {
    tunnelSuite(() => new RealMachine());

    test("the node's own packets take the tunnel's address as source, and the node's when direct", async () => {
      const machine = new RealMachine();
      machine.addDevice('eth0', '192.168.1.11/24');
      machine.ip('route add default via 192.168.1.254');
      const { dataplane } = new Plane(machine);
      await dataplane.start();
      dataplane.setNode(FACTS);
      dataplane.applyChanges(
        changes(learned('10.244.2.0/24', '192.168.1.12'), learned('10.244.3.0/24', '192.168.2.11')),
      );
      await dataplane.settled();
      expect(machine.sourceTowards('10.244.3.1')).toBe('10.244.1.0');
      expect(machine.sourceTowards('10.244.2.1')).toBe('192.168.1.11');
      await dataplane.stop();
      await machine.remove();
    });

    test("the tunnel's address changes: another process sees its routes replaced, and never gone", async () => {
      const namespace = Namespace.create('podroute-ipip');
      const machine = new RealMachine(namespace);
      machine.addDevice('eth0', '192.168.1.11/24');
      machine.ip('route add default via 192.168.1.254');
      const { dataplane } = new Plane(machine);
      await dataplane.start();
      dataplane.setNode(FACTS);
      dataplane.applyChanges(changes(learned('10.244.3.0/24', '192.168.2.11')));
      await dataplane.settled();
      const seen: string[] = [];
      const witness = rtnetlinkKernel();
      await inNamespace(`/run/netns/${namespace.name}`, () =>
        witness.open((events) => {
          for (const event of events) {
            if (event.kind === 'address') seen.push('address');
            if (event.kind !== 'route' || event.route.prefix !== prefix('10.244.3.0/24')) continue;
            const { source } = event.route;
            seen.push(`${event.replaced ? 'replaced' : event.change}, ${source && formatIpAddress(source)}`);
          }
        }),
      );
      dataplane.setNode({ ...FACTS, blocks: [prefix('10.244.7.0/24')] });
      await dataplane.settled();
      await until('the old address is gone', () => seen.filter((text) => text === 'address').length === 2);
      // Added, the route replaced, the old one removed: in no other order is there a route all the time.
      expect(seen).toEqual(['address', 'replaced, 10.244.7.0', 'address']);
      expect(machine.addresses('podroute0')).toEqual(['10.244.7.0/32']);
      await witness.close();
      await dataplane.stop();
      await machine.remove();
    });

    test('path MTU discovery goes below the MTU of the route', async () => {
      const [node, router] = Namespace.linked('podroute-pmtu', ['192.168.1.11/24'], ['192.168.1.254/24']);
      const far = Namespace.create('podroute-pmtu');
      router.ip(
        'link',
        'add',
        'eth1',
        'mtu',
        '1300',
        'type',
        'veth',
        'peer',
        'name',
        'eth0',
        'netns',
        far.name,
      );
      router.ip('address', 'add', '192.168.2.254/24', 'dev', 'eth1');
      router.ip('link', 'set', 'eth1', 'up');
      inNamespace(`/run/netns/${router.name}`, () => procSysctl.write('net/ipv4/ip_forward', '1'));
      far.ip('address', 'add', '192.168.2.11/24', 'dev', 'eth0');
      far.ip('link', 'set', 'eth0', 'up');
      far.ip('route', 'add', 'default', 'via', '192.168.2.254');
      far.ip('link', 'add', 'back', 'type', 'ipip', 'local', '192.168.2.11', 'remote', '192.168.1.11');
      far.ip('address', 'add', '10.244.3.1/32', 'dev', 'back');
      far.ip('link', 'set', 'back', 'up');
      far.ip('route', 'add', '10.244.1.0/24', 'dev', 'back');
      const machine = new RealMachine(node);
      machine.ip('route add default via 192.168.1.254');
      const { dataplane } = new Plane(machine);
      await dataplane.start();
      dataplane.setNode(FACTS);
      dataplane.applyChanges(changes(learned('10.244.3.0/24', '192.168.2.11')));
      await dataplane.settled();
      const ping = (bytes: number) => {
        const { status } = spawnSync('ip', [
          ...['netns', 'exec', node.name],
          'ping',
          '-n',
          '-M',
          'do',
          '-c',
          '1',
          '-W',
          '2',
          '-s',
          `${bytes}`,
          '10.244.3.1',
        ]);
        return status === 0;
      };
      expect(ping(100)).toBe(true);
      // 1428 octets with their headers: the route takes them, the far link does not.
      expect(ping(1400)).toBe(false);
      // The router has told the tunnel; the tunnel tells those who send into it.
      expect(ping(1400)).toBe(false);
      expect(node.ip('route', 'get', '10.244.3.1')).toMatch(/ mtu 1280\b/);
      expect(ping(1200)).toBe(true);
      expect(dataplane.route(prefix('10.244.3.0/24'))?.kernel?.mtuBytes).toBe(1480);
      await dataplane.stop();
      await machine.remove();
      await router.remove();
      await far.remove();
    });

    test('outgoing NAT is in force, or one sentence says what the kernel lacks', async () => {
      const machine = new RealMachine();
      const nat = new OutgoingNat({ ruleSets: machine.ruleSets, clock: new FakeClock(), report: () => {} });
      const pools = [prefix('10.244.0.0/16')];
      nat.set({ masqueraded: pools, pools, nodes: [] });
      await nat.settled();
      const reason = 'this kernel has no nf_tables with NAT';
      expect(nat.status()).toMatchObject(
        machine.hasNat() ? { state: 'on' } : { state: 'failed', reason: expect.stringContaining(reason) },
      );
      nat.set({ masqueraded: [], pools, nodes: [] });
      await nat.settled();
      expect(nat.status().state).toBe('off');
      await nat.stop();
      await machine.remove();
    });

    test('after cleanup nothing is left that was not there before', async () => {
      const machine = new RealMachine();
      machine.addDevice('eth0', '192.168.1.11/24', '2001:db8::11/64');
      machine.ip('route add default via 192.168.1.254');
      machine.ip('link add other0 type ipip local 192.168.1.11 remote 192.168.2.99');
      machine.sysctl.write('net/ipv4/conf/all/rp_filter', '1');
      await machine.atRest();
      const before = machine.dump();
      const store = volatileStore();
      const { dataplane } = new Plane(machine, { settingStore: store });
      await dataplane.start();
      dataplane.setNode({ ...FACTS, blocks: [...FACTS.blocks, prefix('fd00:244:1::/64')] });
      dataplane.applyChanges(
        changes(learned('10.244.2.0/24', '192.168.1.12'), learned('10.244.3.0/24', '192.168.2.11')),
      );
      await dataplane.settled();
      await dataplane.stop();
      expect(machine.dump()).not.toEqual(before);
      const { kernel, sysctl, ruleSets } = machine;
      const parts = { kernel, sysctl, ruleSets, settings: defaultDataplaneSettings };
      const items = await cleanUp({ ...parts, record: new SettingRecord(store) }, false);
      expect(items.map(({ outcome, kind, what }) => `${outcome} ${kind} ${what}`)).toEqual(
        expect.arrayContaining([
          'removed route 10.244.3.0/24 via 192.168.2.11 dev podroute0',
          'removed route blackhole fd00:244:1::/64',
          'restored setting net.ipv4.conf.eth0.rp_filter = 0 (was 2)',
          'restored setting net.ipv6.conf.all.forwarding = 0 (was 1)',
          'removed address 10.244.1.0/32 dev podroute0',
          'removed device podroute0',
        ]),
      );
      expect(items.filter(({ outcome }) => outcome === 'failed' || outcome === 'left')).toEqual([]);
      expect(machine.dump()).toEqual(before);
      await machine.remove();
    });
  });

  describe('pods on both ends of the tunnel', () => {
    podTunnelSuite();
  });

  describe('two next hops through the tunnel and one beside it, under traffic', () => {
    multipathSuite(tunnelCrossroads);
  });
} else {
  describe('the running kernel without ipip', () => {
    noTunnelSuite(() => new RealMachine());
  });

  test(
    'this file in User-Mode Linux, whose kernel has ipip',
    async () => {
      const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/vitest.config.ts'];
      const { status, stdout, stderr } = await runInUml({
        command: [
          process.execPath,
          ...vitest,
          '--configLoader',
          'runner',
          '--reporter=verbose',
          'test/kernel/ipip/tunnel.test.ts',
        ],
        env: { CI: '1', NO_COLOR: '1' },
        timeoutMs: UML_TIMEOUT_MS,
      });
      expect(status, `${stdout}\n${stderr}`).toBe(0);
      expect(stdout).toContain('the tunnel on the running kernel');
      expect(stdout).toMatch(/Tests +(\d+) passed \(\1\)/);
    },
    UML_TIMEOUT_MS,
  );
}
