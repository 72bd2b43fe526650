/**
 * A BGP peer by hand, on the memory network: it says what the test says, and keeps all it is told.
 *
 * It introduces itself and sends KEEPALIVEs; everything else is the test's. It dials, so the member is the passive side.
 */
import type { IpAddress } from '../../bgp/net/index.js';
import type { ByteStream } from '../../bgp/speaker/index.js';
import {
  type Capability,
  type CodecContext,
  decodeMessage,
  encodeMessage,
  Framer,
  type Message,
  type NotificationMessage,
} from '../../bgp/wire/index.js';
import { address4 } from './addresses.js';
import type { MemoryMesh } from './memory-mesh.js';

export interface MemoryPeerOptions {
  readonly address: string;
  readonly asn: number;
  readonly capabilities?: readonly Capability[];
  readonly holdTimeSeconds?: number;
  readonly context?: Partial<CodecContext>;
  /** What is sent, in one write, once the member's OPEN is here; absent: a KEEPALIVE. */
  readonly afterOpen?: readonly Message[];
}

const KEEPALIVE_MS = 20_000;

export class MemoryPeer {
  readonly messages: Message[] = [];
  /** Lengths of what was received, in octets. */
  readonly lengths: number[] = [];
  closed = false;
  readonly #context: CodecContext;
  readonly #mesh: MemoryMesh;
  readonly #afterOpen: readonly Message[];
  #stream: ByteStream | undefined;

  constructor(mesh: MemoryMesh, to: IpAddress, options: MemoryPeerOptions) {
    const { asn, capabilities = [], holdTimeSeconds = 90 } = options;
    this.#mesh = mesh;
    this.#afterOpen = options.afterOpen ?? [{ type: 'KEEPALIVE' }];
    this.#context = { as4: true, peerType: 'ebgp', maxMessageLength: 65_535, ...options.context };
    const bgpIdentifier = address4(options.address);
    mesh.network.transportOf(bgpIdentifier).dial(
      { remote: to, port: 179, timeoutMs: 1000 },
      {
        onConnected: (stream) => {
          this.#take(stream);
          const own: readonly Capability[] = [{ kind: 'fourOctetAs', asn }, ...capabilities];
          this.send({ type: 'OPEN', asn, holdTimeSeconds, bgpIdentifier, capabilities: own });
        },
        onFailed: () => {
          this.closed = true;
        },
      },
    );
  }

  get notification(): NotificationMessage | undefined {
    return this.messages.find((message) => message.type === 'NOTIFICATION');
  }

  /** In one write, so that they arrive in one chunk. */
  send(...messages: readonly Message[]): void {
    if (this.closed) return;
    this.#stream?.write(Buffer.concat(messages.map((message) => encodeMessage(message, this.#context))));
  }

  #take(stream: ByteStream): void {
    const framer = new Framer({ maxMessageLength: this.#context.maxMessageLength });
    this.#stream = stream;
    stream.attach({
      onData: (chunk) => {
        for (const frame of framer.push(chunk)) {
          if (!(frame instanceof Uint8Array)) throw new Error(frame.reason);
          const message = decodeMessage(frame, this.#context);
          if (message.type === 'FAULT') throw new Error(message.reason);
          this.lengths.push(frame.length);
          this.messages.push(message);
          if (message.type !== 'OPEN') continue;
          this.send(...this.#afterOpen);
          this.#mesh.clock.setTimer(KEEPALIVE_MS, () => this.#keepAlive());
        }
      },
      onDrain: () => {},
      onClose: () => {
        this.closed = true;
      },
    });
  }

  #keepAlive(): void {
    if (this.closed) return;
    this.send({ type: 'KEEPALIVE' });
    this.#mesh.clock.setTimer(KEEPALIVE_MS, () => this.#keepAlive());
  }
}
