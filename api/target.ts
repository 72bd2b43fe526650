/**
 * Where the API is: an address and port, or a unix socket. One reading for the server (`--api` of the agent) and the
 * client (`--api` of the commands).
 */

export type ApiTarget =
  | { readonly type: 'tcp'; readonly host: string; readonly port: number }
  | { readonly type: 'unix'; readonly path: string };

export const DEFAULT_API_PORT = 9179;

/** Loopback: whoever wants the API seen from outside says so. */
export const DEFAULT_API_TARGET: ApiTarget = { type: 'tcp', host: '127.0.0.1', port: DEFAULT_API_PORT };

/** What `parseApiTarget` reads; for the sentence of whoever rejects something else. */
export const API_TARGET_FORMS = 'ADDRESS:PORT, http://ADDRESS:PORT, unix:/PATH or /PATH';

const TCP = /^(?:http:\/\/)?(?:\[(?<v6>[0-9a-fA-F:.]+)\]|(?<host>[^\s:/[\]]+))(?::(?<port>\d{1,5}))?\/?$/;
const UNIX = /^(?:unix:)?(?<path>\/[^\0]+)$/;

/**
 * Reads any of `API_TARGET_FORMS`; the port is 9179 where none is written.
 * @returns undefined where the text is none of them; the caller words the error, because it knows the field.
 */
export function parseApiTarget(text: string): ApiTarget | undefined {
  const path = UNIX.exec(text)?.groups?.['path'];
  if (path !== undefined) return { type: 'unix', path };
  const { v6, host = v6, port = String(DEFAULT_API_PORT) } = TCP.exec(text)?.groups ?? {};
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) return undefined;
  return { type: 'tcp', host, port: Number(port) };
}

/** `http://127.0.0.1:9179` or `unix:/run/podroute.sock`; reads back with `parseApiTarget`. */
export function formatApiTarget(target: ApiTarget): string {
  return target.type === 'unix' ? `unix:${target.path}` : `http://${formatHostPort(target)}`;
}

/** `127.0.0.1:9179`, `[::1]:9179`. */
export function formatHostPort({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** True where the agent behind the target must be on this machine. */
export function isLocalTarget(target: ApiTarget): boolean {
  return target.type === 'unix' || /^(localhost|::1|127\.\d+\.\d+\.\d+)$/.test(target.host);
}
