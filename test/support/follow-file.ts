/** Follows a growing file that another program writes, as `tail -F` does, woken by the kernel rather than by a clock. */
import { closeSync, openSync, readSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** A file under watch. */
export interface FollowedFile {
  /** Delivers what is there now, then stops watching. */
  close(): void;
}

/** Calls `onChunk` with every byte of `path`, from its beginning. The file may appear later; its folder must exist. */
export function followFile(path: string, onChunk: (chunk: Buffer) => void): FollowedFile {
  const name = basename(path);
  const buffer = Buffer.alloc(65_536);
  let offset = 0;

  const drain = () => {
    const fd = openIfThere(path);
    if (fd === undefined) return;
    try {
      for (;;) {
        const length = readSync(fd, buffer, 0, buffer.length, offset);
        if (length === 0) return;
        offset += length;
        onChunk(Buffer.from(buffer.subarray(0, length)));
      }
    } finally {
      closeSync(fd);
    }
  };

  const watcher = watch(dirname(path), (_event, changed) => {
    if (changed === name) drain();
  });
  drain();
  return {
    close: () => {
      watcher.close();
      drain();
    },
  };
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
