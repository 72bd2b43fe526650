/**
 * Which errors are the operator's to mend, as the sentence and the exit status that a command ends with.
 */
import { ApiListenError, EXIT, type ExitStatus } from '../../api/index.js';
import { KernelError, SettingRecordError } from '../../ipip/index.js';
import { StartError } from '../start-error.js';

export interface Refusal {
  readonly text: string;
  readonly exitStatus: ExitStatus;
}

/** @returns undefined: a fault of ours */
export function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof StartError) return { text: error.message, exitStatus: error.exitStatus };
  if (error instanceof ApiListenError || error instanceof SettingRecordError) {
    return { text: error.message, exitStatus: EXIT.attention };
  }
  if (!(error instanceof KernelError)) return undefined;
  const text = error.remedy === undefined ? error.message : `${error.message}; ${error.remedy}`;
  return { text, exitStatus: EXIT.attention };
}
