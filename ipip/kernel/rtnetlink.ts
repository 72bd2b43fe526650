/**
 * The kernel port over rtnetlink.
 *
 * Owns: sequence numbers, batches, dumps and their repetition, errors matched to operations, the event stream. Must not
 * know: plans and ownership.
 *
 * The kernel carries a request out inside send(2): when it returns, every answer is queued. A batch is one datagram of
 * many messages with an acknowledgement asked of the last; errors of the others come by themselves, and NLM_F_ECHO
 * returns each route as it was installed, so that a batch is read back without a dump.
 *
 * Source: netlink(7), rtnetlink(7), linux/netlink.h.
 */
import type { IpAddress } from '../../bgp/net/index.js';
import {
  forEachMessage,
  type MessageView,
  MessageWriter,
  NLMSG_HEADER_BYTES,
  readAttributes,
  readString,
} from './codec.js';
import { ERRNO_ENOBUFS, ERRNO_EPERM, KernelError, kernelError } from './errors.js';
import {
  type EventHandler,
  type Kernel,
  type KernelAddress,
  type KernelEvent,
  type KernelLink,
  type KernelNeighbour,
  type KernelRoute,
  type LinkOperation,
  type Lookup,
  MAIN_TABLE,
  type RouteOperation,
  type RouteResult,
} from './kernel.js';
import {
  decodeAddress,
  decodeLink,
  encodeAddressDump,
  encodeLinkDump,
  encodeLinkOperation,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_NEWADDR,
  RTM_NEWLINK,
} from './link-message.js';
import { decodeNeighbour, encodeNeighbourDump, RTM_DELNEIGH, RTM_NEWNEIGH } from './neighbour-message.js';
import { AF_INET, NLM_F_ACK, NLM_F_REPLACE, NLM_F_REQUEST } from './netlink-numbers.js';
import {
  decodeRoute,
  encodeLookup,
  encodeRouteDump,
  encodeRouteOperation,
  lookupOf,
  NextHopPool,
  RTM_DELROUTE,
  RTM_NEWROUTE,
  routeScope,
} from './route-message.js';
import { NetlinkSocket } from './socket.js';

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_DUMP_INTR = 0x010;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;

/** Link, neighbours, IPv4 and IPv6 addresses, IPv4 and IPv6 routes (RTMGRP_*). */
const EVENT_GROUPS = 0x001 | 0x004 | 0x010 | 0x040 | 0x100 | 0x400;
/** Messages in one send(2); more brings no speed and holds the kernel's lock longer. */
const BATCH_SIZE = 512;
/** The kernel hands out a dump in parts of at most 32 KB. */
const RECEIVE_BYTES = 64 * 1024;
/** A dump is repeated while the tables change under it; after so many times we take what there is for an error. */
const DUMP_ATTEMPTS = 8;
const MAX_SEQUENCE = 0xffff_ffff;

/** What came back for one message of an exchange. `scope`: `rtm_scope`, which is no part of a route's identity. */
type Reply =
  | { readonly route: KernelRoute; readonly scope: number; readonly error?: never }
  | { readonly error: KernelError; readonly route?: never };

/** Linux's own routing tables, of the network namespace that this process runs in. */
export function rtnetlinkKernel(): Kernel {
  return new RtnetlinkKernel();
}

class RtnetlinkKernel implements Kernel {
  #requests: NetlinkSocket | undefined;
  #events: NetlinkSocket | undefined;
  #sequence = 0;
  /** The request socket carries one exchange at a time. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #writer = new MessageWriter();
  readonly #buffer = Buffer.alloc(RECEIVE_BYTES);
  readonly #eventBuffer = Buffer.alloc(RECEIVE_BYTES);
  #pool = new NextHopPool();

  /** The sockets are made before this returns its promise, in the network namespace that the thread is in then. */
  async open(onEvents?: EventHandler): Promise<void> {
    this.#requests = new NetlinkSocket({ groups: 0 });
    if (onEvents === undefined) return;
    this.#events = new NetlinkSocket({ groups: EVENT_GROUPS, ignorePort: this.#requests.port });
    this.#events.watch(() => this.#readEvents(onEvents));
  }

  async close(): Promise<void> {
    await this.#events?.close();
    await this.#exclusive(async () => {
      await this.#requests?.close();
      this.#requests = undefined;
    });
  }

  checkPermission(): Promise<void> {
    return this.#exclusive(async () => {
      // The kernel checks the capability before it looks further than the family: a deletion without a body is
      // refused in any case, and deletes nothing.
      const error = await this.#acknowledged((sequence) =>
        this.#writer
          .begin(RTM_DELROUTE, NLM_F_REQUEST | NLM_F_ACK, sequence)
          .u32(AF_INET)
          .end(),
      );
      if (error?.errno === ERRNO_EPERM) throw error;
    });
  }

  links(): Promise<readonly KernelLink[]> {
    return this.#exclusive(() =>
      this.#dump((sequence) => encodeLinkDump(this.#writer, sequence), RTM_NEWLINK, decodeLink),
    );
  }

  addresses(): Promise<readonly KernelAddress[]> {
    return this.#exclusive(() =>
      this.#dump((sequence) => encodeAddressDump(this.#writer, sequence), RTM_NEWADDR, decodeAddress),
    );
  }

  neighbours(): Promise<readonly KernelNeighbour[]> {
    return this.#exclusive(() =>
      this.#dump((sequence) => encodeNeighbourDump(this.#writer, sequence), RTM_NEWNEIGH, decodeNeighbour),
    );
  }

  routes(protocol = 0): Promise<readonly KernelRoute[]> {
    return this.#exclusive(async () => {
      // A fresh pool per full reading: next hops that nobody uses any more are forgotten.
      this.#pool = new NextHopPool();
      const decode = (bytes: Buffer, message: MessageView) => {
        const route = decodeRoute(bytes, message, this.#pool);
        // Kernels before 4.20 do not filter dumps.
        return route?.table === MAIN_TABLE && (protocol === 0 || route.protocol === protocol)
          ? route
          : undefined;
      };
      const ask = (family: 'ipv4' | 'ipv6') =>
        this.#dump(
          (sequence) => encodeRouteDump(this.#writer, family, protocol, sequence),
          RTM_NEWROUTE,
          decode,
        );
      const ipv4Routes = await ask('ipv4');
      const ipv6Routes = await ask('ipv6');
      return ipv6Routes.length === 0 ? ipv4Routes : [...ipv4Routes, ...ipv6Routes];
    });
  }

  lookup(addresses: readonly IpAddress[]): Promise<readonly Lookup[]> {
    return this.#exclusive(async () => {
      const answers: Lookup[] = [];
      for (let start = 0; start < addresses.length; start += BATCH_SIZE) {
        const chunk = addresses.slice(start, start + BATCH_SIZE);
        const replies = await this.#exchange(chunk.length, (index, sequence) => {
          const address = chunk[index];
          if (address !== undefined) encodeLookup(this.#writer, address, sequence);
        });
        chunk.forEach((address, index) => {
          const reply = replies[index];
          if (reply?.route !== undefined) answers.push(lookupOf(address, reply.route, reply.scope));
          else
            answers.push({
              kind: 'unreachable',
              reason: reply?.error?.reason ?? 'the kernel did not answer',
            });
        });
      }
      return answers;
    });
  }

  apply(operations: readonly RouteOperation[]): Promise<readonly RouteResult[]> {
    return this.#exclusive(async () => {
      const results: RouteResult[] = [];
      for (let start = 0; start < operations.length; start += BATCH_SIZE) {
        const chunk = operations.slice(start, start + BATCH_SIZE);
        const replies = await this.#exchange(
          chunk.length,
          (index, sequence) => {
            const operation = chunk[index];
            const ackFlag = index === chunk.length - 1 ? NLM_F_ACK : 0;
            if (operation !== undefined) encodeRouteOperation(this.#writer, operation, sequence, ackFlag);
          },
          true,
        );
        chunk.forEach((operation, index) => {
          // A replacement by the same route changes nothing and is not echoed.
          results.push(replies[index] ?? { route: operation.route });
        });
      }
      return results;
    });
  }

  applyLink(operation: LinkOperation): Promise<void> {
    return this.#exclusive(async () => {
      const error = await this.#acknowledged((sequence) =>
        encodeLinkOperation(this.#writer, operation, sequence),
      );
      if (error !== undefined) throw error;
    });
  }

  /** Runs one exchange after the other, whatever became of the one before. */
  #exclusive<T>(exchange: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(exchange, exchange);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  #socket(): NetlinkSocket {
    if (this.#requests === undefined) {
      throw new KernelError({ code: 'KERNEL_CLOSED', message: 'the kernel port is not open' });
    }
    return this.#requests;
  }

  /** The first of `count` consecutive sequence numbers; 0 is never used. */
  #sequences(count: number): number {
    if (this.#sequence > MAX_SEQUENCE - count) this.#sequence = 0;
    const first = this.#sequence + 1;
    this.#sequence += count;
    return first;
  }

  /** One message whose answer is an acknowledgement; undefined means done. */
  async #acknowledged(encode: (sequence: number) => void): Promise<KernelError | undefined> {
    const [reply] = await this.#exchange(1, (_index, sequence) => encode(sequence), true);
    return reply?.error;
  }

  /**
   * Sends `count` messages as one datagram and collects what comes back for each.
   * @param acknowledged the last message asks for an acknowledgement; without one, each answer is a route or an error
   * @throws KernelError `KERNEL_ENOBUFS` where answers are missing
   */
  async #exchange(
    count: number,
    encode: (index: number, sequence: number) => void,
    acknowledged = false,
  ): Promise<readonly (Reply | undefined)[]> {
    const socket = this.#socket();
    const first = this.#sequences(count);
    this.#writer.reset();
    for (let index = 0; index < count; index++) encode(index, first + index);
    await socket.send(this.#writer.bytes());

    const replies: (Reply | undefined)[] = new Array(count).fill(undefined);
    let finished = false;
    for (;;) {
      const length = socket.receive(this.#buffer);
      if (length === undefined) break;
      forEachMessage(this.#buffer, length, (message) => {
        const index = message.sequence - first;
        if (index < 0 || index >= count) return;
        const isLast = index === count - 1;
        if (message.type === NLMSG_ERROR) {
          const error = readError(this.#buffer, message);
          if (error !== undefined) replies[index] = { error };
          if (isLast) finished = true;
        } else if (message.type === RTM_NEWROUTE || message.type === RTM_DELROUTE) {
          const route = decodeRoute(this.#buffer, message, this.#pool);
          if (route !== undefined) replies[index] = { route, scope: routeScope(this.#buffer, message) };
          if (isLast && !acknowledged) finished = true;
        }
      });
    }
    if (!finished) throw kernelError(ERRNO_ENOBUFS, 'netlink');
    return replies;
  }

  /** Reads a whole table, again from the start where it changed meanwhile. */
  async #dump<T>(
    ask: (sequence: number) => void,
    type: number,
    decode: (bytes: Buffer, message: MessageView) => T | undefined,
  ): Promise<readonly T[]> {
    for (let attempt = 1; ; attempt++) {
      const { items, interrupted } = await this.#dumpOnce(ask, type, decode);
      if (!interrupted) return items;
      if (attempt === DUMP_ATTEMPTS) {
        throw new KernelError({
          code: 'KERNEL_DUMP_INTERRUPTED',
          message: `netlink: the table changed ${DUMP_ATTEMPTS} times while it was read`,
        });
      }
    }
  }

  async #dumpOnce<T>(
    ask: (sequence: number) => void,
    type: number,
    decode: (bytes: Buffer, message: MessageView) => T | undefined,
  ): Promise<{ readonly items: readonly T[]; readonly interrupted: boolean }> {
    const socket = this.#socket();
    const sequence = this.#sequences(1);
    this.#writer.reset();
    ask(sequence);
    await socket.send(this.#writer.bytes());
    const items: T[] = [];
    let interrupted = false;
    for (let done = false; !done; ) {
      const length = await socket.receiveDump(this.#buffer);
      if (length === undefined) throw kernelError(ERRNO_ENOBUFS, 'netlink');
      forEachMessage(this.#buffer, length, (message) => {
        if (message.sequence !== sequence) return;
        if ((message.flags & NLM_F_DUMP_INTR) !== 0) interrupted = true;
        if (message.type === NLMSG_DONE || message.type === NLMSG_ERROR) {
          done = true;
          const error = readError(this.#buffer, message);
          // A kernel without IPv6 has no IPv6 routes.
          if (error?.code === 'KERNEL_EOPNOTSUPP' || error?.code === 'KERNEL_EAFNOSUPPORT') return;
          if (error?.code === 'KERNEL_EINTR') interrupted = true;
          else if (error !== undefined) throw error;
        } else if (message.type === type) {
          const item = decode(this.#buffer, message);
          if (item !== undefined) items.push(item);
        }
      });
    }
    return { items, interrupted };
  }

  /** Everything that is queued becomes one list of events. */
  #readEvents(onEvents: EventHandler): void {
    const socket = this.#events;
    if (socket === undefined) return;
    const events: KernelEvent[] = [];
    for (;;) {
      let length: number | undefined;
      try {
        length = socket.receive(this.#eventBuffer);
      } catch (error) {
        if (!(error instanceof KernelError) || error.errno !== ERRNO_ENOBUFS) throw error;
        events.push({ kind: 'lost' });
        continue;
      }
      if (length === undefined) break;
      forEachMessage(this.#eventBuffer, length, (message) => {
        const event = this.#decodeEvent(message);
        if (event !== undefined) events.push(event);
      });
    }
    if (events.length > 0) onEvents(events);
  }

  #decodeEvent(message: MessageView): KernelEvent | undefined {
    switch (message.type) {
      case RTM_NEWROUTE:
      case RTM_DELROUTE: {
        const route = decodeRoute(this.#eventBuffer, message, this.#pool);
        if (route?.table !== MAIN_TABLE) return undefined;
        return {
          kind: 'route',
          change: message.type === RTM_NEWROUTE ? 'new' : 'gone',
          route,
          replaced: (message.flags & NLM_F_REPLACE) !== 0,
        };
      }
      case RTM_NEWLINK:
      case RTM_DELLINK: {
        const link = decodeLink(this.#eventBuffer, message);
        if (link === undefined) return undefined;
        return { kind: 'link', change: message.type === RTM_NEWLINK ? 'new' : 'gone', link };
      }
      case RTM_NEWADDR:
      case RTM_DELADDR:
        return { kind: 'address' };
      case RTM_NEWNEIGH:
      case RTM_DELNEIGH: {
        const neighbour = decodeNeighbour(this.#eventBuffer, message);
        if (neighbour === undefined) return undefined;
        return { kind: 'neighbour', change: message.type === RTM_NEWNEIGH ? 'new' : 'gone', neighbour };
      }
      default:
        return undefined;
    }
  }
}

/** The error of an NLMSG_ERROR or NLMSG_DONE; undefined for an acknowledgement. */
function readError(bytes: Buffer, message: MessageView): KernelError | undefined {
  // nlmsgerr = error(4), negative errno; then the header of the request (NETLINK_CAP_ACK), then attributes.
  const errno = message.body + 4 <= message.end ? -bytes.readInt32LE(message.body) : 0;
  if (errno === 0) return undefined;
  const said: { text?: string } = {};
  if ((message.flags & NLM_F_ACK_TLVS) !== 0 && message.type === NLMSG_ERROR) {
    const start = message.body + 4 + NLMSG_HEADER_BYTES;
    readAttributes(
      bytes,
      start,
      message.end,
      {
        [NLMSGERR_ATTR_MSG]: (target, from, offset, length) => {
          target.text = readString(from, offset, length);
        },
      },
      said,
    );
  }
  return kernelError(errno, 'the kernel refused', said.text);
}
