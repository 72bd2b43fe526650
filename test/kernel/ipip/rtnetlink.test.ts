/** The rtnetlink port on the running kernel, in network namespaces of its own. Needs root and iproute2. */
import { describe } from 'vitest';
import { kernelHabitsSuite } from '../../support/kernel-habits-suite.js';
import { kernelSuite } from '../../support/kernel-suite.js';
import { RealMachine } from '../../support/machine.js';

describe('the running kernel', () => {
  kernelSuite(() => new RealMachine());
  kernelHabitsSuite(() => new RealMachine());
});
