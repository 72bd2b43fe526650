/**
 * The door of bgp/speaker: a BGP speaker with its ports for time and transport.
 */
export { type CancelTimer, type Clock, systemClock } from './clock.js';
export { Speaker, type SpeakerOptions } from './speaker.js';
export { tcpTransport } from './tcp.js';
export type {
  ByteStream,
  DialHandlers,
  DialOptions,
  Listener,
  ListenOptions,
  StreamHandlers,
  Transport,
} from './transport.js';
export type { PeerConfig, PeerError, PeerStatus } from './types.js';
