/**
 * Two PeerFsms that talk to each other over memory, on a fake clock.
 *
 * Owns: connections as TCP would give them: in order, after a delay, refused or lost when the test says so. Every
 * action passes the rules of fsm-model.ts.
 */
import type { Direction, FsmAction, FsmConfig, FsmEvent, SessionDown } from '../../bgp/fsm/index.js';
import type { Message } from '../../bgp/wire/index.js';
import type { FakeClock } from './fake-clock.js';
import { received } from './fsm-builders.js';
import { FsmModel } from './fsm-model.js';

/** One end of a connection. */
interface End {
  readonly speaker: FsmSpeaker;
  readonly direction: Direction;
  /** When the last thing sent here arrives at the other end. */
  arrivesMs: number;
  open: boolean;
  other: End;
}

export interface FsmNetworkOptions {
  readonly clock: FakeClock;
  /** Delay of one hop, asked for each message. */
  readonly delayMs: () => number;
  /** 0 <= value < 1, for the jitter of timers. */
  readonly random: () => number;
}

export class FsmNetwork {
  readonly #options: FsmNetworkOptions;
  readonly #ends = new Set<End>();
  /** False: dialling is refused. */
  reachable = true;

  constructor(options: FsmNetworkOptions) {
    this.#options = options;
  }

  get clock(): FakeClock {
    return this.#options.clock;
  }

  /** The two speakers, not started. */
  pair(a: FsmConfig, b: FsmConfig): readonly [FsmSpeaker, FsmSpeaker] {
    const pair = [new FsmSpeaker(this, a), new FsmSpeaker(this, b)] as const;
    pair[0].peer = pair[1];
    pair[1].peer = pair[0];
    return pair;
  }

  /** The connections that are open at either end, seen from the one who dialled. */
  get connections(): number {
    return [...this.#ends].filter(({ direction }) => direction === 'outgoing').length;
  }

  /** Breaks the n-th open connection, if there is one, so that both ends notice. */
  breakConnection(index: number): void {
    const dialled = [...this.#ends].filter(({ direction }) => direction === 'outgoing');
    const end = dialled[index % Math.max(dialled.length, 1)];
    if (end === undefined) return;
    this.#lose(end, 'connection reset');
    this.#lose(end.other, 'connection reset');
  }

  /** From now on nothing arrives on any connection that is open now, and nobody notices. */
  goSilent(): void {
    for (const end of this.#ends) end.arrivesMs = Number.POSITIVE_INFINITY;
  }

  jitter(): number {
    return 0.75 + this.#options.random() * 0.25;
  }

  dial(from: FsmSpeaker, to: FsmSpeaker): End {
    const end = { speaker: from, direction: 'outgoing', arrivesMs: 0, open: true } as End;
    const other: End = { speaker: to, direction: 'incoming', arrivesMs: 0, open: true, other: end };
    end.other = other;
    this.#after(end, () => {
      if (!end.open) return;
      if (!this.reachable) {
        end.open = false;
        from.handle({ type: 'TcpConnectionFails', direction: 'outgoing', reason: 'connection refused' });
        return;
      }
      this.#ends.add(end).add(other);
      this.#after(other, () => this.#arrive(end, { type: 'TcpCRAcked', direction: 'outgoing' }));
      to.accept(other);
    });
    return end;
  }

  send(end: End, message: Message): void {
    this.#after(end, () => {
      this.#arrive(end, { type: 'SendProgress', direction: end.direction });
      this.#arrive(end.other, { ...received(message), direction: end.other.direction });
    });
  }

  close(end: End): void {
    end.open = false;
    this.#ends.delete(end);
    this.#after(end, () => this.#lose(end.other, 'closed by the peer'));
  }

  #lose(end: End, reason: string): void {
    if (!end.open) return;
    end.open = false;
    this.#ends.delete(end);
    end.speaker.lost(end, reason);
  }

  #arrive(end: End, event: FsmEvent): void {
    if (end.open) end.speaker.handle(event);
  }

  /** In order per end, as on a TCP connection. */
  #after(end: End, callback: () => void): void {
    end.arrivesMs = Math.max(end.arrivesMs, this.clock.now() + this.#options.delayMs());
    if (end.arrivesMs === Number.POSITIVE_INFINITY) return;
    this.clock.setTimer(end.arrivesMs - this.clock.now(), callback);
  }
}

export class FsmSpeaker {
  readonly model: FsmModel;
  readonly actions: FsmAction[] = [];
  peer: FsmSpeaker | undefined;
  readonly #network: FsmNetwork;
  readonly #ends = new Map<Direction, End>();
  readonly #timers = new Map<string, () => void>();
  /** The connection of the TcpConnectionConfirmed being answered. */
  #arriving: End | undefined;

  constructor(network: FsmNetwork, config: FsmConfig) {
    this.#network = network;
    this.model = new FsmModel(config);
  }

  get state(): string {
    return this.model.fsm.state;
  }

  get sessionDowns(): readonly SessionDown[] {
    return this.actions.flatMap((action) => (action.type === 'SessionDown' ? [action.down] : []));
  }

  handle(event: FsmEvent): void {
    const actions = this.model.handle(event);
    this.actions.push(...actions);
    for (const action of actions) this.#execute(action);
  }

  accept(end: End): void {
    this.#arriving = end;
    this.handle({ type: 'TcpConnectionConfirmed', direction: 'incoming' });
    this.#arriving = undefined;
  }

  lost(end: End, reason: string): void {
    if (this.#ends.get(end.direction) !== end) return;
    this.handle({ type: 'TcpConnectionFails', direction: end.direction, reason });
  }

  #execute(action: FsmAction): void {
    const network = this.#network;
    switch (action.type) {
      case 'Connect':
        if (this.peer !== undefined) this.#ends.set('outgoing', network.dial(this, this.peer));
        return;
      case 'Accept':
        if (this.#arriving !== undefined) this.#ends.set('incoming', this.#arriving);
        return;
      case 'Refuse':
        if (this.#arriving !== undefined) {
          network.send(this.#arriving, action.notification);
          network.close(this.#arriving);
        }
        return;
      case 'Send': {
        const end = this.#ends.get(action.direction);
        if (end !== undefined) network.send(end, action.message);
        return;
      }
      case 'Close': {
        const end = this.#ends.get(action.direction);
        this.#ends.delete(action.direction);
        if (end !== undefined) network.close(end);
        return;
      }
      case 'StartTimer': {
        const { direction, timer } = action;
        const key = `${direction}/${timer}`;
        this.#timers.get(key)?.();
        const delayMs = action.seconds * 1000 * (action.jitter ? network.jitter() : 1);
        const stop = network.clock.setTimer(delayMs, () => {
          this.handle({ type: 'TimerExpires', direction, timer });
        });
        this.#timers.set(key, stop);
        return;
      }
      case 'StopTimer':
        this.#timers.get(`${action.direction}/${action.timer}`)?.();
        return;
      default:
    }
  }
}
