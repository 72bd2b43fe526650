/** The traffic generator as a program: `node dist/traffic.js`, orders on its standard input. */
import { runGenerator } from './generator.js';

await runGenerator();
