/**
 * The door of bgp/wire: the pure codec between bytes and `Message`.
 *
 * In: `Framer` cuts a byte stream into frames, `decodeMessage` turns a frame into a Message or into the WireFault
 * that ends the session. Out: `encodeMessage` writes a whole message; `maxPrefixBytes` tells the packer beforehand
 * how many octets of prefixes fit. Nothing here uses a socket, a clock or a logger, and no octets of a peer make it
 * throw.
 */
export { attributeName } from './attributes/table.js';
export { capabilityText, findCapability } from './capability.js';
export { decodeMessage, encodeMessage, MESSAGE_TYPE_OCTET } from './codec.js';
export {
  AS_TRANS,
  CEASE,
  COMMUNITY,
  DEFAULT_MAX_MESSAGE_LENGTH,
  EXTENDED_MAX_MESSAGE_LENGTH,
  FSM_ERROR,
  HEADER_ERROR,
  HEADER_LENGTH,
  NOTIFICATION,
  OPEN_ERROR,
  ROUTE_REFRESH_ERROR,
  UPDATE_ERROR,
} from './constants.js';
export type { WireFault } from './fault.js';
export { Framer } from './framer.js';
export type * from './message.js';
export {
  hardReset,
  hardResetReason,
  isHardReset,
  maximumPrefixes,
  notification,
  notificationText,
  shutdownCommunication,
  shutdownText,
} from './notification.js';
export { attributesKey, encodedPrefixBytes, maxPrefixBytes, maxWithdrawBytes } from './packing.js';
export { endOfRib, endOfRibMessage } from './update.js';
