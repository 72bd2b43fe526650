/**
 * The door of agent/changes: what a change of the cluster's resources comes to, before it is made. Pure.
 */
export { type ChangePlan, planApply, planRemoval, type ResourceChange } from './plan.js';
export { changeJson, changeLines, conflictText } from './text.js';
