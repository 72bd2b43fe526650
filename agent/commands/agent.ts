/**
 * `podroute agent`: runs the agent until it is told to stop.
 *
 * Owns: signals, and which error ends the program with which exit status. Must not know: the parts of the agent.
 */
import { hostname } from 'node:os';
import { type CliIo, EXIT, type ExitStatus } from '../../api/index.js';
import { Agent } from '../agent.js';
import { loadSettings, settingsHelp } from '../config/index.js';
import { createLog } from '../log.js';
import { checkText, formatConfigError } from '../resources/index.js';
import { VERSION } from '../version.js';
import { refusalOf } from './refusal.js';

export const AGENT_SUMMARY = 'Run the agent of this node until it gets SIGTERM or SIGINT.';

export function agentHelp(): string {
  return [
    'Usage: podroute agent [OPTIONS]',
    '',
    AGENT_SUMMARY,
    'Routes and tunnel stay when it stops; the next start takes them over.',
    '',
    'Options:',
    settingsHelp(),
    '',
    'Exit status:',
    '  0  stopped by a signal',
    '  1  the machine refuses: a port in use, a missing capability or address',
    '  2  the settings or the cluster resources are wrong',
    '',
  ].join('\n');
}

/** Resolves when the agent has stopped, or could not start. */
export async function runAgent(argv: readonly string[], io: CliIo): Promise<ExitStatus> {
  const result = await loadSettings({ argv, env: io.env, hostname: hostname() });
  if ('errors' in result) {
    io.stderr.write(`${checkText(result.errors)}\nTry: podroute agent --help\n`);
    return EXIT.usage;
  }
  const { settings, warnings } = result;
  // What another program is told that finds our port in use: "podroute (pid 812)", not "node".
  process.title = 'podroute';
  const log = createLog(settings.logLevel, settings.nodeName);
  for (const warning of warnings) log.warn(formatConfigError(warning));
  try {
    const stopped = signal();
    const agent = await Agent.start({ settings, log, version: VERSION });
    log.info({ signal: await stopped }, 'stopping: routes and tunnel stay in place');
    await agent.stop();
    return EXIT.ok;
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === undefined) throw error;
    io.stderr.write(`podroute: ${refusal.text}\n`);
    return refusal.exitStatus;
  }
}

/** The first signal asks to stop; a second one ends the program at once, as it does by default. */
function signal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const signals = ['SIGTERM', 'SIGINT'] as const;
    for (const name of signals) {
      process.once(name, () => {
        for (const other of signals) process.removeAllListeners(other);
        resolve(name);
      });
    }
  });
}
