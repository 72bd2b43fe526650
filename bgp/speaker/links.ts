/**
 * The connections of one peer, one of each direction at most, and the attempt to make the outgoing one.
 *
 * Owns: dialling, and forgetting a connection that we closed, so that its end is no event. Must not know: the FSM.
 */
import type { Direction } from '../fsm/index.js';
import {
  type CodecContext,
  DEFAULT_MAX_MESSAGE_LENGTH,
  type Message,
  type WireFault,
} from '../wire/index.js';
import type { CancelTimer } from './clock.js';
import { Connection, type MessageCounters } from './connection.js';
import { hopOptions } from './protection.js';
import type { ByteStream, Transport } from './transport.js';
import type { PeerConfig } from './types.js';

/** How long one connection attempt may take at most. */
const DIAL_TIMEOUT_MS = 10_000;
/** Its part of ConnectRetryTime. That timer, jittered to 0.75 at least, would abandon the attempt before it can say why it fails. */
const DIAL_SHARE = 0.7;

export interface LinkHandlers {
  /** The attempt succeeded: the outgoing connection is there. */
  onDialled(): void;
  /** The attempt failed, or the connection ended without us. */
  onDown(direction: Direction, reason: string): void;
  onMessage(direction: Direction, message: Message, frame: Uint8Array): void;
  onFault(direction: Direction, fault: WireFault, bytes: Uint8Array): void;
  onDrain(direction: Direction): void;
}

export class Links {
  readonly #config: PeerConfig;
  readonly #transport: Transport;
  readonly #counters: MessageCounters;
  readonly #handlers: LinkHandlers;
  readonly #connections = new Map<Direction, Connection>();
  #cancelDial: CancelTimer | undefined;
  #password: string | undefined;

  constructor(config: PeerConfig, transport: Transport, counters: MessageCounters, handlers: LinkHandlers) {
    this.#config = config;
    this.#password = config.password;
    this.#transport = transport;
    this.#counters = counters;
    this.#handlers = handlers;
  }

  get(direction: Direction): Connection | undefined {
    return this.#connections.get(direction);
  }

  dial(): void {
    this.#cancelDial?.();
    const { address, zone, port, source, connectRetrySeconds } = this.#config;
    const password = this.#password;
    this.#cancelDial = this.#transport.dial(
      {
        remote: address,
        port,
        timeoutMs: Math.min(DIAL_TIMEOUT_MS, connectRetrySeconds * 1000 * DIAL_SHARE),
        ...(zone === undefined ? {} : { zone }),
        ...(source === undefined ? {} : { source }),
        ...(password === undefined ? {} : { password }),
        ...hopOptions(this.#config),
      },
      {
        onConnected: (stream) => {
          this.#cancelDial = undefined;
          this.open('outgoing', stream);
          this.#handlers.onDialled();
        },
        onFailed: (reason) => {
          this.#cancelDial = undefined;
          this.#handlers.onDown('outgoing', reason);
        },
      },
    );
  }

  /** Another key, for the connections that are up (RFC 4808) and for the next. @throws TcpOptionError */
  changePassword(password: string): void {
    this.#password = password;
    for (const connection of this.#connections.values()) connection.changePassword(password);
  }

  /** Takes a connected stream; the direction must be free. */
  open(direction: Direction, stream: ByteStream): void {
    const { asn, localAs } = this.#config;
    const beforeOpen: CodecContext = {
      as4: true,
      peerType: asn === localAs ? 'ibgp' : 'ebgp',
      maxMessageLength: DEFAULT_MAX_MESSAGE_LENGTH,
    };
    const connection: Connection = new Connection(stream, beforeOpen, this.#counters, {
      onMessage: (message, frame) => this.#handlers.onMessage(direction, message, frame),
      onFault: (fault, bytes) => this.#handlers.onFault(direction, fault, bytes),
      onClose: (reason) => {
        if (this.#connections.get(direction) !== connection) return;
        this.#connections.delete(direction);
        this.#handlers.onDown(direction, reason);
      },
      onDrain: () => this.#handlers.onDrain(direction),
    });
    this.#connections.set(direction, connection);
  }

  /** Sends what waits, then closes; an attempt under way is abandoned. */
  close(direction: Direction): void {
    if (direction === 'outgoing') {
      this.#cancelDial?.();
      this.#cancelDial = undefined;
    }
    const connection = this.#connections.get(direction);
    this.#connections.delete(direction);
    connection?.close();
  }
}
