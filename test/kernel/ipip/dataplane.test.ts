/** The data plane on the running kernel, in network namespaces of its own. Needs root and iproute2. */
import { describe } from 'vitest';
import { dataplaneSuite } from '../../support/dataplane-suite.js';
import { RealMachine } from '../../support/machine.js';
import { routeSuite } from '../../support/route-suite.js';

describe('the data plane on the running kernel', () => {
  dataplaneSuite(() => new RealMachine());
  routeSuite(() => new RealMachine());
});
