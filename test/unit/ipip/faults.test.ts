/**
 * The suites of data plane and tunnel again, once for each way in which a kernel fails: what they assert holds in spite of
 * it. The idea is that of Felix's failure scenarios.
 */
import { describe } from 'vitest';
import { dataplaneSuite } from '../../support/dataplane-suite.js';
import { FakeMachine } from '../../support/fake-machine.js';
import { type Fault, faultText } from '../../support/faulty-kernel.js';
import type { Machine } from '../../support/machine.js';
import { tunnelSuite } from '../../support/tunnel-suite.js';
import { VirtualPlane } from '../../support/virtual-plane.js';

/** Each call and each errno at least once; the first time is at the start, later ones in passes and read-backs. */
const FAULTS: readonly Fault[] = [
  { call: 'links', errno: 'EINTR', nth: 1 },
  { call: 'addresses', errno: 'DUMP_INTERRUPTED', nth: 1 },
  { call: 'routes', errno: 'ENOBUFS', nth: 1 },
  { call: 'links', errno: 'ENOMEM', nth: 2 },
  { call: 'addresses', errno: 'EINTR', nth: 3 },
  { call: 'routes', errno: 'DUMP_INTERRUPTED', nth: 2 },
  { call: 'routes', errno: 'CLOSED', nth: 2 },
  { call: 'neighbours', errno: 'EINTR', nth: 1 },
  { call: 'neighbours', errno: 'ENOBUFS', nth: 2 },
  { call: 'lookup', errno: 'ENOBUFS', nth: 1 },
  { call: 'lookup', errno: 'EINTR', nth: 2 },
  { call: 'apply', errno: 'EAGAIN', nth: 1 },
  { call: 'apply', errno: 'ENOBUFS', nth: 2 },
  { call: 'answers', errno: 'ENOBUFS', nth: 1 },
  { call: 'answers', errno: 'ENOBUFS', nth: 2 },
  { call: 'events', errno: 'ENOBUFS', nth: 1 },
  { call: 'events', errno: 'ENOBUFS', nth: 2 },
  { call: 'events', errno: 'SILENCE', nth: 1 },
  { call: 'events', errno: 'SILENCE', nth: 2 },
  { call: 'add', errno: 'ENOMEM', nth: 1 },
  { call: 'add', errno: 'EEXIST', nth: 2 },
  { call: 'add', errno: 'ENETUNREACH', nth: 2 },
  { call: 'add', errno: 'ENETDOWN', nth: 3 },
  { call: 'add', errno: 'ENODEV', nth: 2 },
  { call: 'add', errno: 'EINVAL', nth: 2 },
  { call: 'replace', errno: 'ENOENT', nth: 1 },
  { call: 'replace', errno: 'EPERM', nth: 1 },
  { call: 'delete', errno: 'ESRCH', nth: 1 },
  { call: 'delete', errno: 'EBUSY', nth: 1 },
  { call: 'createIpip', errno: 'EEXIST', nth: 1 },
  { call: 'createIpip', errno: 'EOPNOTSUPP', nth: 1 },
  { call: 'changeIpip', errno: 'EINVAL', nth: 1 },
  { call: 'setMtu', errno: 'EBUSY', nth: 1 },
  { call: 'setUp', errno: 'ENODEV', nth: 1 },
  { call: 'addAddress', errno: 'ENOBUFS', nth: 1 },
  { call: 'removeAddress', errno: 'EADDRNOTAVAIL', nth: 1 },
  { call: 'deleteLink', errno: 'EBUSY', nth: 1 },
];

describe.each(FAULTS.map((fault) => ({ name: faultText(fault), fault })))('$name', ({ fault }) => {
  const make = () => new FakeMachine({ hasIpip: true });
  const planeOn = (machine: Machine) => new VirtualPlane(machine, fault);
  describe('the data plane', () => dataplaneSuite(make, planeOn));
  describe('the tunnel', () => tunnelSuite(make, planeOn));
});
