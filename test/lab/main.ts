#!/usr/bin/env node
/** The lab's command line: `npm run lab -- [COMMAND] [OPTIONS]`. */
import { main } from './command-line.js';

process.exitCode = await main(process.argv.slice(2));
