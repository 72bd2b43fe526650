/**
 * Which address a packet comes from, as its receiver sees it: a server in one namespace that answers each datagram with
 * the source it saw, and clients in others.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Namespace } from './netns.js';
import { until } from './until.js';

const PORT = 7777;
/** Of its own: what the kernel remembers of thousands of flows must not be met by a question that gets the same port. */
const FLOOD_PORT = 7778;

/** Answers with the source address; a datagram `stats` with how often each was seen. */
const SERVER = `
  const seen = {};
  for (const [type, port] of [['udp4', ${PORT}], ['udp6', ${PORT}], ['udp4', ${FLOOD_PORT}]]) {
    const socket = require('node:dgram').createSocket({ type, ipv6Only: type === 'udp6' });
    socket.on('message', (message, from) => {
      seen[from.address] = (seen[from.address] ?? 0) + 1;
      const answer = message.toString() === 'stats' ? JSON.stringify(seen) : from.address;
      socket.send(answer, from.port, from.address);
    });
    socket.bind(port, () => console.log(type, port));
  }
`;

/** ADDRESS MESSAGE: prints the answer; asks again, since the first packet may wait for a neighbour. */
const CLIENT = `
  const [address, message] = process.argv.slice(1);
  const socket = require('node:dgram').createSocket(address.includes(':') ? 'udp6' : 'udp4');
  const ask = () => socket.send(message, ${PORT}, address);
  const again = setInterval(ask, 200);
  const timer = setTimeout(() => { console.log('no answer'); process.exit(0); }, 5000);
  socket.on('message', (answer) => {
    console.log(answer.toString());
    clearInterval(again); clearTimeout(timer); socket.close();
  });
  ask();
`;

/** ADDRESS: a new flow every millisecond, each one datagram, until killed. */
const FLOOD = `
  const [address] = process.argv.slice(1);
  setInterval(() => {
    const socket = require('node:dgram').createSocket('udp4');
    socket.send('flood', ${FLOOD_PORT}, address, () => socket.close());
  }, 1);
`;

/** Starts a server; resolves when it answers. It ends with its namespace. */
export async function seeAddresses(namespace: Namespace, folder: string): Promise<void> {
  const output = join(folder, `${namespace.name}.seen`);
  namespace.spawn(process.execPath, ['-e', SERVER], output);
  await until('the server of seen addresses is there', () => {
    const text = readFileSync(output, 'utf8');
    return [`udp4 ${PORT}`, `udp6 ${PORT}`, `udp4 ${FLOOD_PORT}`].every((line) => text.includes(line));
  });
}

/** The source that the server at `address` sees of a packet from `namespace`, or `no answer`. */
export function seenFrom(namespace: Namespace, address: string): string {
  return namespace.run(process.execPath, '-e', CLIENT, address, 'who').trim();
}

/** How many datagrams the server saw from each address. */
export function seenSoFar(namespace: Namespace, address: string): Readonly<Record<string, number>> {
  return JSON.parse(namespace.run(process.execPath, '-e', CLIENT, address, 'stats'));
}

/** Starts new flows without end; the process is to be killed. */
export function flood(namespace: Namespace, address: string, folder: string): ReturnType<Namespace['spawn']> {
  return namespace.spawn(process.execPath, ['-e', FLOOD, address], join(folder, 'flood.log'));
}
