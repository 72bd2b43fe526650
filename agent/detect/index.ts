/**
 * The door of agent/detect: the address of this node, found by one of Calico's methods.
 */
export {
  type Candidate,
  chooseAddress,
  type Detection,
  type DetectionContext,
  detectionText,
  type InterfaceFacts,
} from './choose.js';
export { detectAddress, type Machine } from './detect.js';
export { readInterfaces, resolveHost, routeSource } from './machine.js';
export { type DetectionMethod, formatMethodName, readMethod } from './method.js';
