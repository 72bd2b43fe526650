/**
 * The door of bgp/speaker: a BGP speaker with its ports for time and transport.
 */
export { type CancelTimer, type Clock, systemClock } from './clock.js';
export type { DynamicPeerRange } from './dynamic-peers.js';
export type { KernelDrops } from './kernel-drops.js';
export { Speaker, type SpeakerOptions } from './speaker.js';
export { tcpTransport } from './tcp.js';
export { MAX_PASSWORD_BYTES, TcpOptionError } from './tcp-options.js';
export type {
  ByteStream,
  DialHandlers,
  DialOptions,
  HopOptions,
  Listener,
  ListenOptions,
  StreamHandlers,
  Transport,
} from './transport.js';
export type { PeerActionResult, PeerConfig, PeerError, PeerShutdown, PeerStatus } from './types.js';
