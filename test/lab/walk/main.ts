#!/usr/bin/env node
/**
 * The walk's command line: `walk.js --name LAB --seed N --events N --topology FILE --agent FILE --json FILE`, as root,
 * on a kernel that has ipip. Exit status 0: all agreed; 1: they did not.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { standardOutput } from '../output.js';
import { walk } from './walk.js';

const { values } = parseArgs({
  options: {
    name: { type: 'string', default: 'walk' },
    seed: { type: 'string', default: '1' },
    events: { type: 'string', default: '300' },
    topology: { type: 'string', default: 'deploy/lab/mesh.yaml' },
    agent: { type: 'string', default: 'dist/podroute.js' },
    json: { type: 'string' },
  },
});
const results = await walk(standardOutput(process.env), {
  lab: values.name,
  seed: Number(values.seed),
  events: Number(values.events),
  topologyFile: values.topology,
  agentFile: values.agent,
});
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
for (const fault of results.faults) process.stdout.write(`${fault}\n`);
process.exitCode = results.faults.length === 0 ? 0 : 1;
