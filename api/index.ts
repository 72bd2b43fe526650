/**
 * The door of the API: the server with its port, the schemas and types of the answers, and the CLI client.
 *
 * The agent maps its state onto `ApiSource`, calls `createApi` and `listen`, and dispatches `commands`.
 */
export {
  type CliIo,
  type CliOutput,
  type Command,
  type CommandOption,
  EXIT,
  type ExitStatus,
  type OptionValues,
  renderHelp,
  runCommand,
  UsageError,
} from './client/command.js';
export { type ClientHooks, commands } from './client/commands.js';
export { fetchJson } from './client/fetch-json.js';
export { AgentError, ApiError, ApiListenError } from './errors.js';
export { isDeadSocket, listen } from './listen.js';
export { describePortOwner, findPortOwner, type PortOwner } from './port-owner.js';
export { formatDuration } from './render/duration.js';
export { renderPeer, renderPeers } from './render/peers.js';
export { renderRoutes, type ShownRoute } from './render/routes.js';
export { renderStatus } from './render/status.js';
export { type Column, renderPairs, renderTable, type TextOptions } from './render/table.js';
export * from './schemas/index.js';
export { type ApiOptions, createApi } from './server.js';
export type { ApiSource, PeerActionOutcome, PeerActions } from './source.js';
export {
  API_TARGET_FORMS,
  type ApiTarget,
  DEFAULT_API_PORT,
  DEFAULT_API_TARGET,
  formatApiTarget,
  parseApiTarget,
} from './target.js';
