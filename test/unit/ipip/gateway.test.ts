/** Peers behind gateways on the fake kernel: the suite it shares with the real one. */
import { describe } from 'vitest';
import { FakeMachine } from '../../support/fake-machine.js';
import { gatewaySuite } from '../../support/gateway-suite.js';

describe('peers behind gateways on the fake kernel', () => {
  gatewaySuite(() => new FakeMachine({ hasIpip: true }));
});
