/**
 * `podroute apply` and `podroute delete`: a change of the resources, shown before it is made.
 *
 * Owns: the two commands. Must not know: what a change comes to and its words (changes), stores.
 */
import {
  type CliIo,
  type Command,
  type CommandOption,
  EXIT,
  type ExitStatus,
  type OptionValues,
  UsageError,
} from '../../api/index.js';
import {
  type ChangePlan,
  changeJson,
  changeLines,
  conflictText,
  planApply,
  planRemoval,
} from '../changes/index.js';
import { keyOf, statedVersion } from '../manifests/index.js';
import { type ConfigError, checkText, formatConfigError, type LocatedDocument } from '../resources/index.js';
import { readDocuments } from '../schema/index.js';
import {
  FILE_OPTION,
  mustExist,
  type OpenStore,
  readForm,
  readKeys,
  readSources,
  STORE_EXITS,
  STORE_OPTIONS,
  type StoreHooks,
  sourcesOf,
  withStore,
} from './store.js';

const CHANGE_OPTIONS: Readonly<Record<string, CommandOption>> = {
  file: FILE_OPTION,
  'dry-run': { help: 'show the same lines, and change nothing' },
  output: { short: 'o', value: 'FORMAT', help: 'table or json (default table)' },
  ...STORE_OPTIONS,
};

const SHOWN = [
  'Shown is every resource with the fields that differ, and for every node which BGP sessions come, go, are reset or',
  'go on with other values, and why. Nothing is written where anything would be wrong afterwards.',
];

export const apply: Command<StoreHooks> = {
  name: 'apply',
  summary: 'Create or replace cluster resources from manifests, and say what that does to sessions.',
  details: [
    ...SHOWN,
    '',
    'A manifest with metadata.resourceVersion (podroute get -o yaml) takes the place of that version alone; one without,',
    'of what was there when the change was shown. What somebody else has changed meanwhile is a conflict, and stays.',
  ],
  options: CHANGE_OPTIONS,
  exits: [
    [EXIT.ok, 'done, or there was nothing to do'],
    [EXIT.attention, 'a conflict, or the store takes no writes; nothing is written'],
    [EXIT.usage, 'the command line or the manifests are wrong; nothing is written'],
    ...STORE_EXITS,
  ],
  run: async (values, _argument, io, hooks) => {
    const form = readForm(values, ['table', 'json']);
    if (sourcesOf(values).length === 0) {
      throw new UsageError('name the manifests: -f FILE, -f FOLDER, or -f - for standard input');
    }
    const read = await readManifestDocuments(values, hooks);
    if ('errors' in read) return refuse(io, read.errors);
    return await withStore(values, io, (store) =>
      carryOut(store, planApply(store.stored, read.documents, factsOf(store)), values, form, io),
    );
  },
};

export const remove: Command<StoreHooks> = {
  name: 'delete',
  summary: 'Delete cluster resources, and say what that does to sessions.',
  argument: 'KIND NAME... | KIND/NAME...',
  moreArguments: Number.POSITIVE_INFINITY,
  details: [
    ...SHOWN,
    '',
    'With -f, what the manifests name is deleted, whatever else they say; one with metadata.resourceVersion only in that',
    'version. A deleted Node leaves the mesh; the pod subnets that it has claimed stay reserved for it until they are',
    'released (podroute ipam release). A running agent that joins by itself enters its Node again: stop it first.',
  ],
  options: CHANGE_OPTIONS,
  exits: [
    [EXIT.ok, 'done, or there was nothing to do'],
    [EXIT.attention, 'a conflict, or the store takes no writes; nothing is deleted'],
    [EXIT.usage, 'the command line is wrong, or others would be left wrong; nothing is deleted'],
    ...STORE_EXITS,
  ],
  run: async (values, argument, io, hooks, more) => {
    const form = readForm(values, ['table', 'json']);
    const words = argument === undefined ? [] : [argument, ...more];
    const hasFiles = sourcesOf(values).length > 0;
    if (hasFiles === words.length > 0) {
      throw new UsageError('say what to delete: KIND NAME, KIND/NAME, or -f FILE; either names or files');
    }
    const keys = hasFiles ? [] : readKeys(words);
    if (!hasFiles && keys.length === 0) throw new UsageError(`name the ${words[0]} to delete`);
    const read = await readManifestDocuments(values, hooks);
    if (hasFiles && 'errors' in read) return refuse(io, read.errors);
    return await withStore(values, io, (store) => {
      mustExist(keys, store.stored);
      const named = 'documents' in read ? read.documents.flatMap(keyWithVersion) : [];
      return carryOut(
        store,
        planRemoval(store.stored, [...keys, ...named], factsOf(store)),
        values,
        form,
        io,
      );
    });
  },
};

function factsOf({ datastore }: OpenStore) {
  return { name: datastore.name, isForNodes: datastore.registry !== undefined };
}

function keyWithVersion({ value }: LocatedDocument) {
  const key = keyOf(value);
  return key === undefined ? [] : [{ ...key, version: statedVersion(value) }];
}

/** All documents, or every error of reading them. */
async function readManifestDocuments(
  values: OptionValues,
  hooks: StoreHooks,
): Promise<{ readonly documents: readonly LocatedDocument[] } | { readonly errors: readonly ConfigError[] }> {
  const { files, errors: unreadable } = await readSources(values, hooks);
  const read = files.map(readDocuments);
  const documents = read.flatMap((file) => file.documents);
  const nameless = documents.flatMap(({ file, value, lineOf }) =>
    keyOf(value) === undefined
      ? [{ file, line: lineOf([]), path: '', message: 'names no resource; add kind and metadata.name' }]
      : [],
  );
  const errors = [...unreadable, ...read.flatMap((file) => file.errors), ...nameless];
  if (errors.length > 0) return { errors };
  const [first] = files;
  return documents.length > 0
    ? { documents }
    : { errors: [{ ...(first && { file: first.path }), path: '', message: 'holds no manifest; write one' }] };
}

/** Shows the plan; makes the change where nothing stands in its way, and it is more than a question. */
async function carryOut(
  { datastore }: OpenStore,
  plan: ChangePlan,
  values: OptionValues,
  form: 'table' | 'json' | undefined,
  io: CliIo,
): Promise<ExitStatus> {
  const dryRun = values['dry-run'] === true;
  for (const warning of plan.warnings) io.stderr.write(`warning: ${formatConfigError(warning)}\n`);
  if (plan.errors.length > 0) return refuse(io, plan.errors);
  const conflicts = [...plan.conflicts];
  if (conflicts.length === 0 && plan.changes.length > 0 && !dryRun) {
    const result = await datastore.commit(plan.changes);
    if (result.outcome === 'conflict') conflicts.push(...result.conflicts);
  }
  if (conflicts.length > 0) {
    for (const conflict of conflicts) io.stderr.write(`${conflictText(conflict, plan.before)}\n`);
    io.stderr.write(
      'Nothing is written. Read it again (podroute get -o yaml), look at what is new, and repeat.\n',
    );
    return EXIT.attention;
  }
  if (form === 'json') {
    io.stdout.write(changeJson(plan, dryRun));
    return EXIT.ok;
  }
  if (dryRun) io.stderr.write('A dry run: what follows would be done, and nothing is.\n');
  for (const line of changeLines(plan)) io.stdout.write(`${line}\n`);
  return EXIT.ok;
}

function refuse(io: CliIo, errors: readonly ConfigError[]): ExitStatus {
  io.stderr.write(`${checkText(errors)}\n`);
  return EXIT.usage;
}
