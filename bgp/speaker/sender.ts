/**
 * Sending what the tables hold for a peer, as far as its connection takes it.
 *
 * Owns: how much is written at once, so that a peer that does not read costs bounded memory. Must not know: sessions,
 * what is sent.
 */
import type { PeerId, Rib } from '../rib/index.js';
import type { Message } from '../wire/index.js';
import type { Connection } from './connection.js';

/** Most that is written at once; the next batch follows when this has left the process. */
const BYTES_PER_WRITE = 262_144;

/** @param onWritten called after each write */
export function flushTo(connection: Connection, rib: Rib, id: PeerId, onWritten: () => void): void {
  const most = Math.floor(BYTES_PER_WRITE / connection.context.maxMessageLength);
  while (connection.writable) {
    const messages: Message[] = [];
    while (messages.length < most) {
      const message = rib.nextMessage(id, connection.context);
      if (message === undefined) break;
      messages.push(message);
    }
    if (messages.length === 0) return;
    connection.send(...messages);
    onWritten();
  }
}
