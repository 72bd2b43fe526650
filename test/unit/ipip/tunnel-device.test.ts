/** The tunnel on the fake kernel: the suites it shares with real ones. */
import { describe } from 'vitest';
import { FakeMachine } from '../../support/fake-machine.js';
import { noTunnelSuite, tunnelSuite } from '../../support/tunnel-suite.js';

describe('the tunnel on the fake kernel', () => {
  tunnelSuite(() => new FakeMachine({ hasIpip: true }));
});

describe('the fake kernel without ipip', () => {
  noTunnelSuite(() => new FakeMachine({ hasIpip: false }));
});
