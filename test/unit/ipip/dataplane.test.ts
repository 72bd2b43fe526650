/** The data plane on the fake kernel: the suites it shares with the real one. */
import { describe } from 'vitest';
import { dataplaneSuite } from '../../support/dataplane-suite.js';
import { FakeMachine } from '../../support/fake-machine.js';
import { routeSuite } from '../../support/route-suite.js';

describe('the data plane on the fake kernel', () => {
  dataplaneSuite(() => new FakeMachine({ hasIpip: true }));
  routeSuite(() => new FakeMachine({ hasIpip: true }));
});
