/** One message in both forms. */
import type { CodecContext, Message } from '../../../bgp/wire/index.js';

export interface WireVector {
  readonly name: string;
  readonly context: CodecContext;
  /** The whole message, one comment per field. */
  readonly bytes: string;
  readonly message: Message;
  /** Where another speaker's octets are not the ones that we would write for the same message: ours, and why. */
  readonly ours?: { readonly because: string; readonly bytes: string };
}
