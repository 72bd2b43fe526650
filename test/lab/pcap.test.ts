import { describe, expect, test } from 'vitest';
import { echoRequest, PROTOCOL_ICMP, PROTOCOL_IPIP, readEcho, readIpv4 } from './icmp.js';
import { PcapError, PcapReader } from './pcap.js';

function fileHeader(linkType = 1): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt32LE(linkType, 20);
  return header;
}

function record(frame: Buffer): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(frame.length, 8);
  header.writeUInt32LE(frame.length, 12);
  return Buffer.concat([header, frame]);
}

function ethernet(etherType: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(14);
  header.writeUInt16BE(etherType, 12);
  return Buffer.concat([header, payload]);
}

function ipv4Packet(source: string, destination: string, protocol: number, payload: Buffer): Buffer {
  const header = Buffer.from('4500000000000000400000000000000000000000', 'hex');
  header.writeUInt8(protocol, 9);
  Buffer.from(source.split('.').map(Number)).copy(header, 12);
  Buffer.from(destination.split('.').map(Number)).copy(header, 16);
  return Buffer.concat([header, payload]);
}

const inner = ipv4Packet('10.244.1.2', '10.244.3.2', PROTOCOL_ICMP, echoRequest(7, 3));
const outer = ipv4Packet('192.168.1.11', '192.168.2.13', PROTOCOL_IPIP, inner);

describe('the reader of tcpdump files', () => {
  const file = Buffer.concat([
    fileHeader(),
    record(ethernet(0x0806, Buffer.alloc(28))),
    record(ethernet(0x0800, outer)),
    record(ethernet(0x0800, inner)),
  ]);

  test.each([1, 5, 40, file.length])('gives whole packets from pieces of %i bytes', (size) => {
    const reader = new PcapReader();
    const packets: (Buffer | undefined)[] = [];
    for (let at = 0; at < file.length; at += size) packets.push(...reader.push(file.subarray(at, at + size)));
    expect(packets).toEqual([undefined, outer, inner]);
  });

  test('refuses a capture that is not Ethernet', () => {
    expect(() => new PcapReader().push(fileHeader(113))).toThrow(PcapError);
  });
});

describe('an IPIP packet', () => {
  test('shows the tunnel ends outside and the ping inside', () => {
    const header = readIpv4(outer);
    expect(header).toMatchObject({
      source: '192.168.1.11',
      destination: '192.168.2.13',
      protocol: 4,
      ttl: 64,
    });
    const ping = header && readIpv4(header.payload);
    expect(ping).toMatchObject({ source: '10.244.1.2', destination: '10.244.3.2', protocol: 1 });
    expect(ping && readEcho(ping.payload)).toEqual({ kind: 'request', id: 7, sequence: 3 });
  });
});
