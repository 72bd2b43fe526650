/**
 * What the data plane relies on of a kernel: one suite for the fake and the real one, a file a subject. Where the two
 * differ, the fake is wrong.
 */
import { kernelEventSuite } from './kernel-event-suite.js';
import { kernelLookupSuite } from './kernel-lookup-suite.js';
import { kernelOwnerSuite } from './kernel-owner-suite.js';
import { kernelRouteSuite } from './kernel-route-suite.js';
import type { Machine } from './machine.js';

/** Runs the suite over machines that `make` makes, one per test. */
export function kernelSuite(make: () => Machine): void {
  for (const suite of [kernelRouteSuite, kernelOwnerSuite, kernelLookupSuite, kernelEventSuite]) suite(make);
}
