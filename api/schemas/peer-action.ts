/**
 * What an administrator asks of a peer, and the answer.
 *
 * Owns: the shapes. Source: RFC 4486, RFC 9003.
 */
import { type Static, Type } from 'typebox';
import { record } from './shape.js';

export const PEER_ACTIONS = ['shutdown', 'reset', 'enable'] as const;

export type PeerAction = (typeof PEER_ACTIONS)[number];

/** `text` is for the peer's operator, at most 255 octets of it are sent (RFC 9003 section 2); `enable` sends none. */
export const PeerActionBody = Type.Object(
  { text: Type.Optional(Type.String({ maxLength: 255, description: 'a text of at most 255 characters' })) },
  { additionalProperties: false },
);

export const PeerActionAnswer = record({ peer: Type.String(), action: Type.Enum([...PEER_ACTIONS]) });

export type PeerActionAnswer = Static<typeof PeerActionAnswer>;
