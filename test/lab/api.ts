/** Asks an agent's API from within its namespace, where 127.0.0.1 is the node's own. */
import { request } from 'node:http';
import { Socket } from 'node:net';
import { inNamespace, tcpSocket } from './libc.js';
import { namespaceName, namespacePath } from './namespaces.js';
import { API_ADDRESS } from './programs.js';

/** The part of a row of `GET /routes` that the lab looks at. */
export interface ApiRoute {
  readonly prefix: string;
  readonly mode: string;
  readonly state: string;
  readonly nextHops: readonly { readonly address: string; readonly device: string | null }[];
  /** As the agent has read it back; null: the kernel has none. */
  readonly kernel: { readonly nextHops: readonly { readonly gateway: string | null }[] } | null;
}

/** The part of a row of `GET /peers` that the lab looks at. */
export interface ApiPeer {
  readonly name: string;
  readonly address: string;
  readonly state: string;
  /** Of the state. */
  readonly since: string;
  readonly timers: { readonly holdTimeSeconds: number | null };
}

/** The part of `GET /status` that the lab looks at. */
export interface ApiStatus {
  readonly version: string;
  readonly dataplane: { readonly tunnel: { readonly mtu: number | null } | null };
}

/** Nobody answers there, or not with what was asked for. */
export class ApiError extends Error {
  readonly code = 'API_FAILED';
}

export async function getRoutes(lab: string, node: string): Promise<readonly ApiRoute[]> {
  const { routes } = (await askApi(lab, node, '/routes')) as { routes: readonly ApiRoute[] };
  return routes;
}

export async function getPeers(lab: string, node: string): Promise<readonly ApiPeer[]> {
  const { peers } = (await askApi(lab, node, '/peers')) as { peers: readonly ApiPeer[] };
  return peers;
}

export async function getStatus(lab: string, node: string): Promise<ApiStatus> {
  return (await askApi(lab, node, '/status')) as ApiStatus;
}

/** One GET, or a POST of `body`, with a JSON answer. @throws ApiError */
export function askApi(lab: string, node: string, path: string, body?: object): Promise<unknown> {
  const [host = '', port = ''] = API_ADDRESS.split(':');
  const fd = inNamespace(namespacePath(namespaceName(lab, node)), tcpSocket);
  const socket = new Socket({ fd, readable: true, writable: true });
  return new Promise((resolve, reject) => {
    const failed = (error: Error) =>
      reject(new ApiError(`${node}${path}: ${error.message}`, { cause: error }));
    const sent = body === undefined ? undefined : JSON.stringify(body);
    const asked = request({
      path,
      method: sent === undefined ? 'GET' : 'POST',
      headers: {
        host: API_ADDRESS,
        accept: 'application/json',
        ...(sent !== undefined && { 'content-type': 'application/json' }),
      },
      createConnection: () => socket.connect(Number(port), host),
      timeout: 5000,
    });
    asked.end(sent);
    asked.once('timeout', () => asked.destroy(new Error('no answer within 5 s')));
    asked.once('error', failed);
    asked.once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', failed);
      response.once('end', () => {
        const body = Buffer.concat(chunks).toString();
        if (response.statusCode === 200) resolve(JSON.parse(body));
        else failed(new Error(`status ${response.statusCode}: ${body.slice(0, 200)}`));
      });
    });
  });
}
