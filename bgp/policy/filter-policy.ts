/**
 * Filters around another policy: their rules are asked first, and what none of them matches is left to that policy.
 *
 * Owns: the order of rules, and that routes which are changed alike stay one object. Must not know: tables, and the
 * protocol's own rules (loops, reflection, attributes, next hops), which the Rib applies to whatever is accepted.
 */
import { formatPrefix, type Prefix, prefixContains } from '../net/index.js';
import type { Path, PeerId, PolicyVerdict, RibPeer, RoutePolicy } from '../rib/index.js';
import type { FilterRule, FiltersByPeer } from './filter.js';
import { type InterfaceTable, throughInterface } from './interface.js';
import { matches } from './match.js';
import { operate } from './operations.js';

export interface FilterPolicyOptions {
  readonly filters: FiltersByPeer;
  /** The entry of `filters` that is for a peer; absent: the one of its own id. */
  readonly filterIdOf?: (peer: PeerId) => PeerId;
  /** For the rules with an interface; absent: they match nothing. */
  readonly interfaces?: InterfaceTable;
  /** Decides where no rule matches. */
  readonly otherwise: RoutePolicy;
  /** The pod subnets of this node. No filter lets them in: the traffic of our own pods would leave. */
  readonly ownBlocks: readonly Prefix[];
}

/** One rule with what it answers, ready. */
interface CompiledRule {
  readonly rule: FilterRule;
  /** Whether the route leaves by the interface that the rule asks for. */
  readonly isThrough: (path: Path) => boolean;
  readonly verdictOf: (path: Path) => PolicyVerdict;
}

interface CompiledFilters {
  readonly import: readonly CompiledRule[];
  readonly export: readonly CompiledRule[];
}

const ACCEPT: PolicyVerdict = { accept: true };

export function filterPolicy({
  filters,
  filterIdOf = (id) => id,
  interfaces = new Map(),
  otherwise,
  ownBlocks,
}: FilterPolicyOptions): RoutePolicy {
  const compiled = new Map<string, CompiledFilters>();
  const compileAll = (rules: readonly FilterRule[]) => rules.map((rule) => compile(rule, interfaces));
  for (const [id, peer] of filters) {
    compiled.set(id, { import: compileAll(peer.import), export: compileAll(peer.export) });
  }

  function importRoute(peer: RibPeer, prefix: Prefix, path: Path): PolicyVerdict {
    const rules = compiled.get(filterIdOf(peer.id))?.import ?? [];
    const block =
      rules.length === 0 ? undefined : ownBlocks.find((candidate) => prefixContains(candidate, prefix));
    if (block !== undefined) {
      return { accept: false, reason: `it is in ${formatPrefix(block)}, a block of this node` };
    }
    return firstMatch(rules, peer, prefix, path) ?? otherwise.importRoute(peer, prefix, path);
  }

  function exportRoute(peer: RibPeer, prefix: Prefix, path: Path): PolicyVerdict {
    const rules = compiled.get(filterIdOf(peer.id))?.export ?? [];
    return firstMatch(rules, peer, prefix, path) ?? otherwise.exportRoute(peer, prefix, path);
  }

  return { importRoute, exportRoute };
}

function firstMatch(
  rules: readonly CompiledRule[],
  peer: RibPeer,
  prefix: Prefix,
  path: Path,
): PolicyVerdict | undefined {
  for (const { rule, isThrough, verdictOf } of rules) {
    if (matches(rule, peer, prefix, path) && isThrough(path)) return verdictOf(path);
  }
  return undefined;
}

function compile(rule: FilterRule, interfaces: InterfaceTable): CompiledRule {
  const isThrough = rule.interface === undefined ? () => true : throughInterface(rule.interface, interfaces);
  return { rule, isThrough, verdictOf: verdict(rule) };
}

/** One path gives one result, however many prefixes share it: so they still share it behind the filter. */
function verdict(rule: FilterRule): (path: Path) => PolicyVerdict {
  if (rule.action === 'reject') {
    const rejected: PolicyVerdict = { accept: false, reason: `${rule.name} rejects it` };
    return () => rejected;
  }
  if (rule.operations.length === 0) return () => ACCEPT;
  const verdicts = new WeakMap<Path, PolicyVerdict>();
  return (path) => {
    let known = verdicts.get(path);
    if (known === undefined) {
      const attributes = operate(path.attributes, rule.operations);
      known = attributes === path.attributes ? ACCEPT : { accept: true, path: { ...path, attributes } };
      verdicts.set(path, known);
    }
    return known;
  };
}
