/**
 * What damage is done to: every vector of the codec, with the session it belongs to.
 */
import type { DecodeContext } from '../../bgp/wire/index.js';
import { hex } from '../support/wire.js';
import { OPEN_VECTORS } from '../vectors/wire/open.js';
import { OTHER_VECTORS } from '../vectors/wire/other.js';
import { UPDATE_VECTORS } from '../vectors/wire/update.js';

export interface Sample {
  readonly bytes: Uint8Array;
  readonly context: DecodeContext;
}

export const CORPUS: readonly Sample[] = [...OPEN_VECTORS, ...UPDATE_VECTORS, ...OTHER_VECTORS].map(
  ({ bytes, context }) => ({ bytes: hex(bytes), context }),
);

export const CORPUS_BYTES: readonly Uint8Array[] = CORPUS.map(({ bytes }) => bytes);
