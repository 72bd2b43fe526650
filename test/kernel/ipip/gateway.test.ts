/** Peers behind gateways on the running kernel, in network namespaces of their own. Needs root and iproute2. */
import { describe } from 'vitest';
import { gatewaySuite } from '../../support/gateway-suite.js';
import { RealMachine } from '../../support/machine.js';

describe('peers behind gateways on the running kernel', () => {
  gatewaySuite(() => new RealMachine());
});
