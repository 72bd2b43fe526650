#!/usr/bin/env node
/**
 * The entry of the program `podroute`. A fault of ours ends it with the stack on standard error.
 */
import { run } from './commands/index.js';

process.exitCode = await run(process.argv.slice(2), process);
