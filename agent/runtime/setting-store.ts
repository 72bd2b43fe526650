/**
 * Where the data plane keeps what it changed of the kernel's settings.
 *
 * Owns: whose settings they are: what was kept in another boot or for another network namespace does not hold here. Must
 * not know: the settings.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import type { SettingStore } from '../../ipip/index.js';
import { type RuntimeFolder, settingsPlace } from './folder.js';
import { readIfThere } from './whole-file.js';

/** Where the settings that are kept were in force. */
interface Machine {
  /** A number that the kernel draws when it starts. */
  readonly boot: string;
  /** The network namespace of this process, such as `net:[4026531840]`. */
  readonly namespace: string;
}

/** The store in a folder that we hold. */
export function settingStore(folder: RuntimeFolder): SettingStore {
  const here = thisMachine();
  return {
    ...readOnlyStore(folder.path, here),
    save: (value) => {
      if (value === undefined) folder.remove('settings');
      else folder.write('settings', `${JSON.stringify({ ...here, ...value }, null, 2)}\n`);
    },
  };
}

/** The store of a folder that may or may not be there, to look at. */
export function readOnlyStore(folder: string, here: Machine = thisMachine()): Omit<SettingStore, 'save'> {
  const place = settingsPlace(folder);
  return {
    place,
    load: () => {
      const text = readIfThere(place);
      return text === undefined ? undefined : whatHolds(text, here);
    },
  };
}

/** @returns the text itself where it is not JSON: whoever reads it will say so */
function whatHolds(text: string, here: Machine): unknown {
  try {
    const kept: Partial<Machine> | null = JSON.parse(text);
    const isOfElsewhere =
      typeof kept?.boot === 'string' &&
      typeof kept.namespace === 'string' &&
      (kept.boot !== here.boot || kept.namespace !== here.namespace);
    return isOfElsewhere ? undefined : kept;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return text;
  }
}

function thisMachine(): Machine {
  return {
    boot: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    namespace: readlinkSync('/proc/self/ns/net'),
  };
}
