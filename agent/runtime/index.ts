/**
 * The door of agent/runtime: the runtime folder with its lock, the state folder, and what is kept in them.
 */
export {
  folderHolder,
  heldText,
  ownFiles,
  type RuntimeFile,
  RuntimeFolder,
} from './folder.js';
export { type LockResult, takeLock } from './lock.js';
export { readOnlyStore, settingStore } from './setting-store.js';
export { dissolveStateFolder, ownStateFiles, snapshotPlace } from './state-folder.js';
export { readIfThere, unlessMissing, writeWhole } from './whole-file.js';
