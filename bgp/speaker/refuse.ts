/**
 * Turning away a connection with a word.
 */
import { DEFAULT_MAX_MESSAGE_LENGTH, type NotificationMessage } from '../wire/index.js';
import { Connection, noMessages } from './connection.js';
import type { ByteStream } from './transport.js';

/** Tells an unwanted connection why, and closes it. */
export function refuse(stream: ByteStream, told: NotificationMessage): void {
  const context = { as4: true, peerType: 'ebgp', maxMessageLength: DEFAULT_MAX_MESSAGE_LENGTH } as const;
  const connection = new Connection(stream, context, noMessages(), {
    onMessage: () => {},
    onFault: () => {},
    onClose: () => {},
    onDrain: () => {},
  });
  connection.send(told);
  connection.close();
}
