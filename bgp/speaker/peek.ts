/**
 * Reads the OPEN of a connection before anyone decides whose it is.
 *
 * Owns: the bytes until then, and giving them back. Must not know: peers, states.
 */
import { DEFAULT_MAX_MESSAGE_LENGTH, decodeMessage, Framer, type OpenMessage } from '../wire/index.js';
import type { CancelTimer, Clock } from './clock.js';
import type { ByteStream, StreamHandlers } from './transport.js';

const BEFORE_OPEN = { as4: true, peerType: 'ebgp', maxMessageLength: DEFAULT_MAX_MESSAGE_LENGTH } as const;

/** Exactly one of the two comes, unless the peek is abandoned. */
export interface PeekHandlers {
  /**
   * `replay` is the stream as if nothing had been read; its `attach` must be called before this returns.
   * `open`: undefined where something else came first.
   */
  onFirstMessage(open: OpenMessage | undefined, replay: ByteStream): void;
  /** It ended, or said nothing in time and was closed. */
  onNothing(): void;
}

/** @returns a function that closes the stream, after which no handler is called */
export function peekOpen(
  stream: ByteStream,
  clock: Clock,
  timeoutMs: number,
  handlers: PeekHandlers,
): CancelTimer {
  const framer = new Framer({ maxMessageLength: DEFAULT_MAX_MESSAGE_LENGTH });
  let isDecided = false;
  /** What was read and not given back yet. */
  let held: Uint8Array[] = [];
  let taker: StreamHandlers | undefined;

  const giveBack = () => {
    const chunks = held;
    held = [];
    for (const chunk of chunks) taker?.onData(chunk);
  };
  const replay: ByteStream = {
    local: stream.local,
    remote: stream.remote,
    remotePort: stream.remotePort,
    ...(stream.zone === undefined ? {} : { zone: stream.zone }),
    ...(stream.device === undefined ? {} : { device: stream.device }),
    ...(stream.sharedSubnet === undefined ? {} : { sharedSubnet: stream.sharedSubnet }),
    get pendingBytes() {
      return stream.pendingBytes;
    },
    attach(given) {
      taker = given;
      // Not within `attach`: whoever takes the stream is still being made.
      clock.setTimer(0, giveBack);
    },
    limitHops: (options) => stream.limitHops(options),
    changePassword: (password) => stream.changePassword(password),
    write: (bytes) => stream.write(bytes),
    end: () => stream.end(),
    destroy: () => stream.destroy(),
  };
  const close = () => {
    cancelTimer();
    if (isDecided) return;
    isDecided = true;
    stream.destroy();
  };
  const cancelTimer = clock.setTimer(timeoutMs, () => {
    close();
    handlers.onNothing();
  });
  stream.attach({
    onData(chunk) {
      if (isDecided) {
        const isGivenBack = held.length === 0;
        held.push(chunk);
        if (isGivenBack) giveBack();
        return;
      }
      held.push(chunk);
      const [frame] = framer.push(chunk);
      if (frame === undefined) return;
      isDecided = true;
      cancelTimer();
      const message = frame instanceof Uint8Array ? decodeMessage(frame, BEFORE_OPEN) : undefined;
      handlers.onFirstMessage(message?.type === 'OPEN' ? message : undefined, replay);
    },
    onDrain: () => taker?.onDrain(),
    onClose(reason) {
      cancelTimer();
      if (isDecided) {
        giveBack();
        taker?.onClose(reason);
        return;
      }
      isDecided = true;
      handlers.onNothing();
    },
  });
  return close;
}
