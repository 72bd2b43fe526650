/**
 * `podroute peer shutdown|reset|enable NAME [TEXT]`.
 *
 * Owns: its arguments. Must not know: how an agent is asked.
 */
import { PEER_ACTIONS, type PeerAction } from '../schemas/index.js';
import { UsageError } from './command.js';

export const PEER_ARGUMENTS = 'shutdown | reset | enable  NAME | ADDRESS  [TEXT]';

const DONE: Readonly<Record<PeerAction, (peer: string) => string>> = {
  shutdown: (peer) =>
    `${peer} is shut down, until "podroute peer enable ${peer}" or the next start of the agent.`,
  reset: (peer) => `${peer} is reset.`,
  enable: (peer) => `${peer} is enabled.`,
};

export interface PeerRequest {
  readonly action: PeerAction;
  readonly path: string;
  readonly body: { readonly text?: string };
}

/** @throws {UsageError} */
export function readPeerRequest(word: string | undefined, more: readonly string[]): PeerRequest {
  const action = PEER_ACTIONS.find((candidate) => candidate === word);
  if (action === undefined) {
    throw new UsageError(`say what to do: ${PEER_ACTIONS.join(', ')}; it was "${word ?? ''}"`);
  }
  const [name, text] = more;
  if (name === undefined) throw new UsageError(`${action} needs the name or the address of a peer`);
  if (action === 'enable' && text !== undefined) throw new UsageError('enable sends no text');
  return {
    action,
    path: `/peers/${encodeURIComponent(name)}/${action}`,
    body: text === undefined ? {} : { text },
  };
}

export function doneText({ action }: PeerRequest, peer: string): string {
  return `${DONE[action](peer)}\n`;
}
