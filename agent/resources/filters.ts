/**
 * The BGPFilter: the rules that its fields obey together, and the value it becomes.
 *
 * Owns: a filter seen alone. Must not know: syntax, other resources, what a rule does to a route.
 */
import type { StaticDecode } from 'typebox';
import { familyBits, type Prefix, prefixFamily, prefixLength } from '../../bgp/net/index.js';
import type { RouteOperation } from '../../bgp/policy/index.js';
import type { Fault, Path } from '../schema/index.js';
import type { bgpFilterSpec } from './filter-schema.js';
import type { BgpFilter, BgpFilterRule } from './types.js';

type BgpFilterSpec = StaticDecode<typeof bgpFilterSpec>;
type FilterRuleSpec = BgpFilterSpec['importV4'][number];
type OperationSpec = FilterRuleSpec['operations'][number];

/** As many as Calico allows. */
const MAX_OPERATIONS = 10;

const RULE_LISTS = ['importV4', 'exportV4', 'importV6', 'exportV6'] as const;

/** What is wrong with a BGPFilter whose every field is right. */
export function filterRules(spec: BgpFilterSpec): Fault[] {
  return RULE_LISTS.flatMap((list) =>
    spec[list].flatMap((rule, index) => ruleFaults(rule, ['spec', list, index])),
  );
}

function ruleFaults(rule: FilterRuleSpec, at: Path): Fault[] {
  const faults: Fault[] = [...prefixFaults(rule, at)];
  const fault = (path: Path, message: string) => faults.push({ path: [...at, ...path], message });
  const values = rule.communities?.values;
  if (values !== undefined && values.length !== 1) {
    fault(['communities', 'values'], `holds ${values.length} communities; write one, and a rule for each`);
  }
  if (rule.operations.length > 0 && rule.action === 'Reject') {
    fault(['operations'], 'stand in a rule that rejects; they are for action: Accept');
  }
  for (const [index, operation] of rule.operations.entries()) {
    const path = ['operations', index];
    if (Object.keys(operation).length !== 1)
      fault(path, 'must be one operation; write a list entry for each');
    const { prefix } = operation.prependASPath ?? {};
    if (prefix?.length === 0) fault([...path, 'prependASPath', 'prefix'], 'is empty; write the AS numbers');
  }
  if (rule.operations.length > MAX_OPERATIONS) {
    fault(['operations'], `are ${rule.operations.length}; write at most ${MAX_OPERATIONS}`);
  }
  return faults;
}

function prefixFaults(rule: FilterRuleSpec, at: Path): Fault[] {
  if ((rule.cidr === undefined) !== (rule.matchOperator === undefined)) {
    const [given, absent] = rule.cidr === undefined ? ['matchOperator', 'cidr'] : ['cidr', 'matchOperator'];
    return [{ path: [...at, given], message: `stands without ${absent}; write both or none` }];
  }
  if (rule.prefixLength === undefined) return [];
  const path = [...at, 'prefixLength'];
  if (rule.cidr === undefined) return [{ path, message: 'stands without cidr; add cidr and matchOperator' }];
  const { min, max } = lengthRange(rule.cidr, rule.prefixLength);
  return min <= max ? [] : [{ path, message: `matches nothing: its min ${min} is above its max ${max}` }];
}

function lengthRange(cidr: Prefix, range: FilterRuleSpec['prefixLength']): { min: number; max: number } {
  return {
    min: range?.min ?? prefixLength(cidr),
    max: range?.max ?? familyBits(prefixFamily(cidr)),
  };
}

/** The value of a BGPFilter that the rules find nothing wrong with. */
export function buildFilter(spec: BgpFilterSpec, header: { readonly name: string }): BgpFilter {
  const rules = (list: readonly FilterRuleSpec[]) => list.map(buildFilterRule);
  return {
    name: header.name,
    importV4: rules(spec.importV4),
    exportV4: rules(spec.exportV4),
    importV6: rules(spec.importV6),
    exportV6: rules(spec.exportV6),
  };
}

function buildFilterRule(rule: FilterRuleSpec): BgpFilterRule {
  const { cidr, matchOperator } = rule;
  const [community] = rule.communities?.values ?? [];
  return {
    action: rule.action,
    ...(cidr !== undefined &&
      matchOperator !== undefined && {
        match: { cidr, operator: matchOperator, lengthBits: lengthRange(cidr, rule.prefixLength) },
      }),
    ...(rule.source !== undefined && { source: rule.source }),
    ...(rule.peerType !== undefined && { peerType: rule.peerType === 'eBGP' ? 'ebgp' : 'ibgp' }),
    ...(rule.interface !== undefined && { interface: rule.interface }),
    ...(community !== undefined && { community }),
    ...(rule.asPathPrefix.length > 0 && { asPathPrefix: rule.asPathPrefix }),
    operations: rule.operations.flatMap(buildOperation),
  };
}

/** One, as the rules have found. */
function buildOperation(spec: OperationSpec): RouteOperation[] {
  const { addCommunity, removeCommunity, prependASPath, setLocalPreference, setMED } = spec;
  if (addCommunity !== undefined) return [{ type: 'addCommunity', community: addCommunity.value }];
  if (removeCommunity !== undefined) return [{ type: 'removeCommunity', community: removeCommunity.value }];
  if (prependASPath !== undefined) return [{ type: 'prependAsPath', asns: prependASPath.prefix }];
  if (setLocalPreference !== undefined) return [{ type: 'setLocalPref', value: setLocalPreference.value }];
  if (setMED !== undefined) return [{ type: 'setMed', value: setMED.value }];
  return [];
}
