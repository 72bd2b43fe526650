/**
 * Links and addresses as values: RTM_*LINK and RTM_*ADDR.
 *
 * Owns: ifinfomsg, ifaddrmsg, the IFLA_ and IFA_ attributes, and those of an ipip device. Must not know: sockets.
 * Wire: ifinfomsg = family(1) pad(1) type(2) index(4) flags(4) change(4);
 * ifaddrmsg = family(1) prefixlen(1) flags(1) scope(1) index(4).
 * Source: linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h, linux/if_tunnel.h.
 */
import { type IpAddress, type Ipv4, ipv4, isIpv4 } from '../../bgp/net/index.js';
import {
  type AttributeTable,
  type MessageView,
  type MessageWriter,
  readAddress,
  readAttributes,
  readString,
} from './codec.js';
import {
  type IpipParameters,
  interfaceIndex,
  type KernelAddress,
  type KernelLink,
  type LinkOperation,
} from './kernel.js';
import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
} from './netlink-numbers.js';

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
const RTM_GETADDR = 22;

const IFINFOMSG_BYTES = 16;
const IFADDRMSG_BYTES = 8;
const IFF_UP = 0x1;
const IFF_LOWER_UP = 0x10000;
const IFA_F_SECONDARY = 0x01;
const IFA_F_DADFAILED = 0x08;
const IFA_F_TENTATIVE = 0x40;
const RT_SCOPE_UNIVERSE = 0;

const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINKINFO = 18;
const IFLA_EXT_MASK = 29;
/** Leave the statistics out of the dump: they are most of its bytes. */
const RTEXT_FILTER_SKIP_STATS = 8;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_IPTUN_LOCAL = 2;
const IFLA_IPTUN_REMOTE = 3;
const IFLA_IPTUN_TTL = 4;
const IFLA_IPTUN_PMTUDISC = 10;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface LinkFields {
  name: string;
  mtuBytes: number;
  kind: string | undefined;
  ipip: Mutable<IpipParameters> | undefined;
}

const asIpv4 = (address: IpAddress): Ipv4 => (isIpv4(address) ? address : ipv4(0));

const IPIP_ATTRIBUTES: AttributeTable<Mutable<IpipParameters>> = {
  [IFLA_IPTUN_LOCAL]: (ipip, bytes, offset, length) => {
    ipip.local = asIpv4(readAddress(bytes, offset, length));
  },
  [IFLA_IPTUN_REMOTE]: (ipip, bytes, offset, length) => {
    ipip.remote = asIpv4(readAddress(bytes, offset, length));
  },
  [IFLA_IPTUN_TTL]: (ipip, bytes, offset) => {
    ipip.ttl = bytes.readUInt8(offset);
  },
  [IFLA_IPTUN_PMTUDISC]: (ipip, bytes, offset) => {
    ipip.pathMtuDiscovery = bytes.readUInt8(offset) !== 0;
  },
};

const INFO_ATTRIBUTES: AttributeTable<LinkFields> = {
  [IFLA_INFO_KIND]: (link, bytes, offset, length) => {
    link.kind = readString(bytes, offset, length);
  },
  // The kernel writes the kind before the data, which means something else for every kind.
  [IFLA_INFO_DATA]: (link, bytes, offset, length) => {
    if (link.kind !== 'ipip') return;
    link.ipip = { local: ipv4(0), remote: ipv4(0), ttl: 0, pathMtuDiscovery: false };
    readAttributes(bytes, offset, offset + length, IPIP_ATTRIBUTES, link.ipip);
  },
};

const LINK_ATTRIBUTES: AttributeTable<LinkFields> = {
  [IFLA_IFNAME]: (link, bytes, offset, length) => {
    link.name = readString(bytes, offset, length);
  },
  [IFLA_MTU]: (link, bytes, offset) => {
    link.mtuBytes = bytes.readUInt32LE(offset);
  },
  [IFLA_LINKINFO]: (link, bytes, offset, length) => {
    readAttributes(bytes, offset, offset + length, INFO_ATTRIBUTES, link);
  },
};

/** @returns undefined for a message of another family: a bridge tells of its ports with the same message type. */
export function decodeLink(bytes: Buffer, { body, end }: MessageView): KernelLink | undefined {
  if (bytes.readUInt8(body) !== AF_UNSPEC) return undefined;
  const flags = bytes.readUInt32LE(body + 8);
  const fields: LinkFields = { name: '', mtuBytes: 0, kind: undefined, ipip: undefined };
  readAttributes(bytes, body + IFINFOMSG_BYTES, end, LINK_ATTRIBUTES, fields);
  return {
    index: interfaceIndex(bytes.readInt32LE(body + 4)),
    name: fields.name,
    up: (flags & IFF_UP) !== 0,
    carrier: (flags & IFF_LOWER_UP) !== 0,
    mtuBytes: fields.mtuBytes,
    ...(fields.kind === undefined ? {} : { kind: fields.kind }),
    ...(fields.ipip === undefined ? {} : { ipip: fields.ipip }),
  };
}

interface AddressFields {
  address: IpAddress | undefined;
  local: IpAddress | undefined;
}

const ADDRESS_ATTRIBUTES: AttributeTable<AddressFields> = {
  [IFA_ADDRESS]: (fields, bytes, offset, length) => {
    fields.address = readAddress(bytes, offset, length);
  },
  [IFA_LOCAL]: (fields, bytes, offset, length) => {
    fields.local = readAddress(bytes, offset, length);
  },
};

/** Our own end of the address; on a point-to-point link IFA_ADDRESS is the other end. */
export function decodeAddress(bytes: Buffer, { body, end }: MessageView): KernelAddress | undefined {
  const fields: AddressFields = { address: undefined, local: undefined };
  readAttributes(bytes, body + IFADDRMSG_BYTES, end, ADDRESS_ATTRIBUTES, fields);
  const address = fields.local ?? fields.address;
  if (address === undefined) return undefined;
  const flags = bytes.readUInt8(body + 2);
  return {
    index: interfaceIndex(bytes.readUInt32LE(body + 4)),
    address,
    lengthBits: bytes.readUInt8(body + 1),
    ...((flags & IFA_F_SECONDARY) === 0 ? {} : { secondary: true }),
    ...((flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) === 0 ? {} : { tentative: true }),
    ...(bytes.readUInt8(body + 3) === RT_SCOPE_UNIVERSE ? {} : { narrow: true }),
  };
}

export function encodeLinkDump(writer: MessageWriter, sequence: number): void {
  writeIfinfomsg(writer.begin(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, sequence), 0, 0)
    .attributeU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
    .end();
}

export function encodeAddressDump(writer: MessageWriter, sequence: number): void {
  writer
    .begin(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, sequence)
    .u8(AF_UNSPEC)
    .u8(0)
    .u8(0)
    .u8(0)
    .u32(0)
    .end();
}

function writeIfinfomsg(writer: MessageWriter, index: number, upFlag: number): MessageWriter {
  return writer.u8(AF_UNSPEC).u8(0).u16(0).u32(index).u32(upFlag).u32(upFlag);
}

function writeIpip(writer: MessageWriter, parameters: IpipParameters): MessageWriter {
  return writer.nested(IFLA_LINKINFO, () => {
    writer.attributeString(IFLA_INFO_KIND, 'ipip').nested(IFLA_INFO_DATA, () => {
      writer
        .attributeAddress(IFLA_IPTUN_LOCAL, parameters.local)
        .attributeAddress(IFLA_IPTUN_REMOTE, parameters.remote)
        .attributeU8(IFLA_IPTUN_TTL, parameters.ttl)
        .attributeU8(IFLA_IPTUN_PMTUDISC, parameters.pathMtuDiscovery ? 1 : 0);
    });
  });
}

function writeAddress(writer: MessageWriter, { index, address, lengthBits }: KernelAddress): MessageWriter {
  return writer
    .u8(isIpv4(address) ? AF_INET : AF_INET6)
    .u8(lengthBits)
    .u8(0)
    .u8(0)
    .u32(index)
    .attributeAddress(IFA_LOCAL, address)
    .attributeAddress(IFA_ADDRESS, address);
}

/** The request of one link operation; always acknowledged. */
export function encodeLinkOperation(writer: MessageWriter, operation: LinkOperation, sequence: number): void {
  const begin = (type: number, flags = 0) => writer.begin(type, NLM_F_REQUEST | NLM_F_ACK | flags, sequence);
  switch (operation.op) {
    case 'createIpip':
      writeIfinfomsg(begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL), 0, 0)
        .attributeString(IFLA_IFNAME, operation.name)
        .attributeU32(IFLA_MTU, operation.mtuBytes);
      writeIpip(writer, operation.parameters);
      break;
    case 'changeIpip':
      writeIfinfomsg(begin(RTM_NEWLINK), operation.index, 0);
      writeIpip(writer, operation.parameters);
      break;
    case 'deleteLink':
      writeIfinfomsg(begin(RTM_DELLINK), operation.index, 0);
      break;
    case 'setMtu':
      writeIfinfomsg(begin(RTM_NEWLINK), operation.index, 0).attributeU32(IFLA_MTU, operation.mtuBytes);
      break;
    case 'setUp':
      writeIfinfomsg(begin(RTM_NEWLINK), operation.index, IFF_UP);
      break;
    case 'addAddress':
      writeAddress(begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE), operation.address);
      break;
    case 'removeAddress':
      writeAddress(begin(RTM_DELADDR), operation.address);
      break;
    default:
      operation satisfies never;
  }
  writer.end();
}
