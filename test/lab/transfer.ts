/**
 * Bulk data over TCP from one machine of the lab to another, as a pod's programs would send it: the kernels' own TCP,
 * whatever they do about the size of packets.
 *
 * Owns: the connection and the comparison of what was sent with what came. Must not know: paths, captures.
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { inNamespace, tcpSocket } from './libc.js';
import { namespaceName, namespacePath } from './namespaces.js';

/** What to send, and where. */
export interface TransferOrder {
  readonly from: string;
  readonly to: string;
  /** An address of `to`. */
  readonly address: string;
  readonly bytes: number;
  /** Spread evenly over so long a time; default: as fast as the network takes it. */
  readonly overSeconds?: number;
}

/** How a transfer went. */
export interface TransferResult {
  readonly seconds: number;
  /** What was wrong; undefined: every byte arrived as it was sent. */
  readonly fault: string | undefined;
}

const CHUNK_BYTES = 1 << 16;

/** Sends all of it and waits until the receiver has closed, at most `timeoutMs`. */
export async function transfer(
  lab: string,
  order: TransferOrder,
  timeoutMs: number,
): Promise<TransferResult> {
  const started = performance.now();
  const socketOf = (machine: string) => inNamespace(namespacePath(namespaceName(lab, machine)), tcpSocket);
  const server = createServer({ allowHalfOpen: true }).listen({ fd: socketOf(order.to) });
  const client = new Socket({ fd: socketOf(order.from), readable: true, writable: true });
  const tooLate = AbortSignal.timeout(timeoutMs);
  const give = () => client.destroy(new Error(`not done after ${timeoutMs / 1000} s`));
  tooLate.addEventListener('abort', give, { once: true });
  try {
    await once(server, 'listening');
    const received = digestOf(server);
    const sent = send(client, (server.address() as AddressInfo).port, order);
    const [there, here] = await Promise.all([received, sent]);
    const seconds = (performance.now() - started) / 1000;
    if (there.bytes !== order.bytes)
      return { seconds, fault: `${there.bytes} of ${order.bytes} bytes arrived` };
    return { seconds, fault: there.digest === here ? undefined : 'what arrived is not what was sent' };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { seconds: (performance.now() - started) / 1000, fault: error.message };
  } finally {
    tooLate.removeEventListener('abort', give);
    client.destroy();
    server.close();
  }
}

/** Sends random bytes. @returns their SHA-256 */
async function send(client: Socket, port: number, order: TransferOrder): Promise<string> {
  const { address, bytes, overSeconds = 0 } = order;
  client.connect(port, address);
  await once(client, 'connect');
  const started = performance.now();
  const hash = createHash('sha256');
  for (let left = bytes; left > 0; left -= CHUNK_BYTES) {
    const chunk = randomBytes(Math.min(left, CHUNK_BYTES));
    hash.update(chunk);
    const dueMs = started + (1 - left / bytes) * overSeconds * 1000;
    if (dueMs > performance.now()) await sleep(dueMs - performance.now());
    if (!client.write(chunk)) await once(client, 'drain');
  }
  const answered = once(client, 'end');
  client.end();
  client.resume();
  await answered;
  return hash.digest('hex');
}

/** What the first visitor sends, until it has sent all. */
async function digestOf(server: Server): Promise<{ readonly bytes: number; readonly digest: string }> {
  const [visitor] = (await once(server, 'connection')) as [Socket];
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of visitor as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
    }
    return { bytes, digest: hash.digest('hex') };
  } finally {
    visitor.end();
  }
}
