/**
 * The transport port over TCP sockets.
 *
 * Owns: node:net, the words for its errors, and which connected prefix a session is on. Must not know: BGP.
 */
import net from 'node:net';
import { networkInterfaces } from 'node:os';
import {
  formatIpAddress,
  type IpAddress,
  ipv4,
  isIpv4,
  type Prefix,
  parseCidr,
  parseIpAddress,
  prefixContainsAddress,
  prefixOf,
} from '../net/index.js';
import type {
  ByteStream,
  DialHandlers,
  DialOptions,
  Listener,
  ListenOptions,
  StreamHandlers,
  Transport,
} from './transport.js';

/** How long an ended stream may take to hand over its last bytes. */
const LINGER_MS = 3_000;
/** ::ffff:0:0/96, the form in which a dual-stack socket shows IPv4 addresses. */
const IPV4_MAPPED = 0xffffn;

/** What the errno of a connection means to an operator. */
const CONNECTION_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused: nothing listens there',
  ECONNRESET: 'connection reset by the peer',
  EPIPE: 'connection closed by the peer',
  ETIMEDOUT: 'connection timed out: no answer',
  EHOSTUNREACH: 'no route to host: it does not answer on its network',
  ENETUNREACH: 'network unreachable: this machine has no route to it',
  EADDRNOTAVAIL: 'the source address is not on this machine',
  EACCES: 'not permitted by this machine',
  EPERM: 'not permitted: a local firewall drops it',
};

export const tcpTransport: Transport = { listen, dial };

function listen(options: ListenOptions, onStream: (stream: ByteStream) => void): Promise<Listener> {
  const host = options.address === undefined ? undefined : formatIpAddress(options.address);
  const server = net.createServer({ allowHalfOpen: false, noDelay: true }, (socket) => {
    const stream = tcpStream(socket);
    // A peer that is gone before it was accepted has no addresses any more: nobody to talk to.
    if (stream === undefined) socket.destroy();
    else onStream(stream);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: options.port, ...(host === undefined ? {} : { host }) }, () => {
      server.removeListener('error', reject);
      const bound = server.address();
      resolve({
        port: typeof bound === 'object' && bound !== null ? bound.port : options.port,
        close: () => new Promise((done) => server.close(() => done())),
      });
    });
  });
}

function dial(options: DialOptions, handlers: DialHandlers): () => void {
  const socket = net.connect({
    host: formatIpAddress(options.remote),
    port: options.port,
    noDelay: true,
    ...(options.source === undefined ? {} : { localAddress: formatIpAddress(options.source) }),
  });
  const timer = setTimeout(
    () => socket.destroy(Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' })),
    options.timeoutMs,
  );
  const onFailed = (error: Error) => {
    clearTimeout(timer);
    handlers.onFailed(connectionErrorText(error));
  };
  socket.once('error', onFailed);
  socket.once('connect', () => {
    clearTimeout(timer);
    socket.removeListener('error', onFailed);
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

function tcpStream(socket: net.Socket): ByteStream | undefined {
  const local = unmapped(socket.localAddress);
  const remote = unmapped(socket.remoteAddress);
  const remotePort = socket.remotePort;
  if (local === undefined || remote === undefined || remotePort === undefined) return undefined;
  const sharedSubnet = connectedPrefix(local, remote);
  let closeReason = 'connection closed by the peer';
  return {
    local,
    remote,
    remotePort,
    ...(sharedSubnet === undefined ? {} : { sharedSubnet }),
    attach(handlers: StreamHandlers) {
      socket.on('data', (chunk) => handlers.onData(chunk));
      socket.on('drain', () => handlers.onDrain());
      socket.on('error', (error) => {
        closeReason = connectionErrorText(error);
      });
      socket.on('close', () => handlers.onClose(closeReason));
    },
    write: (bytes) => socket.write(bytes),
    end() {
      closeReason = 'closed by us';
      socket.end();
      const timer = setTimeout(() => socket.destroy(), LINGER_MS);
      timer.unref();
      socket.once('close', () => clearTimeout(timer));
    },
    destroy() {
      closeReason = 'closed by us';
      socket.destroy();
    },
  };
}

function connectionErrorText(error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return CONNECTION_ERRORS[code] ?? error.message;
}

/** The socket's text as an address: without a zone, and IPv4 as such although the socket is dual-stack. */
function unmapped(text: string | undefined): IpAddress | undefined {
  const address = parseIpAddress((text ?? '').replace(/%.*$/, ''));
  if (address === undefined || isIpv4(address)) return address;
  return address >> 32n === IPV4_MAPPED ? ipv4(Number(address & 0xffffffffn)) : address;
}

function connectedPrefix(local: IpAddress, remote: IpAddress): Prefix | undefined {
  for (const entry of Object.values(networkInterfaces()).flat()) {
    const cidr = parseCidr(entry?.cidr ?? '');
    if (cidr?.address !== local) continue;
    const prefix = prefixOf(cidr.address, cidr.lengthBits);
    if (prefixContainsAddress(prefix, remote)) return prefix;
  }
  return undefined;
}
