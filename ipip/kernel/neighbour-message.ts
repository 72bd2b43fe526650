/**
 * Neighbours as values: RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH.
 *
 * Owns: ndmsg and the NDA_ attributes. Must not know: sockets, and which neighbours matter.
 * Wire: ndmsg = family(1) pad(3) ifindex(4) state(2) flags(1) type(1).
 * Source: linux/neighbour.h, rtnetlink(7).
 */
import type { IpAddress } from '../../bgp/net/index.js';
import {
  type AttributeTable,
  type MessageView,
  type MessageWriter,
  readAddress,
  readAttributes,
} from './codec.js';
import { interfaceIndex, type KernelNeighbour, type NeighbourState } from './kernel.js';
import { AF_INET, AF_INET6, AF_UNSPEC, NLM_F_DUMP, NLM_F_REQUEST } from './netlink-numbers.js';

export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
const RTM_GETNEIGH = 30;

const NDMSG_BYTES = 12;
const NDA_DST = 1;

/** NUD_*: one bit each. */
const STATES: ReadonlyMap<number, NeighbourState> = new Map([
  [0x00, 'none'],
  [0x01, 'incomplete'],
  [0x02, 'reachable'],
  [0x04, 'stale'],
  [0x08, 'delay'],
  [0x10, 'probe'],
  [0x20, 'failed'],
  [0x40, 'noarp'],
  [0x80, 'permanent'],
]);

interface NeighbourFields {
  address: IpAddress | undefined;
}

const NEIGHBOUR_ATTRIBUTES: AttributeTable<NeighbourFields> = {
  [NDA_DST]: (fields, bytes, offset, length) => {
    fields.address = readAddress(bytes, offset, length);
  },
};

export function encodeNeighbourDump(writer: MessageWriter, sequence: number): void {
  writer
    .begin(RTM_GETNEIGH, NLM_F_REQUEST | NLM_F_DUMP, sequence)
    .u8(AF_UNSPEC)
    .u8(0)
    .u16(0)
    .u32(0)
    .u16(0)
    .u8(0)
    .u8(0)
    .end();
}

/** @returns undefined for what is no neighbour of either family: a bridge tells of its ports with the same message. */
export function decodeNeighbour(bytes: Buffer, { body, end }: MessageView): KernelNeighbour | undefined {
  const family = bytes.readUInt8(body);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const state = STATES.get(bytes.readUInt16LE(body + 8));
  const fields: NeighbourFields = { address: undefined };
  readAttributes(bytes, body + NDMSG_BYTES, end, NEIGHBOUR_ATTRIBUTES, fields);
  if (state === undefined || fields.address === undefined) return undefined;
  return { index: interfaceIndex(bytes.readUInt32LE(body + 4)), address: fields.address, state };
}
