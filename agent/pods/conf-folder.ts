/**
 * The folder of CNI configurations, which we share with others.
 *
 * Owns: our file in it, and that a file of the same name which is not ours is never touched. Must not know: what a
 * configuration says.
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere, writeWhole } from '../runtime/index.js';
import { CONFLIST_DRAFT, CONFLIST_FILE, strangeNetwork } from './conflist.js';
import { PodFileError, type PodFilePlace } from './pod-file.js';

/** The folder itself is the runtime's: it is not made here. */
export function conflistPlace(folder: string): PodFilePlace {
  const path = join(folder, CONFLIST_FILE);
  const draft = join(folder, CONFLIST_DRAFT);
  return {
    path,
    remedy: `let podroute write to ${folder}, which the container runtime makes, or name another folder with --cni-conf-dir`,
    read: () => {
      const text = readIfThere(path);
      if (text === undefined) return undefined;
      const strange = strangeNetwork(text);
      if (strange === undefined) return text;
      throw new PodFileError(
        `${path} is not of podroute: its network is named "${strange}"; remove it, or name another folder with --cni-conf-dir`,
      );
    },
    write: (text) => writeWhole(path, draft, text),
    remove: () => rmSync(path, { force: true }),
  };
}

/** What there is of ours in a folder that may or may not be there, the draft of a killed agent included. */
export function ownConfigurations(folder: string): readonly string[] {
  const path = join(folder, CONFLIST_FILE);
  const draft = join(folder, CONFLIST_DRAFT);
  const text = readIfThere(path);
  const isOurs = text !== undefined && strangeNetwork(text) === undefined;
  return [...(isOurs ? [path] : []), ...(existsSync(draft) ? [draft] : [])];
}
