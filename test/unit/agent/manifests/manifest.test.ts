/** The normal form of manifests, the words for kinds, and what differs. */
import { describe, expect, test } from 'vitest';
import {
  canonicalJson,
  differences,
  fieldText,
  jsonText,
  keyOf,
  type Manifest,
  normalManifest,
  readKind,
  statedVersion,
  versionedManifest,
  yamlText,
} from '../../../../agent/manifests/index.js';
import { readDocuments } from '../../../../agent/schema/index.js';

const EXPORTED: Manifest = {
  kind: 'Node',
  spec: { podCIDRs: ['10.244.1.0/24'] },
  apiVersion: 'projectcalico.org/v3',
  metadata: {
    creationTimestamp: '2026-01-01T00:00:00Z',
    uid: 'a-b',
    managedFields: [{ manager: 'kubectl' }],
    resourceVersion: '812',
    name: 'node-a',
    labels: { rack: 'a' },
    annotations: { note: 'x', 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
  },
  status: { phase: 'x' },
};

describe('the normal form', () => {
  test('has no bookkeeping, and what people wrote in its usual order', () => {
    expect(JSON.stringify(normalManifest(EXPORTED))).toBe(
      JSON.stringify({
        apiVersion: 'projectcalico.org/v3',
        kind: 'Node',
        metadata: { name: 'node-a', labels: { rack: 'a' }, annotations: { note: 'x' } },
        spec: { podCIDRs: ['10.244.1.0/24'] },
      }),
    );
  });

  test('what is unknown stays, to be refused by whoever checks it', () => {
    expect(normalManifest({ ...EXPORTED, specs: 1 })).toHaveProperty('specs', 1);
  });

  test('the order of keys does not count, that of lists does', () => {
    expect(canonicalJson({ a: 1, b: { c: 2, d: 3 } })).toBe(canonicalJson({ b: { d: 3, c: 2 }, a: 1 }));
    expect(canonicalJson([1, 2])).not.toBe(canonicalJson([2, 1]));
  });

  test('the version goes out and comes back', () => {
    expect(statedVersion(versionedManifest(normalManifest(EXPORTED), 'abc'))).toBe('abc');
    expect(statedVersion(normalManifest(EXPORTED))).toBeUndefined();
    expect(statedVersion({ metadata: { resourceVersion: '' } })).toBeUndefined();
    expect(statedVersion({ metadata: { resourceVersion: 812 } })).toBe('812');
  });

  test.each<Manifest>([
    {},
    { kind: 'Node' },
    { kind: 'Node', metadata: {} },
    { kind: 1, metadata: { name: 'x' } },
  ])('%j has no key', (manifest) => {
    expect(keyOf(manifest)).toBeUndefined();
  });

  test.each([
    ['yaml', yamlText([EXPORTED, EXPORTED])],
    ['json', jsonText([EXPORTED, EXPORTED], true)],
  ])('%s can be read again', (_form, text) => {
    const { documents } = readDocuments({ path: '', text });
    expect(documents.map(({ value }) => value)).toEqual([EXPORTED, EXPORTED]);
  });
});

describe('the words for kinds', () => {
  test.each([
    ['node', 'Node'],
    ['Nodes', 'Node'],
    ['no', 'Node'],
    ['ippool', 'IPPool'],
    ['ipp', 'IPPool'],
    ['IPPools', 'IPPool'],
    ['bgpconfig', 'BGPConfiguration'],
    ['bgpconfigurations', 'BGPConfiguration'],
    ['BGPPeer', 'BGPPeer'],
    ['bgpfilters', 'BGPFilter'],
    ['blockaffinity', 'BlockAffinity'],
    ['blockaffinities', 'BlockAffinity'],
  ])('%s is %s', (word, kind) => {
    expect(readKind(word)).toEqual({ kind });
  });

  test.each([
    ['ippol', '"ippol" is no kind of resource; did you mean "ippool"?'],
    ['deployment', '"deployment" is no kind of resource; there are Node, IPPool, '],
    ['constructor', '"constructor" is no kind of resource; there are Node, IPPool, '],
  ])('%s is none', (word, sentence) => {
    expect(readKind(word)).toEqual({ problem: expect.stringContaining(sentence) });
  });
});

describe('what differs', () => {
  const lines = (before: object, after: object) =>
    differences(before as Manifest, after as Manifest).map(fieldText);

  test.each<[string, object, object, string[]]>([
    ['nothing', { a: 1, b: [{ c: 1 }] }, { b: [{ c: 1 }], a: 1 }, []],
    ['a field', { spec: { as: 1 } }, { spec: { as: 2 } }, ['spec.as: 1 -> 2']],
    ['a field that comes', { spec: {} }, { spec: { as: 2 } }, ['spec.as: nothing -> 2']],
    ['a mapping that goes', { s: { b: { a: 'x' } } }, { s: {} }, ['s.b: {a: x} -> nothing']],
    ['a list of values, as a whole', { l: ['a'] }, { l: ['a', 'b'] }, ['l: [a] -> [a, b]']],
    [
      'a list of mappings, item by item',
      { l: [{ a: 1 }, { a: 2 }] },
      { l: [{ a: 1 }, { a: 3 }, { b: true }] },
      ['l[1].a: 2 -> 3', 'l[2]: nothing -> {b: true}'],
    ],
    ['a key with dots', { m: { 'a.b/c': '1' } }, { m: {} }, ['m["a.b/c"]: "1" -> nothing']],
    ['a text that looks like a number', { a: '1' }, { a: 1 }, ['a: "1" -> 1']],
    ['a key of every object', {}, { constructor: 'x' }, ['constructor: nothing -> x']],
  ])('%s', (_name, before, after, expected) => {
    expect(lines(before, after)).toEqual(expected);
  });

  test('a password that stood in the manifest is not shown', () => {
    const [line] = lines({ spec: { password: 'hunter2' } }, { spec: { password: { env: 'TOR' } } });
    expect(line).toBe('spec.password: (hidden) -> {env: TOR}');
  });
});
