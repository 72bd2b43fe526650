/**
 * The door of agent/ipam: pod subnets from pools. Who should have which, what is free, how it stands. Pure, but for the
 * rounds of a claim, which ask the store that they are given.
 */
export {
  type BlockCounts,
  type BlockPool,
  type CandidateOptions,
  candidates,
  countBlocks,
  isBlockOf,
} from './blocks.js';
export { type ClaimOutcome, type ClaimRequest, type ClaimStore, claimBlock } from './claim.js';
export {
  type ClaimPlan,
  checkBlock,
  claimsWanted,
  poolsFor,
  type WantedClaim,
  whyNone,
} from './claims-wanted.js';
export { heldBlocks, takenBlocks } from './held.js';
export { ipamReport, nodeStanding } from './report.js';
export { exhaustedText, poolText } from './sentences.js';
export { claimOf, parseStored, takenInStore } from './stored.js';
export {
  type BlockUse,
  defaultIpamLimits,
  type IpamFacts,
  type IpamLimits,
  type IpamProblem,
  type IpamProblemCode,
  type IpamReport,
  type NodeState,
  type NodeUse,
  type PoolUse,
  type TakenBlock,
} from './types.js';
