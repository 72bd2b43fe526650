/**
 * The state machine of one connection of a peer.
 *
 * Owns: the state, and all work of leaving and entering one. Must not know: which event leads where (transitions.ts),
 * the other connection of the peer (peer-fsm.ts), sockets, clocks.
 *
 * `#enter` is the only place where the state changes, so nothing can be left open: it closes, stops timers, reports
 * and counts before it begins anything.
 *
 * Source: RFC 4271 section 8.2.2, RFC 9687 section 3.2.
 */
import type { KeepaliveMessage, Message } from '../wire/index.js';
import type { Damping } from './damping.js';
import { endsGracefully, finalNotification } from './graceful-restart.js';
import { begin, decide, type Ending, type OpenState, type Slot, type Transition } from './transitions.js';
import type {
  ConnectionEvent,
  Direction,
  FsmAction,
  FsmConfig,
  FsmState,
  FsmTimer,
  NegotiatedSession,
} from './types.js';

/** RFC 4271 §8.2.2: the hold time until the peer's OPEN says another; "a large value", 4 minutes suggested. */
const OPEN_SENT_HOLD_SECONDS = 240;

/** RFC 9687 §5: the SendHoldTime that suits most; 8 minutes. */
const DEFAULT_SEND_HOLD_SECONDS = 480;

const KEEPALIVE: KeepaliveMessage = { type: 'KEEPALIVE' };

/** The timers that may run in a state; entering it stops all others. */
const TIMERS_IN: Readonly<Record<FsmState, readonly FsmTimer[]>> = {
  Idle: [],
  Connect: ['connectRetry'],
  Active: ['connectRetry', 'delayedDial'],
  OpenSent: ['hold'],
  OpenConfirm: ['hold', 'keepalive'],
  Established: ['hold', 'keepalive', 'sendHold'],
};

export class Fsm {
  readonly direction: Direction;
  readonly #slot: Slot;
  readonly #damping: Damping;
  readonly #emit: (action: FsmAction) => void;
  readonly #running = new Set<FsmTimer>();
  #state: FsmState = 'Idle';
  #reason = 'not started';
  #negotiated: NegotiatedSession | undefined;

  /** Actions go to `emit`, in order, while a method runs. */
  constructor(direction: Direction, config: FsmConfig, damping: Damping, emit: (action: FsmAction) => void) {
    this.direction = direction;
    this.#slot = { direction, config };
    this.#damping = damping;
    this.#emit = emit;
  }

  get state(): FsmState {
    return this.#state;
  }

  /** Why it is in its state. */
  get reason(): string {
    return this.#reason;
  }

  /** The session, while it is Established. */
  get session(): NegotiatedSession | undefined {
    return this.#state === 'Established' ? this.#negotiated : undefined;
  }

  /** True while a connection is up. */
  get isOpen(): boolean {
    return isOpenState(this.#state);
  }

  /** True in the idle hold after a failure. */
  get isHolding(): boolean {
    return this.#running.has('idleHold');
  }

  /** True in Idle with nothing that would ever leave it by itself. */
  get isParked(): boolean {
    return this.#state === 'Idle' && !this.isHolding;
  }

  /** Events 1, 3, 4 and 5, of the outgoing connection: begins to dial or to wait, as configured. */
  start(reason: string): void {
    if (this.#state === 'Idle') this.#enter(begin(this.#slot, reason));
  }

  /** Events 2, 8 and 23, and whatever else ends a connection from outside; works in every state. */
  end(ending: Ending): void {
    this.#enter({ to: 'Idle', reason: ending.reason, ending });
  }

  /** In Idle: waits so long before the next attempt (Event 13 ends it). */
  hold(seconds: number): void {
    this.#startTimer('idleHold', seconds, true);
  }

  /** The peer has just tried to connect: where we only dial in its stead, waits for it anew. */
  peerDialled(): void {
    if (this.#state !== 'Active' || typeof this.#slot.config.dial !== 'object') return;
    this.#stopTimer('connectRetry');
    this.#listen();
  }

  /** Everything that happens to the connection. */
  handle(event: ConnectionEvent): void {
    // A timer may have been stopped while its expiry was on the way.
    if (event.type === 'TimerExpires' && !this.#running.delete(event.timer)) return;
    const decision = decide(this.#state, event, this.#slot);
    if (decision === undefined) return;
    if (decision.to !== 'same') {
      this.#enter(decision);
      return;
    }
    if (decision.keepalive === 'send') this.#sendKeepalive();
    if (decision.hold === 'restart') this.#restartHold();
    if (decision.sendHold === 'restart') this.#restartSendHold();
    if (decision.deliver !== undefined) this.#emit(decision.deliver);
  }

  #enter(next: Transition): void {
    const from = this.#state;
    const ending = 'ending' in next ? this.#asSent(from, next.ending) : undefined;
    this.#state = next.to;
    this.#reason = next.reason;
    if (ending !== undefined) this.#close(from, ending);
    for (const timer of this.#running) if (!TIMERS_IN[next.to].includes(timer)) this.#stopTimer(timer);
    if (ending !== undefined) this.#report(from, ending);

    switch (next.to) {
      case 'Idle':
        this.#negotiated = undefined;
        break;
      case 'Connect':
        this.#startConnectRetry();
        this.#emit({ type: 'Connect' });
        break;
      case 'Active':
        if (from === 'Idle') this.#listen();
        else this.#startConnectRetry();
        break;
      case 'OpenSent':
        this.#sendOpen();
        this.#startTimer('hold', OPEN_SENT_HOLD_SECONDS, false);
        break;
      case 'OpenConfirm':
        this.#negotiated = next.negotiated;
        this.#sendKeepalive();
        this.#restartHold();
        break;
      case 'Established':
        this.#damping.reset();
        this.#restartHold();
        this.#restartSendHold();
        if (this.#negotiated !== undefined) this.#emit({ type: 'SessionUp', session: this.#negotiated });
        break;
      default:
        next satisfies never;
    }
  }

  /** The ending with the NOTIFICATION in the form in which it goes out. */
  #asSent(from: FsmState, ending: Ending | undefined): Ending | undefined {
    if (from !== 'Established' || ending?.send === undefined || this.#negotiated === undefined) return ending;
    const send = finalNotification(this.#negotiated, this.#slot.config.capabilities(), ending.send);
    return { ...ending, send };
  }

  /** Tells the peer, as far as it can hear, and closes. */
  #close(from: FsmState, { send }: Ending): void {
    if (from === 'Idle' || from === 'Active') return;
    if (send !== undefined && isOpenState(from)) this.#send(send);
    this.#emit({ type: 'Close', direction: this.direction });
  }

  /** Tells the speaker what is over, and counts it. */
  #report(from: FsmState, { reason, by, send, received, tell, counts }: Ending): void {
    if (counts) this.#damping.failed();
    if (from === 'Established' && this.#negotiated !== undefined) {
      const notification = received ?? send;
      const graceful = endsGracefully(this.#negotiated, this.#slot.config.capabilities(), notification);
      const down = { reason, by, graceful, ...(notification === undefined ? {} : { notification }) };
      this.#emit({ type: 'SessionDown', down });
    } else if (tell && from !== 'Idle' && from !== 'Active') {
      this.#emit({ type: 'AttemptFailed', reason, by });
    }
  }

  /** Active as the lower address of a mesh pair or as a passive peer: the ConnectRetryTimer does not run. */
  #listen(): void {
    const { dial } = this.#slot.config;
    if (typeof dial === 'object') this.#startTimer('delayedDial', dial.afterSeconds, false);
  }

  #send(message: Message): void {
    this.#emit({ type: 'Send', direction: this.direction, message });
  }

  #sendOpen(): void {
    const { localAs: asn, holdTimeSeconds, bgpIdentifier, capabilities } = this.#slot.config;
    this.#send({ type: 'OPEN', asn, holdTimeSeconds, bgpIdentifier, capabilities: capabilities() });
  }

  #sendKeepalive(): void {
    this.#send(KEEPALIVE);
    // RFC 4271 §4.4: with a hold time of zero no further one follows.
    const seconds = this.#negotiated?.keepaliveSeconds ?? 0;
    if (seconds > 0) this.#startTimer('keepalive', seconds, true);
  }

  #startConnectRetry(): void {
    this.#startTimer('connectRetry', this.#slot.config.connectRetrySeconds, true);
  }

  /** RFC 4271 §4.2: with a hold time of zero the timer does not run. */
  #restartHold(): void {
    const seconds = this.#negotiated?.holdTimeSeconds ?? 0;
    if (seconds > 0) this.#startTimer('hold', seconds, false);
    else this.#stopTimer('hold');
  }

  /** RFC 9687 §3.2, §5: not with a hold time of zero, and longer than the hold time. */
  #restartSendHold(): void {
    const holdSeconds = this.#negotiated?.holdTimeSeconds ?? 0;
    if (holdSeconds === 0) return;
    const usual = Math.max(DEFAULT_SEND_HOLD_SECONDS, 2 * holdSeconds);
    const seconds = Math.max(this.#slot.config.sendHoldTimeSeconds ?? usual, holdSeconds);
    this.#startTimer('sendHold', seconds, false);
  }

  /** RFC 4271 §10: what repeats or delays by choice is jittered; the hold time is a promise and is not. */
  #startTimer(timer: FsmTimer, seconds: number, jitter: boolean): void {
    this.#running.add(timer);
    this.#emit({ type: 'StartTimer', direction: this.direction, timer, seconds, jitter });
  }

  #stopTimer(timer: FsmTimer): void {
    if (!this.#running.delete(timer)) return;
    this.#emit({ type: 'StopTimer', direction: this.direction, timer });
  }
}

function isOpenState(state: FsmState): state is OpenState {
  return state === 'OpenSent' || state === 'OpenConfirm' || state === 'Established';
}
