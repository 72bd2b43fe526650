/**
 * `podroute check FILE`: are these resources right?
 *
 * Owns: the command. Must not know: what makes a resource right.
 */
import { type Command, EXIT, UsageError } from '../../api/index.js';
import { createDatastore } from '../datastore/index.js';
import { checkText, formatConfigError } from '../resources/index.js';

export const check: Command = {
  name: 'check',
  summary: 'Check a file or a folder of cluster resources, without starting anything.',
  argument: 'FILE | FOLDER',
  options: {},
  exits: [
    [EXIT.ok, 'all of it is right'],
    [EXIT.usage, 'it is not, or it cannot be read; every error is a line on standard error'],
  ],
  run: async (_values, path, io) => {
    if (path === undefined) throw new UsageError('name the file or the folder to check');
    const created = createDatastore(path);
    if ('problem' in created) throw new UsageError(created.problem);
    const result = await created.datastore.start({ resourcesChanged: () => {}, healthChanged: () => {} });
    await created.datastore.stop();
    if ('errors' in result) {
      io.stderr.write(`${checkText(result.errors)}\n`);
      return EXIT.usage;
    }
    for (const warning of result.warnings) io.stderr.write(`warning: ${formatConfigError(warning)}\n`);
    const { nodes, pools, peers, filters } = result.resources;
    const counts = [
      [nodes.length, 'Node'],
      [pools.length, 'IPPool'],
      [peers.length, 'BGPPeer'],
      [filters.length, 'BGPFilter'],
    ] as const;
    const text = counts.map(([count, kind]) => `${count} ${kind}${count === 1 ? '' : 's'}`).join(', ');
    io.stdout.write(`${path}: all right (${text})\n`);
    return EXIT.ok;
  },
};
