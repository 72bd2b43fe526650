/**
 * `podroute get KIND [NAME...]`: the cluster resources as the store has them.
 *
 * Owns: the command. Must not know: stores, columns.
 */
import { type Command, EXIT, UsageError } from '../../api/index.js';
import type { StoredResource } from '../datastore/index.js';
import { jsonText, KIND_NAMES, versionedManifest, yamlText } from '../manifests/index.js';
import { resourceTables } from '../views/resources.js';
import {
  kindOf,
  mustExist,
  readForm,
  readKeys,
  STORE_EXITS,
  STORE_OPTIONS,
  type StoreHooks,
  withStore,
} from './store.js';

const ALL = 'all';

export const get: Command<StoreHooks> = {
  name: 'get',
  summary: 'Show the cluster resources of a kind, or all of them, as a table or as manifests.',
  argument: `KIND [NAME...] | KIND/NAME... | ${ALL}`,
  moreArguments: Number.POSITIVE_INFINITY,
  details: [
    `Kinds: ${KIND_NAMES.join(', ')}; in the plural, or short (ipp, bgpp, ba ...), too.`,
    'YAML and JSON hold the version in metadata.resourceVersion: edited and applied, they change nothing that somebody',
    'else has changed meanwhile.',
  ],
  options: {
    output: { short: 'o', value: 'FORMAT', help: 'table, wide, yaml or json (default table)' },
    ...STORE_OPTIONS,
  },
  exits: [
    [EXIT.ok, 'shown'],
    [EXIT.usage, 'the command line is wrong, or asks for something that does not exist'],
    ...STORE_EXITS,
  ],
  run: async (values, argument, io, _hooks, more) => {
    const form = readForm(values, ['table', 'wide', 'yaml', 'json']) ?? 'table';
    const words = argument === undefined ? [] : [argument, ...more];
    const isAll = argument === ALL;
    if (isAll && more.length > 0) throw new UsageError(`"${ALL}" takes no names`);
    const keys = isAll ? [] : readKeys(words);
    const kind = isAll || keys.length > 0 ? undefined : kindOf(argument ?? '');
    return await withStore(values, io, async ({ stored }) => {
      mustExist(keys, stored);
      const shown = inOrder(
        stored.filter((resource) =>
          keys.length > 0
            ? keys.some((key) => key.kind === resource.kind && key.name === resource.name)
            : isAll || resource.kind === kind,
        ),
      );
      const manifests = shown.map(({ manifest, version }) => versionedManifest(manifest, version));
      if (form === 'json') io.stdout.write(jsonText(manifests, keys.length !== 1));
      else if (shown.length === 0) io.stderr.write(`there is no ${kind ?? 'resource'}\n`);
      else if (form === 'yaml') io.stdout.write(yamlText(manifests));
      else {
        const { isTTY, columns } = io.stdout;
        const width = isTTY && columns !== undefined ? { width: columns } : {};
        const isMixed = new Set(shown.map((resource) => resource.kind)).size > 1;
        const options = { ...width, isWide: form === 'wide', isAll: isAll || isMixed };
        io.stdout.write(resourceTables(manifests, options));
      }
      return EXIT.ok;
    });
  },
};

/** The kinds in the usual order, each by name: node-2 before node-10. */
function inOrder(resources: readonly StoredResource[]): readonly StoredResource[] {
  const rank = ({ kind }: StoredResource) => {
    const at = KIND_NAMES.indexOf(kind);
    return at === -1 ? KIND_NAMES.length : at;
  };
  const names = new Intl.Collator('en', { numeric: true });
  return [...resources].sort((a, b) => rank(a) - rank(b) || names.compare(a.name, b.name));
}
