/**
 * What went over the wires of a memory network, by type of message (RFC 4271 section 4.1).
 *
 * Owns: the counters. Must not know: speakers; it counts octets that were written, whoever wrote them.
 */
export interface Tally {
  readonly open: number;
  readonly update: number;
  readonly notification: number;
  readonly keepalive: number;
  readonly refresh: number;
  readonly bytes: number;
}

const TYPES = ['open', 'update', 'notification', 'keepalive', 'refresh'] as const;
const HEADER_BYTES = 19;
const LENGTH_AT = 16;
const TYPE_AT = 18;

export class MessageTally {
  #counts = { open: 0, update: 0, notification: 0, keepalive: 0, refresh: 0, bytes: 0 };

  /** Whole messages, as a speaker writes them. */
  add(bytes: Uint8Array): void {
    this.#counts.bytes += bytes.length;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < bytes.length; ) {
      const type = TYPES[view.getUint8(at + TYPE_AT) - 1];
      const length = view.getUint16(at + LENGTH_AT);
      if (type === undefined || length < HEADER_BYTES) throw new Error(`no BGP message at octet ${at}`);
      this.#counts[type] += 1;
      at += length;
    }
  }

  /** What was counted since the last call. */
  take(): Tally {
    const taken = this.#counts;
    this.#counts = { open: 0, update: 0, notification: 0, keepalive: 0, refresh: 0, bytes: 0 };
    return taken;
  }
}
