/**
 * One BGP connection: a byte stream with the codec on it.
 *
 * Owns: framing, decoding, encoding, the message counters, back-pressure. Must not know: states, tables, timers.
 * Everything that arrives leaves through the handlers, in order; after `close` nothing does.
 */
import type { IpAddress, Prefix } from '../net/index.js';
import {
  type CodecContext,
  decodeMessage,
  EXTENDED_MAX_MESSAGE_LENGTH,
  encodeMessage,
  Framer,
  findCapability,
  type Message,
  type OpenMessage,
  type WireFault,
} from '../wire/index.js';
import type { ByteStream } from './transport.js';

export interface ConnectionHandlers {
  onMessage(message: Message, frame: Uint8Array): void;
  /** The bytes are no BGP message; nothing more will be read. */
  onFault(fault: WireFault, frame: Uint8Array): void;
  /** The stream has ended, whoever ended it; comes exactly once. */
  onClose(reason: string): void;
  /** There is room again after `send` returned false. */
  onDrain(): void;
}

/** Messages by direction, as the API shows them. */
export interface MessageCounters {
  messagesIn: number;
  messagesOut: number;
  updatesIn: number;
  updatesOut: number;
  notificationsIn: number;
  notificationsOut: number;
  bytesIn: number;
  bytesOut: number;
}

export function noMessages(): MessageCounters {
  return {
    messagesIn: 0,
    messagesOut: 0,
    updatesIn: 0,
    updatesOut: 0,
    notificationsIn: 0,
    notificationsOut: 0,
    bytesIn: 0,
    bytesOut: 0,
  };
}

export class Connection {
  readonly #stream: ByteStream;
  readonly #framer: Framer;
  readonly #handlers: ConnectionHandlers;
  readonly #counters: MessageCounters;
  #context: CodecContext;
  #closed = false;
  #writable = true;
  /** RFC 8654 §4: each side that has announced that it reads longer messages. */
  readonly #readsExtended = { us: false, peer: false };
  #bytesWritten = 0;
  /** Of these, what had left this process when `takeProgress` last looked. */
  #bytesLeft = 0;

  /** `context`: what holds before the OPENs are exchanged; `negotiated` replaces it. */
  constructor(
    stream: ByteStream,
    context: CodecContext,
    counters: MessageCounters,
    handlers: ConnectionHandlers,
  ) {
    this.#stream = stream;
    this.#context = context;
    this.#counters = counters;
    this.#handlers = handlers;
    this.#framer = new Framer({ maxMessageLength: context.maxMessageLength });
    stream.attach({
      onData: (chunk) => this.#read(chunk),
      onDrain: () => {
        this.#writable = true;
        if (!this.#closed) this.#handlers.onDrain();
      },
      onClose: (reason) => {
        this.#closed = true;
        this.#handlers.onClose(reason);
      },
    });
  }

  get local(): IpAddress {
    return this.#stream.local;
  }

  get device(): string | undefined {
    return this.#stream.device;
  }

  get sharedSubnet(): Prefix | undefined {
    return this.#stream.sharedSubnet;
  }

  /** How messages are read and written at this moment. */
  get context(): CodecContext {
    return this.#context;
  }

  /** False while earlier messages wait in this process: hold back what can wait. */
  get writable(): boolean {
    return this.#writable && !this.#closed;
  }

  /** Both OPENs are known: read and write as they agreed. */
  negotiated(context: CodecContext): void {
    this.#context = context;
    this.#framer.maxMessageLength = context.maxMessageLength;
  }

  /** Sends messages in one write. */
  send(...messages: readonly Message[]): void {
    if (this.#closed || messages.length === 0) return;
    const frames = messages.map((message) => encodeMessage(message, this.#context));
    for (const message of messages) {
      this.#countOut(message);
      if (message.type === 'OPEN') this.#noteOpen('us', message);
    }
    const [first] = frames;
    const bytes = frames.length === 1 && first !== undefined ? first : Buffer.concat(frames);
    this.#counters.bytesOut += bytes.length;
    this.#bytesWritten += bytes.length;
    this.#writable = this.#stream.write(bytes);
  }

  /** True where something that was sent has left this process since the last call (RFC 9687 §3.2). */
  takeProgress(): boolean {
    const left = this.#bytesWritten - this.#stream.pendingBytes;
    const progress = left > this.#bytesLeft;
    this.#bytesLeft = left;
    return progress;
  }

  /** Signs and checks with another key from now on. @throws TcpOptionError */
  changePassword(password: string): void {
    if (!this.#closed) this.#stream.changePassword(password);
  }

  /** Sends what is waiting, then ends the stream. Nothing is read any more. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stream.end();
  }

  /** Ends the stream at once. */
  destroy(): void {
    this.#closed = true;
    this.#stream.destroy();
  }

  #read(chunk: Uint8Array): void {
    if (this.#closed) return;
    this.#counters.bytesIn += chunk.length;
    for (const frame of this.#framer.push(chunk)) {
      if (!(frame instanceof Uint8Array)) {
        this.#handlers.onFault(frame, chunk);
        return;
      }
      const message = decodeMessage(frame, this.#context);
      this.#counters.messagesIn += 1;
      if (message.type === 'FAULT') {
        this.#handlers.onFault(message, frame);
        return;
      }
      if (message.type === 'OPEN') this.#noteOpen('peer', message);
      if (message.type === 'UPDATE') this.#counters.updatesIn += 1;
      if (message.type === 'NOTIFICATION') this.#counters.notificationsIn += 1;
      this.#handlers.onMessage(message, frame);
      // A handler may have closed the connection: what follows in the chunk was never received.
      if (this.#closed) return;
    }
  }

  /**
   * RFC 8654 §4: both have announced it. At once and not when the session is up, because the first long message may
   * come in one chunk with the KEEPALIVE that brings it up.
   */
  #noteOpen(side: 'us' | 'peer', { capabilities }: OpenMessage): void {
    this.#readsExtended[side] = findCapability(capabilities, 'extendedMessage') !== undefined;
    if (!this.#readsExtended.us || !this.#readsExtended.peer) return;
    this.negotiated({ ...this.#context, maxMessageLength: EXTENDED_MAX_MESSAGE_LENGTH });
  }

  #countOut(message: Message): void {
    this.#counters.messagesOut += 1;
    if (message.type === 'UPDATE') this.#counters.updatesOut += 1;
    if (message.type === 'NOTIFICATION') this.#counters.notificationsOut += 1;
  }
}
