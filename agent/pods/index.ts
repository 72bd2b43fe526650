/**
 * The door of agent/pods: what the pods' network on this node is, for whoever makes pods.
 */
export { conflistPlace, ownConfigurations } from './conf-folder.js';
export { type ConflistFacts, conflist } from './conflist.js';
export { PodFile, PodFileError, type PodFilePlace } from './pod-file.js';
export { type PodNetwork, subnetEnv } from './subnet-env.js';
export { type PodPlugin, type PodSubnetFacts, type PodSubnets, podSubnets } from './subnets.js';
