/** The fake kernel of the tests behaves as the suite demands of the real one. */
import { describe } from 'vitest';
import { FakeMachine } from '../../../support/fake-machine.js';
import { kernelHabitsSuite } from '../../../support/kernel-habits-suite.js';
import { kernelSuite } from '../../../support/kernel-suite.js';

describe('the fake kernel', () => {
  kernelSuite(() => new FakeMachine({ hasIpip: true }));
  kernelHabitsSuite(() => new FakeMachine({ hasIpip: true }));
});
