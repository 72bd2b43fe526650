/**
 * The state folder: what an agent keeps over a restart of its machine.
 *
 * Owns: the files' names. Must not know: what is in them, how they are written.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { dissolveFolder, filesAmong } from './folder.js';

/** Everything that is ever written there. */
const STATE_FILES = {
  /** The last good state of a datastore that may be away at the next start. */
  snapshot: 'datastore.json',
} as const;

/** Where the snapshot of the datastore is kept in a folder; whoever writes it makes the folder. */
export function snapshotPlace(folder: string): string {
  return join(folder, STATE_FILES.snapshot);
}

/** What there is of ours in a folder that may or may not be there. */
export function ownStateFiles(folder: string): readonly string[] {
  return filesAmong(folder, Object.values(STATE_FILES));
}

/** Removes our files, and the folder, unless there is something else in it. */
export function dissolveStateFolder(folder: string): void {
  if (existsSync(folder)) dissolveFolder(folder, ownStateFiles(folder));
}
