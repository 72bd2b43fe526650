/**
 * Sends every ping of the lab from one process: one raw socket in each machine's namespace, all requests at once, and a
 * look at both ends. The destination's socket shows the request as it arrived (source, TTL), the sender's the reply.
 *
 * Nothing is sent twice: a lost packet is a finding. Starting a ping program per pair would take minutes inside
 * User-Mode Linux.
 */

import { echoRequest, PROTOCOL_ICMP, readEcho, readFailure, readIpv4 } from './icmp.js';
import {
  closeSocket,
  inNamespace,
  rawIcmpSocket,
  receive,
  SystemCallError,
  sendIcmp,
  waitReadable,
} from './libc.js';
import { namespaceName, namespacePath } from './namespaces.js';

/** One ping to send. */
export interface Probe {
  readonly from: string;
  readonly to: string;
  readonly address: string;
}

/** A packet as the machine that received it saw it. */
export interface Seen {
  readonly source: string;
  readonly ttl: number;
}

/** What became of a ping. */
export interface Observation {
  readonly request: Seen | undefined;
  readonly reply: Seen | undefined;
  /** Why it failed, as far as the sender was told: an errno's name or an ICMP error and its sender. */
  readonly failure: string | undefined;
}

/** What to tell the probes of one run by in a capture. */
export interface ProbeRun {
  /** The ICMP identifier of all of them; the sequence number is the index of the probe. */
  readonly id: number;
  readonly observations: readonly Observation[];
}

interface Draft {
  request: Seen | undefined;
  reply: Seen | undefined;
  failure: string | undefined;
}

/**
 * Sends all probes and waits until each has been answered or refused, or `timeoutMs` has passed.
 *
 * @param id 16 bits that no other ping of the moment uses
 */
export async function sendProbes(
  lab: string,
  probes: readonly Probe[],
  id: number,
  timeoutMs: number,
): Promise<ProbeRun> {
  const drafts = probes.map((): Draft => ({ request: undefined, reply: undefined, failure: undefined }));
  const sockets = new Map<string, number>();
  try {
    for (const name of new Set(probes.flatMap(({ from, to }) => [from, to]))) {
      sockets.set(name, inNamespace(namespacePath(namespaceName(lab, name)), rawIcmpSocket));
    }
    probes.forEach(({ from, address }, sequence) => {
      const draft = drafts[sequence];
      if (draft !== undefined) draft.failure = trySend(sockets.get(from), echoRequest(id, sequence), address);
    });
    const deadline = performance.now() + timeoutMs;
    const isOpen = ({ request, reply, failure }: Draft) =>
      failure === undefined && (request === undefined || reply === undefined);
    while (drafts.some(isOpen) && performance.now() < deadline) {
      const readable = await waitReadable([...sockets.values()], deadline - performance.now());
      for (const [machine, fd] of sockets) {
        if (readable.includes(fd)) readAll(fd, (packet) => note(packet, machine, id, probes, drafts));
      }
    }
  } finally {
    for (const fd of sockets.values()) closeSocket(fd);
  }
  return { id, observations: drafts };
}

function trySend(fd: number | undefined, packet: Buffer, address: string): string | undefined {
  if (fd === undefined) throw new Error('a probe from a machine without a socket');
  try {
    sendIcmp(fd, packet, address);
    return undefined;
  } catch (error) {
    if (error instanceof SystemCallError) return error.code;
    throw error;
  }
}

const buffer = Buffer.alloc(65_536);

function readAll(fd: number, onPacket: (packet: Buffer) => void): void {
  for (let packet = receive(fd, buffer); packet !== undefined; packet = receive(fd, buffer)) onPacket(packet);
}

/** Enters a packet that `machine` received into the draft of its probe. */
function note(
  packet: Buffer,
  machine: string,
  id: number,
  probes: readonly Probe[],
  drafts: readonly Draft[],
): void {
  const ip = readIpv4(packet);
  if (ip?.protocol !== PROTOCOL_ICMP) return;
  const echo = readEcho(ip.payload);
  if (echo !== undefined) {
    const probe = probes[echo.sequence];
    const draft = drafts[echo.sequence];
    if (echo.id !== id || probe === undefined || draft === undefined) return;
    const seen = { source: ip.source, ttl: ip.ttl };
    if (echo.kind === 'request' && machine === probe.to) draft.request ??= seen;
    if (echo.kind === 'reply' && machine === probe.from) draft.reply ??= seen;
    return;
  }
  const failure = readFailure(ip.payload);
  const about = failure && readIpv4(failure.about);
  const lost = about && readEcho(about.payload);
  const draft = lost?.id === id ? drafts[lost.sequence] : undefined;
  if (failure !== undefined && draft !== undefined) draft.failure ??= `${failure.text}, says ${ip.source}`;
}
