/**
 * The transport port over TCP sockets.
 *
 * Owns: node:net, and which connected prefix a session is on. Must not know: BGP.
 *
 * A connection without options is plain node:net. One that is to be signed or limited in hops is opened by libc, because its options
 * must be there before the first packet leaves, and handed to node:net. Accepted connections and the listener are node:net's own;
 * their options are set through the file descriptor that its handle shows.
 */
import net from 'node:net';
import { networkInterfaces } from 'node:os';
import {
  addressFamily,
  formatIpAddress,
  hostPrefix,
  type IpAddress,
  ipv4,
  isIpv4,
  isLinkLocal,
  parseIpAddress,
  prefixFamily,
} from '../net/index.js';
import { connectedLink } from './connected-prefix.js';
import { connectionErrorText, dialFailureText } from './dial-failure.js';
import { dropsSince, readKernelDrops } from './kernel-drops.js';
import {
  closeSocket,
  keepSyn,
  openSocket,
  type SocketFamily,
  setMinTtl,
  setPassword,
  setTtl,
  synTtl,
  TcpOptionError,
} from './tcp-options.js';
import type {
  ByteStream,
  DialHandlers,
  DialOptions,
  HopOptions,
  Listener,
  ListenOptions,
  StreamHandlers,
  Transport,
} from './transport.js';

/** How long an ended stream may take to hand over its last bytes. */
const LINGER_MS = 3_000;
/** Connections at one time; further ones are closed at once. */
const MAX_CONNECTIONS = 4_096;
const MAX_TTL = 255;
const ENODEV = 19;
const ENOTCONN = 107;
/** ::ffff:0:0/96, the form in which a dual-stack socket shows IPv4 addresses. */
const IPV4_MAPPED = 0xffffn;

export const tcpTransport: Transport = { listen, dial, drops: readKernelDrops };

function listen(options: ListenOptions, onStream: (stream: ByteStream) => void): Promise<Listener> {
  const host = options.address === undefined ? undefined : formatIpAddress(options.address);
  const server = net.createServer({ allowHalfOpen: false, noDelay: true }, (socket) => {
    const stream = tcpStream(socket);
    // A peer that is gone before it was accepted has no addresses any more: nobody to talk to.
    if (stream === undefined) socket.destroy();
    else onStream(stream);
  });
  server.maxConnections = MAX_CONNECTIONS;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: options.port, ...(host === undefined ? {} : { host }) }, () => {
      server.removeListener('error', reject);
      resolve(tcpListener(server, options.port));
    });
  });
}

function tcpListener(server: net.Server, askedPort: number): Listener {
  const bound = server.address();
  const known = typeof bound === 'object' && bound !== null ? bound : undefined;
  const family = known?.family === 'IPv4' ? 'ipv4' : 'ipv6';
  return {
    port: known?.port ?? askedPort,
    setPassword(peers, password) {
      // An IPv4 socket meets no IPv6 peer.
      if (family === 'ipv6' || prefixFamily(peers) === 'ipv4') {
        setPassword(descriptor(server), family, peers, password);
      }
    },
    requireHops() {
      const fd = descriptor(server);
      keepSyn(fd);
      // The answer to the first packet is the listener's: a peer with TTL security drops it below 255.
      setTtl(fd, family, MAX_TTL);
    },
    close: () => new Promise((done) => server.close(() => done())),
  };
}

function dial(options: DialOptions, handlers: DialHandlers): () => void {
  let socket: net.Socket;
  const isPlain = options.password === undefined && options.ttl === undefined && options.minTtl === undefined;
  try {
    socket = isPlain ? plainSocket(options) : optionSocket(options);
  } catch (error) {
    if (!(error instanceof TcpOptionError)) throw error;
    const report = setImmediate(() => handlers.onFailed(error.message));
    return () => clearImmediate(report);
  }
  const before = readKernelDrops();
  const timer = setTimeout(
    () => socket.destroy(Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' })),
    options.timeoutMs,
  );
  const onFailed = (error: Error) => {
    clearTimeout(timer);
    const after = readKernelDrops();
    const dropped = before && after && dropsSince(before, after);
    handlers.onFailed(dialFailureText(options, error, dropped));
  };
  socket.once('error', onFailed);
  socket.once('connect', () => {
    clearTimeout(timer);
    socket.removeListener('error', onFailed);
    socket.setNoDelay(true);
    const stream = tcpStream(socket);
    if (stream === undefined) {
      socket.destroy();
      handlers.onFailed('connection closed by the peer');
    } else {
      handlers.onConnected(stream);
    }
  });
  return () => {
    clearTimeout(timer);
    socket.removeAllListeners();
    // A destroyed socket may still report the error of the attempt in flight: nobody waits for it any more.
    socket.on('error', () => {});
    socket.destroy();
  };
}

function plainSocket(options: DialOptions): net.Socket {
  return net.connect({
    host: hostText(options.remote, options.zone),
    port: options.port,
    ...(options.source === undefined ? {} : { localAddress: hostText(options.source, options.zone) }),
  });
}

/** @throws TcpOptionError */
function optionSocket(options: DialOptions): net.Socket {
  const { remote, port, source, zone, password, ttl, minTtl } = options;
  const family = addressFamily(remote);
  const fd = openSocket(family, source, zone === undefined ? 0 : scopeIdOf(zone));
  try {
    if (password !== undefined) setPassword(fd, family, hostPrefix(remote), password);
    if (ttl !== undefined) setTtl(fd, family, ttl);
    if (minTtl !== undefined) setMinTtl(fd, family, minTtl);
  } catch (error) {
    closeSocket(fd);
    throw error;
  }
  // manualStart: reading must not begin before the connection is there (an option that the types do not name).
  const fromDescriptor = { fd, readable: true, writable: true, manualStart: true };
  return new net.Socket(fromDescriptor).connect({ host: hostText(remote, zone), port });
}

function tcpStream(socket: net.Socket): ByteStream | undefined {
  const local = unmapped(socket.localAddress);
  const remote = unmapped(socket.remoteAddress);
  const remotePort = socket.remotePort;
  if (local === undefined || remote === undefined || remotePort === undefined) return undefined;
  const family = socket.remoteFamily === 'IPv4' ? 'ipv4' : 'ipv6';
  const zone = /%(.+)$/.exec(socket.remoteAddress ?? '')?.[1];
  const link = connectedLink(local, remote);
  const device = zone ?? link?.device;
  let closeReason = 'connection closed by the peer';
  return {
    local,
    remote,
    remotePort,
    ...(zone === undefined ? {} : { zone }),
    ...(device === undefined ? {} : { device }),
    ...(link === undefined ? {} : { sharedSubnet: link.prefix }),
    attach(handlers: StreamHandlers) {
      socket.on('data', (chunk) => handlers.onData(chunk));
      socket.on('drain', () => handlers.onDrain());
      socket.on('error', (error) => {
        closeReason = connectionErrorText(error);
      });
      socket.on('close', () => handlers.onClose(closeReason));
    },
    limitHops: (options) => limitHops(descriptor(socket), family, options),
    changePassword: (password) => setPassword(descriptor(socket), family, hostPrefix(remote), password),
    write: (bytes) => socket.write(bytes),
    get pendingBytes() {
      return socket.writableLength;
    },
    end() {
      closeReason = 'closed by us';
      socket.end();
      const timer = setTimeout(() => socket.destroy(), LINGER_MS);
      timer.unref();
      socket.once('close', () => clearTimeout(timer));
    },
    destroy() {
      closeReason = 'closed by us';
      // With a reset: a connection that waits for its end would cost memory after it is gone.
      socket.resetAndDestroy();
    },
  };
}

/**
 * The kernel drops what comes from too far away from here on. What came before is vouched for by the first packet: nobody who is
 * further away can have sent one with so high a TTL (RFC 5082 section 3).
 */
function limitHops(fd: number, family: SocketFamily, options: HopOptions): string | undefined {
  const { ttl, minTtl } = options;
  try {
    if (minTtl !== undefined) {
      setMinTtl(fd, family, minTtl);
      const arrived = synTtl(fd);
      if (arrived !== undefined && arrived < minTtl) {
        return `a connection came with TTL ${arrived}, below the ${minTtl} of TTL security: refused`;
      }
    }
    if (ttl !== undefined) setTtl(fd, family, ttl);
    return undefined;
  } catch (error) {
    if (error instanceof TcpOptionError) return error.message;
    throw error;
  }
}

/** The file descriptor that node:net keeps in its handle, which it shows on Linux and macOS but does not document. */
function descriptor(owner: net.Socket | net.Server): number {
  const { _handle: handle } = owner as unknown as { readonly _handle?: { readonly fd?: number } | null };
  const fd = handle?.fd ?? -1;
  if (fd < 0) throw new TcpOptionError('an option of a connection that is closed', ENOTCONN);
  return fd;
}

function hostText(address: IpAddress, zone: string | undefined): string {
  return zone === undefined || !isLinkLocal(address)
    ? formatIpAddress(address)
    : `${formatIpAddress(address)}%${zone}`;
}

/** @throws TcpOptionError where there is no such device, or it has no link-local address */
function scopeIdOf(zone: string): number {
  // Global addresses of the device are listed with 0.
  for (const entry of networkInterfaces()[zone] ?? []) {
    if (entry.family === 'IPv6' && entry.scopeid > 0) return entry.scopeid;
  }
  throw new TcpOptionError(`device ${zone}`, ENODEV);
}

/** The socket's text as an address: without a zone, and IPv4 as such although the socket is dual-stack. */
function unmapped(text: string | undefined): IpAddress | undefined {
  const address = parseIpAddress((text ?? '').replace(/%.*$/, ''));
  if (address === undefined || isIpv4(address)) return address;
  return address >> 32n === IPV4_MAPPED ? ipv4(Number(address & 0xffffffffn)) : address;
}
