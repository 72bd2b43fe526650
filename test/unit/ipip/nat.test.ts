/** Outgoing NAT: the text of the rules, and their keeper over rule sets in memory. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { DataplaneEvent } from '../../../ipip/events.js';
import { OutgoingNat } from '../../../ipip/nat.js';
import { NAT_STAND_IN, type NatFacts, natRemoval, natRules } from '../../../ipip/nat-rules.js';
import { address, prefix } from '../../support/addresses.js';
import { FakeClock } from '../../support/fake-clock.js';
import { FakeRuleSets } from '../../support/fake-rule-sets.js';

const FACTS: NatFacts = {
  masqueraded: [prefix('10.244.0.0/16')],
  pools: [prefix('10.244.0.0/16'), prefix('10.250.0.0/16')],
  nodes: [address('192.168.1.11'), address('192.168.1.12')],
};
const NONE: NatFacts = { ...FACTS, masqueraded: [] };

describe('the rules', () => {
  test('one transaction that replaces the table: masqueraded sources, but not towards any pool or node', () => {
    expect(natRules(FACTS, 'ip')).toBe(`add table ip podroute
delete table ip podroute
table ip podroute {
	set masqueraded {
		type ipv4_addr
		flags interval
		auto-merge
		elements = { 10.244.0.0/16 }
	}
	set pools {
		type ipv4_addr
		flags interval
		auto-merge
		elements = { 10.244.0.0/16, 10.250.0.0/16 }
	}
	set nodes {
		type ipv4_addr
		flags interval
		auto-merge
		elements = { 192.168.1.11, 192.168.1.12 }
	}
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr @masqueraded ip daddr != @pools ip daddr != @nodes masquerade fully-random
	}
}
`);
  });

  test('a family has a table only where a pool of it asks', () => {
    expect(natRules(FACTS, 'ip6')).toBeUndefined();
    expect(natRules(NONE, 'ip')).toBeUndefined();
    const both: NatFacts = {
      ...FACTS,
      masqueraded: [prefix('fd00::/48')],
      pools: [...FACTS.pools, prefix('fd00::/48')],
    };
    expect(natRules(both, 'ip')).toBeUndefined();
    expect(natRules(both, 'ip6')).toContain('ip6 saddr @masqueraded ip6 daddr != @pools');
    expect(natRules(both, 'ip6')).not.toContain('10.244');
    expect(natRules(both, 'ip6')?.match(/elements = \{ \}/)).toBeNull();
  });

  test('the same facts in another order are the same text', () => {
    const shuffled: NatFacts = {
      masqueraded: FACTS.masqueraded,
      pools: [...FACTS.pools, ...FACTS.pools].reverse(),
      nodes: [...FACTS.nodes].reverse(),
    };
    expect(natRules(shuffled, 'ip')).toBe(natRules(FACTS, 'ip'));
  });
});

describe('the keeper', () => {
  let ruleSets: FakeRuleSets;
  let clock: FakeClock;
  let events: DataplaneEvent[];
  let nat: OutgoingNat;

  beforeEach(() => {
    ruleSets = new FakeRuleSets();
    clock = new FakeClock();
    events = [];
    nat = new OutgoingNat({ ruleSets, clock, report: (event) => events.push(event) });
  });

  async function set(facts: NatFacts): Promise<void> {
    nat.set(facts);
    await nat.settled();
  }

  async function advance(ms: number): Promise<void> {
    clock.advance(ms);
    await nat.settled();
  }

  test('the rules are loaded, replaced when they change, and only then', async () => {
    await set(FACTS);
    expect(ruleSets.applied).toEqual([natRules(FACTS, 'ip')]);
    await set({ ...FACTS });
    await advance(90_000);
    expect(ruleSets.applied).toHaveLength(1);
    const more = { ...FACTS, nodes: [...FACTS.nodes, address('192.168.1.13')] };
    await set(more);
    // Others of the same content are in force while these are replaced.
    expect(ruleSets.applied).toEqual([
      natRules(FACTS, 'ip'),
      natRules(more, 'ip', NAT_STAND_IN),
      natRules(more, 'ip'),
      natRemoval('ip', NAT_STAND_IN),
    ]);
    expect([...ruleSets.tables.keys()]).toEqual(['ip']);
    expect(nat.status()).toEqual({ state: 'on', reason: '', pools: FACTS.masqueraded, repairs: 0 });
  });

  test('removed when no pool asks any more, and what an earlier run left too', async () => {
    await set(FACTS);
    await set(NONE);
    expect(ruleSets.tables.size).toBe(0);
    expect(events.at(-1)).toEqual({ kind: 'natChanged', family: 'ip', masqueraded: [] });
    expect(nat.status().state).toBe('off');
    ruleSets.tables.set('ip6', 'of an earlier run');
    ruleSets.tables.set(`ip6 ${NAT_STAND_IN}`, 'of a run that ended in the middle of a change');
    const next = new OutgoingNat({ ruleSets, clock, report: (event) => events.push(event) });
    next.set(NONE);
    await next.settled();
    expect(ruleSets.tables.size).toBe(0);
  });

  test.each([
    ['removed', () => ruleSets.tables.delete('ip')],
    ['altered', () => ruleSets.tables.set('ip', 'table ip podroute {}')],
  ])('%s by another program: seen at the next look, repaired and counted', async (_name, harm) => {
    await set(FACTS);
    harm();
    await advance(89_999);
    expect(nat.status().repairs).toBe(0);
    await advance(1);
    expect(ruleSets.tables.get('ip')).toBe(natRules(FACTS, 'ip'));
    expect(nat.status()).toMatchObject({ state: 'on', repairs: 1 });
    expect(events.at(-1)).toEqual({ kind: 'natRepaired', family: 'ip' });
  });

  test('a failure is told once with its reason, and tried again', async () => {
    ruleSets.failure = 'NFT_MISSING';
    await set(FACTS);
    await advance(10_000);
    expect(nat.status()).toMatchObject({ state: 'failed', reason: 'because of NFT_MISSING' });
    expect(events).toEqual([{ kind: 'natFailed', reason: 'because of NFT_MISSING' }]);
    ruleSets.failure = undefined;
    await advance(10_000);
    expect(nat.status()).toMatchObject({ state: 'on', reason: '' });
    expect(events.at(-1)).toMatchObject({ kind: 'natChanged', family: 'ip' });
  });

  test.each(['NFT_MISSING', 'NFT_UNSUPPORTED'] as const)(
    '%s is nothing to complain of where no pool asks',
    async (failure) => {
      ruleSets.failure = failure;
      await set(NONE);
      expect(nat.status().state).toBe('off');
      expect(events).toEqual([]);
      expect(clock.nextMs).toBeUndefined();
    },
  );

  test('what may have been left is not called gone while nft fails', async () => {
    ruleSets.failure = 'NFT_FAILED';
    await set(NONE);
    expect(nat.status().state).toBe('failed');
  });

  test('stopped, it looks no more and leaves the rules', async () => {
    await set(FACTS);
    await nat.stop();
    nat.set(NONE);
    await advance(90_000);
    expect(ruleSets.tables.size).toBe(1);
    expect(clock.nextMs).toBeUndefined();
  });
});
