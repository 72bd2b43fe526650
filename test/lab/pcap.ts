/**
 * Pure: reads the file that tcpdump writes, as it grows. Source: the libpcap file format (pcap-savefile(5)), link type
 * Ethernet.
 */

const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const LINKTYPE_ETHERNET = 1;
const ETHERNET_HEADER_BYTES = 14;
const ETHERTYPE_IPV4 = 0x0800;

/** The file is none that this reader knows. */
export class PcapError extends Error {
  readonly code = 'PCAP_INVALID';
}

/** Takes bytes in pieces of any size and gives whole packets. */
export class PcapReader {
  #rest: Buffer = Buffer.alloc(0);
  #started = false;

  /**
   * The packets that `chunk` completes, without their Ethernet headers; undefined for a frame that is not IPv4.
   *
   * @throws PcapError when the file is not of the host's byte order or not Ethernet
   */
  push(chunk: Buffer): readonly (Buffer | undefined)[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    if (!this.#started && !this.#readFileHeader()) return [];
    const packets: (Buffer | undefined)[] = [];
    for (;;) {
      if (this.#rest.length < RECORD_HEADER_BYTES) return packets;
      const end = RECORD_HEADER_BYTES + this.#rest.readUInt32LE(8);
      if (this.#rest.length < end) return packets;
      packets.push(networkLayer(this.#rest.subarray(RECORD_HEADER_BYTES, end)));
      this.#rest = this.#rest.subarray(end);
    }
  }

  #readFileHeader(): boolean {
    if (this.#rest.length < FILE_HEADER_BYTES) return false;
    if (this.#rest.readUInt32LE(0) !== MAGIC_MICROSECONDS) throw new PcapError('not a pcap file');
    if (this.#rest.readUInt32LE(20) !== LINKTYPE_ETHERNET) throw new PcapError('not an Ethernet capture');
    this.#rest = this.#rest.subarray(FILE_HEADER_BYTES);
    this.#started = true;
    return true;
  }
}

function networkLayer(frame: Buffer): Buffer | undefined {
  if (frame.length < ETHERNET_HEADER_BYTES || frame.readUInt16BE(12) !== ETHERTYPE_IPV4) return undefined;
  return frame.subarray(ETHERNET_HEADER_BYTES);
}
