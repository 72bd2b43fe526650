/**
 * `podroute cleanup`: takes away everything that the agent of this node leaves behind.
 *
 * Owns: the command: when it refuses, what it says, its exit status. Must not know: what of the kernel is ours.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  AgentError,
  type CliIo,
  EXIT,
  type ExitStatus,
  fetchJson,
  formatApiTarget,
  isDeadSocket,
  Status,
} from '../../api/index.js';
import {
  type CleanupItem,
  type CleanupParts,
  cleanUp,
  nftables,
  procSysctl,
  rtnetlinkKernel,
  SettingRecord,
  type SettingStore,
} from '../../ipip/index.js';
import { type AgentSettings, loadSettings, settingsHelp } from '../config/index.js';
import { ownConfigurations } from '../pods/index.js';
import { checkText, formatConfigError } from '../resources/index.js';
import {
  dissolveStateFolder,
  folderHolder,
  heldText,
  ownFiles,
  ownStateFiles,
  RuntimeFolder,
  readOnlyStore,
  settingStore,
} from '../runtime/index.js';
import { StartError } from '../start-error.js';
import { refusalOf } from './refusal.js';

export const CLEANUP_SUMMARY =
  'Remove everything that the agent of this node leaves behind, once it is stopped.';

export function cleanupHelp(): string {
  return [
    'Usage: podroute cleanup [OPTIONS]',
    '',
    CLEANUP_SUMMARY,
    'Routes, tunnel, nftables tables, files; kernel settings become what they were. Nothing of others is touched.',
    'A second run finds nothing. While an agent runs, it refuses.',
    '',
    'Options:',
    '      --dry-run        show the same lines, and touch nothing',
    '  -o, --output FORMAT  table or json (default table)',
    '',
    'The settings of the agent say what is its own; they come from the same flags, variables and file:',
    settingsHelp(),
    '',
    'Exit status:',
    '  0  nothing of it is left',
    '  1  an agent runs, something could not be removed, or this user may not',
    '  2  the command line or the settings are wrong',
    '',
  ].join('\n');
}

const STOP_FIRST = 'stop it first, or it would put everything back';

/** What is printed; files are the agent's part. */
interface Line extends Omit<CleanupItem, 'kind'> {
  readonly kind: CleanupItem['kind'] | 'file' | 'folder';
}

export async function runCleanup(argv: readonly string[], io: CliIo): Promise<ExitStatus> {
  const options = readOptions(argv);
  if ('problem' in options) return refuse(io, options.problem, EXIT.usage);
  const result = await loadSettings({ argv: options.rest, env: io.env, hostname: hostname() });
  if ('errors' in result) {
    io.stderr.write(`${checkText(result.errors)}\nTry: podroute cleanup --help\n`);
    return EXIT.usage;
  }
  for (const warning of result.warnings) io.stderr.write(`warning: ${formatConfigError(warning)}\n`);
  try {
    const running = await runningAgent(result.settings);
    if (running !== undefined) return refuse(io, running, EXIT.attention);
    const lines = await clean(result.settings, options.dryRun);
    print(lines, options, io);
    return lines.some(({ outcome }) => outcome === 'failed') ? EXIT.attention : EXIT.ok;
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === undefined) throw error;
    return refuse(io, refusal.text, refusal.exitStatus);
  }
}

interface Options {
  readonly dryRun: boolean;
  readonly json: boolean;
  /** The settings' flags. */
  readonly rest: readonly string[];
}

/** Takes our own options out; what is left is for the settings, which know all that may stand there. */
function readOptions(argv: readonly string[]): Options | { readonly problem: string } {
  const { tokens } = parseArgs({
    args: [...argv],
    options: { 'dry-run': { type: 'boolean' }, output: { type: 'string', short: 'o' } },
    strict: false,
    tokens: true,
  });
  const taken = new Set<number>();
  let dryRun = false;
  let output = 'table';
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    if (token.name === 'dry-run') dryRun = true;
    else if (token.name === 'output') output = token.value ?? '';
    else continue;
    taken.add(token.index);
    if (token.inlineValue === false) taken.add(token.index + 1);
  }
  if (output !== 'table' && output !== 'json') {
    return { problem: `--output must be table or json; it was "${output}"` };
  }
  const rest = argv.filter((_word, index) => !taken.has(index));
  return { dryRun, json: output === 'json', rest };
}

/** It would put everything back. @returns the sentence; undefined: none runs */
async function runningAgent({ runDir, api }: AgentSettings): Promise<string | undefined> {
  const holder = folderHolder(runDir);
  if (holder !== undefined) return `${heldText(runDir, holder)}; ${STOP_FIRST}`;
  try {
    const { node, dataplane } = await fetchJson(api, '/status', Status);
    if (!dataplane.enabled) return undefined;
    return `the agent of ${node} answers at ${formatApiTarget(api)}; ${STOP_FIRST}`;
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return undefined;
  }
}

async function clean(settings: AgentSettings, dryRun: boolean): Promise<readonly Line[]> {
  const { runDir, stateDir, api, cniConfDir } = settings;
  // Before anything is done: the lock that we take ourselves is no finding.
  const files = [
    ...ownFiles(runDir),
    ...(api.type === 'unix' && (await isDeadSocket(api.path)) ? [api.path] : []),
  ];
  const stateFiles = ownStateFiles(stateDir);
  const configurations = cniConfDir === undefined ? [] : configurationsIn(cniConfDir);
  const runLines = [...files.map(fileLine), ...folderLines(runDir, files)];
  const stateLines = [...stateFiles.map(fileLine), ...folderLines(stateDir, stateFiles)];
  const fileLines = [...runLines, ...stateLines];
  if (dryRun) {
    const store: SettingStore = { ...readOnlyStore(runDir), save: () => undefined };
    const items = await cleanUp(partsOf(settings, store), true);
    return [...items, ...configurations.map(fileLine), ...fileLines];
  }
  const folder = RuntimeFolder.open(runDir);
  try {
    const store = settingStore(folder);
    const items = await cleanUp(partsOf(settings, store), false);
    const removed = configurations.map(removeFile);
    // What could not be put back must be known to the next run.
    if (items.some(({ kind, outcome }) => kind === 'setting' && outcome === 'failed')) {
      return [...items, ...removed];
    }
    folder.dissolve(files);
    return [...items, ...removed, ...runLines, ...removeState(stateDir, stateLines)];
  } catch (error) {
    // Refused: then not even our own lock is left.
    if (fileLines.length === 0) folder.dissolve();
    throw error;
  } finally {
    folder.close();
  }
}

function configurationsIn(folder: string): readonly string[] {
  try {
    return ownConfigurations(folder);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    throw new StartError(
      `the CNI configurations cannot be read (${error.message}); run as root, or leave --cni-conf-dir out`,
      { cause: error },
    );
  }
}

function partsOf({ tunnelDevice, routeProtocol }: AgentSettings, store: SettingStore): CleanupParts {
  return {
    kernel: rtnetlinkKernel(),
    sysctl: procSysctl,
    ruleSets: nftables,
    record: new SettingRecord(store),
    settings: { tunnelDevice, routeProtocol },
  };
}

function fileLine(path: string): Line {
  return { kind: 'file', what: path, outcome: 'removed' };
}

/** In a folder of others, who may have kept it from us. */
function removeFile(path: string): Line {
  try {
    rmSync(path, { force: true });
    return fileLine(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    return { kind: 'file', what: path, outcome: 'failed', reason: error.message };
  }
}

/** @param lines what is told of it where all goes well */
function removeState(folder: string, lines: readonly Line[]): readonly Line[] {
  try {
    dissolveStateFolder(folder);
    return lines;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    return [{ kind: 'folder', what: folder, outcome: 'failed', reason: error.message }];
  }
}

/** The folder goes where nothing else is in it. */
function folderLines(folder: string, own: readonly string[]): readonly Line[] {
  if (!existsSync(folder)) return [];
  const others = readdirSync(folder).filter((name) => !own.includes(join(folder, name)));
  const line = { kind: 'folder', what: folder } as const;
  if (others.length === 0) return [{ ...line, outcome: 'removed' }];
  if (own.length === 0) return [];
  return [{ ...line, outcome: 'left', reason: `it holds files of others: ${others.join(', ')}` }];
}

function print(lines: readonly Line[], { json, dryRun }: Options, io: CliIo): void {
  if (json) {
    const items = lines.map((line) => ({ ...line, reason: line.reason ?? null }));
    io.stdout.write(`${JSON.stringify({ dryRun, items }, null, 2)}\n`);
    return;
  }
  if (dryRun && lines.length > 0) io.stderr.write('A dry run: what follows would be done, and nothing is.\n');
  if (lines.length === 0) io.stdout.write('There is nothing of podroute on this machine.\n');
  for (const { kind, what, outcome, reason } of lines) {
    io.stdout.write(`${outcome} ${kind} ${what}${reason === undefined ? '' : `: ${reason}`}\n`);
  }
}

function refuse(io: CliIo, sentence: string, status: ExitStatus): ExitStatus {
  io.stderr.write(`podroute cleanup: ${sentence}\n`);
  return status;
}
