/**
 * The tunnel on a real kernel. Where the running one has no ipip, that is proven to be told well, and this same file
 * runs again inside User-Mode Linux, whose kernel has it. Needs root and iproute2, there also user-mode-linux and kmod.
 */
import { describe, expect, test } from 'vitest';
import { kernelShortfall } from '../../../deploy/kernel.mjs';
import { tunnelCrossroads } from '../../support/crossroads.js';
import { changes, FACTS, learned, Plane } from '../../support/dataplane-suite.js';
import { RealMachine } from '../../support/machine.js';
import { multipathSuite } from '../../support/multipath-suite.js';
import { noTunnelSuite, tunnelSuite } from '../../support/tunnel-suite.js';
import { runInUml } from '../../support/uml.js';

const UML_TIMEOUT_MS = 300_000;

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
