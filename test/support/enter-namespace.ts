/**
 * Puts the test itself on a machine of its own: sockets that it opens from then on belong to the namespace.
 *
 * Source: setns(2), which moves the calling thread alone; libuv opens sockets on the thread that runs the test.
 */
import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';
import type { Namespace } from './netns.js';

const CLONE_NEWNET = 0x40000000;
const setns = koffi.load('libc.so.6').func('int setns(int fd, int type)');

/** @returns the way back. */
export function enterNamespace(namespace: Namespace): () => void {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  enter(`/run/netns/${namespace.name}`);
  return () => {
    enter(`/proc/self/fd/${home}`);
    closeSync(home);
  };
}

function enter(path: string): void {
  const file = openSync(path, 'r');
  const result: number = setns(file, CLONE_NEWNET);
  closeSync(file);
  if (result !== 0) throw new Error(`cannot enter the namespace ${path}: errno ${koffi.errno()}`);
}
