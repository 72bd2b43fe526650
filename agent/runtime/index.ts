/**
 * The door of agent/runtime: the runtime folder with its lock, and what is kept in it.
 */
export {
  folderHolder,
  heldText,
  ownFiles,
  type RuntimeFile,
  RuntimeFolder,
} from './folder.js';
export { readOnlyStore, settingStore } from './setting-store.js';
export { type PodNetwork, subnetEnv } from './subnet-env.js';
