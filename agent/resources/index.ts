/**
 * The door of agent/resources: manifests of cluster resources as checked values. Pure.
 */
export {
  type ConfigError,
  checkText,
  formatConfigError,
  type LocatedDocument,
  type ManifestFile,
} from '../schema/index.js';
export { BOOKKEEPING } from './kinds.js';
export { checkDocuments, parseDocuments, parseResources } from './parse.js';
export { readName } from './readers.js';
export { hasPeer } from './select-nodes.js';
export { type Labels, parseSelector, type Selector, type SelectorResult, selects } from './selector.js';
export { formatSelector } from './selector-text.js';
export type {
  BgpConfiguration,
  BgpFilter,
  BgpFilterRule,
  BgpPeer,
  BlockAffinity,
  InterfaceAddress,
  IpipMode,
  IpPool,
  MatchOperator,
  NodeResource,
  PeeringOptions,
  PeerTarget,
  PrefixCommunities,
  Resources,
  ResourcesResult,
  SecretSource,
} from './types.js';
