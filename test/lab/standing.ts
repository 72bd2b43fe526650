/** A lab that was kept, with what must be known of it to change it. */
import { GrowthError } from './growth.js';
import type { RunOptions } from './results.js';
import { type LabRecord, type NodeSetup, readLab } from './state.js';
import type { Topology } from './topology.js';
import { loadTopology } from './topology-file.js';

export interface StandingLab {
  readonly record: LabRecord;
  readonly setup: NodeSetup;
  /** As it is now. */
  readonly topology: Topology;
}

/** @throws GrowthError where there is none */
export function standingLab({ lab }: RunOptions): StandingLab {
  const record = readLab(lab);
  if (record === undefined) throw new GrowthError(`no lab ${lab} is running: npm run lab -- --keep`);
  if (record.nodes === undefined)
    throw new GrowthError(`lab ${lab} is a test's, which runs its programs itself`);
  return { record, setup: record.nodes, topology: loadTopology(record.topologyFile) };
}
