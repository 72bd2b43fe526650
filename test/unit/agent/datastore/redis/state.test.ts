/** States of a store: the text that is kept, steps from one to the next, and which one may come into force. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  areEqual,
  type Entry,
  follow,
  formatEntry,
  inOrder,
  makeEntry,
  numberOf,
  parseEntry,
  parseMessage,
  type StoreState,
} from '../../../../../agent/datastore/redis/entry.js';
import { InForce } from '../../../../../agent/datastore/redis/in-force.js';
import { judge, judgeFirst, missingIn } from '../../../../../agent/datastore/redis/judgement.js';

/** A state of resources written as `Kind/name`, or `Kind/name=VERSION`; as of revision 1 of epoch e. */
function state(ids: readonly string[], head: { epoch?: string; revision?: string } = {}): StoreState {
  const entries = new Map(
    ids.map((text, index): [string, Entry] => {
      const [id = '', version = '1-a'] = text.split('=');
      const [kind = '', name = ''] = id.split('/');
      return [id, makeEntry('redis://h', { kind, name, version, created: index, manifest: { kind } })];
    }),
  );
  return { epoch: 'e', revision: '1-a', ...head, entries };
}

const nodes = (count: number) => Array.from({ length: count }, (_, index) => `Node/n${index}`);
const blocks = (count: number) => Array.from({ length: count }, (_, index) => `BlockAffinity/b${index}`);

describe('the text of an entry', () => {
  test('is read as it was written', () => {
    const entry = makeEntry('s', {
      kind: 'Node',
      name: 'a',
      version: '3-x',
      created: 2,
      manifest: { a: [] },
    });
    const text = formatEntry(entry);
    expect(text).toBe('{"resourceVersion":"3-x","created":2,"manifest":{"a":[]}}');
    const read = parseEntry('s', 'Node/a', text);
    expect(read).toMatchObject({ kind: 'Node', name: 'a', version: '3-x', created: 2, manifest: { a: [] } });
    expect(read?.document).toMatchObject({ file: 's', value: { a: [] } });
    expect(read?.document.lineOf(['spec'])).toBe(0);
  });

  test.each([
    ['Node/a', 'nonsense'],
    ['Node/a', '{}'],
    ['Node/a', '{"resourceVersion":"1","created":1,"manifest":[]}'],
    ['Node/a', '{"resourceVersion":1,"created":1,"manifest":{}}'],
    ['Node', '{"resourceVersion":"1","created":1,"manifest":{}}'],
  ])('%s %s is none', (id, text) => {
    expect(parseEntry('s', id, text)).toBeUndefined();
  });

  test('the oldest comes first, of one age the first by name', () => {
    const entry = (name: string, created: number) =>
      makeEntry('s', { kind: 'Node', name, version: '1', created, manifest: {} });
    const list = [entry('c', 2), entry('b', 10), entry('a', 10), entry('d', 1)];
    expect(inOrder(list).map(({ name }) => name)).toEqual(['d', 'c', 'a', 'b']);
  });

  test('a revision has a number', () => {
    expect([numberOf(''), numberOf('12-9f3a1c')]).toEqual([0, 12]);
  });
});

describe('a message', () => {
  const entry = '{"resourceVersion":"2-b","created":2,"manifest":{}}';
  const text = `["e","1-a","2-b",[["Node/n1",${entry}],["Node/n0",null]]]`;
  const told = (message: string) => {
    const parsed = parseMessage('s', message);
    if (parsed === undefined) throw new Error('no message');
    return parsed;
  };

  test('is one step further', () => {
    const next = follow(state(['Node/n0', 'IPPool/p']), told(text));
    expect(next?.revision).toBe('2-b');
    expect([...(next?.entries.keys() ?? [])].sort()).toEqual(['IPPool/p', 'Node/n1']);
  });

  test('what it does not name stays the same object', () => {
    const before = state(['IPPool/p']);
    expect(follow(before, told(text))?.entries.get('IPPool/p')).toBe(before.entries.get('IPPool/p'));
  });

  test.each([
    ['of another epoch', { epoch: 'f' }, text],
    ['of another step', { revision: '0-z' }, text],
    ['of the same number with another word', { revision: '1-z' }, text],
    ['that is too much', {}, '["e","1-a","2-b",null]'],
  ])('%s is no step', (_name, head, message) => {
    expect(follow(state(['Node/n0'], head), told(message))).toBeUndefined();
  });

  test.each([
    '',
    '{}',
    '["e","1",2,[]]',
    '["e","1","2",[["Node/a",7]]]',
    '["e","1","2",[[7,null]]]',
    '["e","1","2",7]',
  ])('%s is none', (message) => {
    expect(parseMessage('s', message)).toBeUndefined();
  });
});

describe('judgement of what was found', () => {
  const held = state(['IPPool/p', ...nodes(4), ...blocks(4)]);
  const without = (...gone: readonly string[]) =>
    state(
      [...held.entries.keys()].filter((id) => !gone.includes(id)),
      { revision: '2-b' },
    );
  const elsewhere = { epoch: 'f', revision: '1-z' };

  test.each<[string, StoreState, object]>([
    ['the same', { ...held, revision: '2-b' }, { type: 'same' }],
    [
      'another version',
      state([...held.entries.keys(), 'Node/n0=2-b'], { revision: '2-b' }),
      { type: 'take' },
    ],
    ['one more', state([...held.entries.keys(), 'Node/x'], { revision: '2-b' }), { type: 'take' }],
    ['one Node less', without('Node/n0'), { type: 'take' }],
    ['half of the Nodes less', without(...nodes(2)), { type: 'take' }],
    ['more than half less', without(...nodes(3)), { type: 'hold', lost: '3 of 4 Nodes' }],
    [
      'more than half of the blocks less',
      without(...blocks(3)),
      { type: 'hold', lost: '3 of 4 BlockAffinities' },
    ],
    ['the only IPPool gone', without('IPPool/p'), { type: 'hold', lost: '1 of 1 IPPool' }],
    [
      'everything removed, one by one',
      without(...held.entries.keys()),
      { type: 'hold', lost: '4 of 4 Nodes' },
    ],
    ['nothing, and no first write', state([], { epoch: '', revision: '' }), { type: 'refill' }],
    ['nothing, and the same revision', state([]), { type: 'refill' }],
    ['nothing, of another epoch', state([], elsewhere), { type: 'refill' }],
    ['nodes alone, of another epoch', state(nodes(4), elsewhere), { type: 'refill' }],
    [
      'another cluster, of another epoch',
      state(['IPPool/q'], elsewhere),
      { type: 'hold', lost: '4 of 4 Nodes' },
    ],
    [
      'enough of it, of another epoch',
      state(['IPPool/p', ...nodes(3), ...blocks(3)], elsewhere),
      { type: 'take' },
    ],
  ])('%s', (_name, found, verdict) => {
    expect(judge(held, found)).toEqual(verdict);
  });

  test('of two Nodes one may go, both not; of one none is many', () => {
    const pair = state(['IPPool/p', ...nodes(2)]);
    expect(judge(pair, state(['IPPool/p', 'Node/n0'])).type).toBe('take');
    expect(judge(pair, state(['IPPool/p'])).type).toBe('hold');
    expect(judge(state(['IPPool/p', 'Node/n0']), state(['IPPool/p'], { revision: '2-b' })).type).toBe('take');
  });

  test('nothing is lost where there was nothing', () => {
    expect(judge(state([]), state([], { epoch: '', revision: '' })).type).toBe('same');
    expect(judge(state([]), state(['Node/a'], elsewhere)).type).toBe('take');
  });

  test('beside a snapshot what came later by its own way is right, an older state and a wiped store are not', () => {
    const fewer = without(...nodes(3));
    expect(judgeFirst(held, fewer).type).toBe('take');
    expect(judgeFirst({ ...held, revision: '9-a' }, fewer).type).toBe('hold');
    expect(judgeFirst(held, { ...fewer, epoch: 'f' }).type).toBe('hold');
    expect(judgeFirst(held, state([], { epoch: '', revision: '' })).type).toBe('refill');
  });

  test('a wiped store gets what is missing in it', () => {
    const found = state(['Node/n0=7-x'], elsewhere);
    expect(missingIn(state(['IPPool/p', 'Node/n0']), found).map(({ name }) => name)).toEqual(['p']);
  });
});

describe('which state is in force', () => {
  const full = state(['IPPool/p', ...nodes(4)]);
  const empty = state([], { epoch: '', revision: '' });
  const poor = state(['IPPool/p', 'Node/n0'], { revision: '2-b' });
  let doings: string[];
  let refill: () => void;
  let inForce: InForce;
  const sizes = () => inForce.held?.entries.size;

  beforeEach(() => {
    vi.useFakeTimers();
    doings = [];
    refill = () => {};
    inForce = new InForce(
      { graceMs: 60_000, refillSpreadMs: 2_000 },
      {
        changed: ({ entries }) => doings.push(`changed ${entries.size}`),
        heldBack: ({ entries }) => doings.push(`held back ${entries.size}`),
        check: () => doings.push('check'),
        notesChanged: () => doings.push(`notes ${inForce.notes.length}`),
        refill: async (held, found) => {
          doings.push(`refill ${held.entries.size - found.entries.size}`);
          refill();
        },
      },
    );
    inForce.offer(full);
    doings = [];
  });
  afterEach(() => {
    inForce.stop();
    vi.useRealTimers();
  });

  test('a mass removal waits for so long, however often it is found', () => {
    inForce.offer(poor);
    vi.advanceTimersByTime(40_000);
    inForce.offer(poor);
    expect(doings).toEqual(['notes 1', 'held back 2', 'held back 2']);
    expect(sizes()).toBe(5);
    vi.advanceTimersByTime(19_999);
    inForce.offer(poor);
    expect(sizes()).toBe(5);
    vi.advanceTimersByTime(1);
    inForce.offer(poor);
    expect(sizes()).toBe(2);
    expect(doings.slice(4)).toEqual(['check', 'notes 0', 'changed 2']);
  });

  test('it is not believed while the store cannot be asked whether it is still so', () => {
    inForce.offer(poor);
    vi.advanceTimersByTime(600_000);
    expect(sizes()).toBe(5);
    inForce.offer({ ...full, revision: '3-c' });
    expect(sizes()).toBe(5);
    inForce.offer({ ...poor, revision: '4-d' });
    expect(sizes()).toBe(5);
  });

  test('what waits has its whole time again when the store was away', () => {
    inForce.offer(poor);
    vi.advanceTimersByTime(59_000);
    inForce.lost();
    expect(inForce.notes).toEqual([]);
    vi.advanceTimersByTime(600_000);
    inForce.offer(poor);
    expect(sizes()).toBe(5);
    vi.advanceTimersByTime(60_000);
    inForce.offer(poor);
    expect(sizes()).toBe(2);
  });

  test('the same state again is no change', () => {
    inForce.offer(full);
    expect(doings).toEqual([]);
    inForce.offer({ ...full, revision: '2-b' });
    expect(doings).toEqual(['changed 5']);
  });

  test('what comes back in time was never gone', () => {
    inForce.offer(poor);
    inForce.offer({ ...full, revision: '3-c' });
    vi.advanceTimersByTime(120_000);
    expect(sizes()).toBe(5);
    expect(inForce.notes).toEqual([]);
    expect(inForce.held?.revision).toBe('3-c');
  });

  test('a wiped store is filled within the time, again where that failed, and no more once it is full', async () => {
    inForce.offer(empty);
    expect(inForce.notes[0]).toContain('what was last read is written back');
    await vi.advanceTimersByTimeAsync(2_000);
    expect(doings.filter((doing) => doing === 'refill 5').length).toBeGreaterThan(0);
    refill = () => inForce.offer({ ...full, epoch: 'f', revision: '2-x' });
    await vi.advanceTimersByTimeAsync(2_000);
    doings = [];
    await vi.advanceTimersByTimeAsync(10_000);
    expect(doings).toEqual([]);
    expect(inForce.notes).toEqual([]);
    expect(inForce.held?.epoch).toBe('f');
  });

  test('after a stop nothing happens', async () => {
    inForce.offer(empty);
    inForce.stop();
    doings = [];
    await vi.advanceTimersByTimeAsync(10_000);
    inForce.offer(poor);
    expect(doings).toEqual([]);
  });

  test('two states with the same in them are equal, whatever their revision', () => {
    expect(areEqual(full, { ...full, revision: '9-z' })).toBe(true);
    expect(areEqual(full, state(['IPPool/p', ...nodes(3), 'Node/n3=2-b']))).toBe(false);
    expect(areEqual(full, state(['IPPool/p', ...nodes(3), 'Node/x']))).toBe(false);
  });
});
