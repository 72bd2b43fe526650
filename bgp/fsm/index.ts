/**
 * The door of bgp/fsm: the pure state machine of a peer. Events in, ordered actions out.
 */
export { negotiate } from './negotiate.js';
export { PeerFsm } from './peer-fsm.js';
export type * from './types.js';
