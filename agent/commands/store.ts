/**
 * What the commands that read or write the cluster's resources share: which store, and what it means that it fails.
 *
 * Owns: the options of the store and of the output, the sources of manifests, exit statuses. Must not know: what the
 * resources mean.
 */
import { text } from 'node:stream/consumers';
import {
  type CliIo,
  type CommandOption,
  EXIT,
  type ExitStatus,
  type OptionValues,
  UsageError,
} from '../../api/index.js';
import { loadSettings } from '../config/index.js';
import {
  createDatastore,
  type Datastore,
  readManifests,
  type StoredResource,
  StoreError,
} from '../datastore/index.js';
import { KIND_NAMES, keyText, type ResourceKey, readKind } from '../manifests/index.js';
import { type ConfigError, checkText, formatConfigError, type ManifestFile } from '../resources/index.js';
import { didYouMean } from '../schema/index.js';

/** What the commands need beside their arguments. */
export interface StoreHooks {
  readonly version: string;
  streams(): { readonly stdin: AsyncIterable<Uint8Array> };
}

export const STORE_OPTIONS: Readonly<Record<string, CommandOption>> = {
  datastore: {
    value: 'URL',
    help: 'the cluster resources (default: as the settings of the agent say: PODROUTE_DATASTORE, /etc/podroute/agent.yaml)',
  },
  config: { value: 'FILE', help: 'the file with the settings of the agent' },
};

export const FILE_OPTION: CommandOption = {
  short: 'f',
  value: 'FILE',
  isRepeatable: true,
  help: 'manifests: a file, a folder, or - for standard input; may be given several times',
};

export const STORE_EXITS = [[EXIT.unreachable, 'the store cannot be reached or read']] as const;

/** An open store, and what is in it. */
export interface OpenStore {
  readonly datastore: Datastore;
  readonly stored: readonly StoredResource[];
}

/** Opens the store and reads it; whatever happens, it is closed again. No agent needs to run. */
export async function withStore(
  values: OptionValues,
  io: CliIo,
  work: (store: OpenStore) => Promise<ExitStatus>,
): Promise<ExitStatus> {
  const flags = Object.keys(STORE_OPTIONS).flatMap((name) =>
    values[name] === undefined ? [] : [`--${name}=${values[name]}`],
  );
  // The name of this machine is of no interest here, and may be none that a Node can have.
  const result = await loadSettings({ argv: flags, env: io.env, hostname: 'localhost' });
  if ('errors' in result) {
    io.stderr.write(`${checkText(result.errors)}\n`);
    return EXIT.usage;
  }
  for (const warning of result.warnings) io.stderr.write(`warning: ${formatConfigError(warning)}\n`);
  const created = createDatastore(result.settings.datastore);
  if ('problem' in created) throw new UsageError(created.problem);
  const { datastore } = created;
  let isRead = false;
  try {
    const stored = await datastore.list();
    isRead = true;
    return await work({ datastore, stored });
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    io.stderr.write(`${error.message}\n`);
    return isRead && datastore.health().state !== 'unreachable' ? EXIT.attention : EXIT.unreachable;
  } finally {
    await datastore.stop();
  }
}

/** What the files, folders and standard input hold, as texts; or what is wrong with reading them. */
export async function readSources(
  values: OptionValues,
  hooks: StoreHooks,
): Promise<{ readonly files: readonly ManifestFile[]; readonly errors: readonly ConfigError[] }> {
  const files: ManifestFile[] = [];
  const errors: ConfigError[] = [];
  for (const path of sourcesOf(values)) {
    if (path === '-') {
      files.push({ path: 'standard input', text: await text(hooks.streams().stdin) });
    } else {
      const snapshot = await readManifests(path, 'does not exist; correct the path');
      files.push(...snapshot.files);
      errors.push(...snapshot.errors);
    }
  }
  return { files, errors };
}

export function sourcesOf(values: OptionValues): readonly string[] {
  const { file } = values;
  return Array.isArray(file) ? file : [];
}

/** `table`, or one of the other forms. */
export function readForm<Form extends string>(
  values: OptionValues,
  forms: readonly Form[],
): Form | undefined {
  const { output } = values;
  if (output === undefined) return undefined;
  const form = forms.find((candidate) => candidate === output);
  if (form !== undefined) return form;
  throw new UsageError(`--output must be one of ${forms.join(', ')}; it was "${output}"`);
}

/** `node a b`, or `Node/a BGPPeer/tor`, as the output of the commands names them. @throws UsageError */
export function readKeys(words: readonly string[]): readonly ResourceKey[] {
  const [first, ...rest] = words;
  if (first === undefined) throw new UsageError(`name a kind: ${KIND_NAMES.join(', ')}`);
  if (!first.includes('/')) {
    const kind = kindOf(first);
    return rest.map((name) => ({ kind, name }));
  }
  return words.map((word) => {
    const [kind = '', name, ...more] = word.split('/');
    if (name === undefined || name === '' || more.length > 0) {
      throw new UsageError(`"${word}" is no KIND/NAME; write it like Node/node-a`);
    }
    return { kind: kindOf(kind), name };
  });
}

/** @throws UsageError */
export function kindOf(word: string): string {
  const reading = readKind(word);
  if ('problem' in reading) throw new UsageError(reading.problem);
  return reading.kind;
}

/** What is not there is a wrong question. @throws UsageError */
export function mustExist(keys: readonly ResourceKey[], stored: readonly StoredResource[]): void {
  for (const key of keys) {
    const names = stored.filter(({ kind }) => kind === key.kind).map(({ name }) => name);
    if (names.includes(key.name)) continue;
    throw new UsageError(`there is no ${keyText(key)}${didYouMean(key.name, names)}`);
  }
}
