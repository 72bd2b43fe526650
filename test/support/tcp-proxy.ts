/**
 * A TCP proxy on the loopback address whose connections a test can cut, or let run into the void.
 */
import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';

export class TcpProxy {
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #isDeaf = false;
  #connections = 0;

  static async start(targetPort: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer((client) => this.#join(client));
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    return address.port;
  }

  /** How many connections there ever were. */
  get connections(): number {
    return this.#connections;
  }

  /** Ends every connection, as a reset. */
  cut(): void {
    for (const [client, server] of this.#pairs) {
      client.resetAndDestroy();
      server.destroy();
    }
    this.#pairs.clear();
  }

  /** While it is deaf, nothing passes, and nobody is told. */
  setDeaf(isDeaf: boolean): void {
    this.#isDeaf = isDeaf;
    for (const pair of this.#pairs) for (const socket of pair) this.#setPaused(socket);
  }

  async stop(): Promise<void> {
    this.cut();
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }

  #setPaused(socket: Socket): void {
    if (this.#isDeaf) socket.pause();
    else socket.resume();
  }

  #join(client: Socket): void {
    this.#connections += 1;
    const server = createConnection(this.#targetPort, '127.0.0.1');
    const pair = [client, server] as const;
    this.#pairs.add(pair);
    for (const [from, to] of [pair, [server, client] as const]) {
      from.on('data', (chunk) => to.write(chunk));
      from.on('error', () => {
        // Its `close` follows.
      });
      from.on('close', () => {
        this.#pairs.delete(pair);
        to.destroy();
      });
      this.#setPaused(from);
    }
  }
}
