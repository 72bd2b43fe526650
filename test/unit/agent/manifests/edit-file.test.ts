/** Files in which resources are changed: what people find in them afterwards. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { editFile, type Manifest } from '../../../../agent/manifests/index.js';
import { readDocuments } from '../../../../agent/schema/index.js';
import { manifest } from '../../../support/manifests.js';

type Change = (value: Manifest) => Manifest | undefined;

/** Edits documents by number. */
function edit(path: string, text: string, changes: Readonly<Record<number, Change>>, added: Manifest[] = []) {
  const file = { path, text };
  const { documents } = readDocuments(file);
  const edits = Object.entries(changes).map(([at, change]) => {
    const document = documents[Number(at)];
    if (document === undefined) throw new Error(`there is no document ${at}`);
    return { document, manifest: change(structuredClone(document.value)) };
  });
  return editFile(file, edits, added);
}

const EXAMPLE = readFileSync(new URL('../../../../deploy/cluster.yaml', import.meta.url), 'utf8');
const gone: Change = () => undefined;
const withSpec =
  (spec: object): Change =>
  (value) => ({ ...value, spec: { ...(value['spec'] as object), ...spec } });

describe('YAML', () => {
  test('a value changes in its line; the comment beside it stays', () => {
    const result = edit('cluster.yaml', EXAMPLE, { 1: withSpec({ ipipMode: 'Always' }) });
    expect(result).toEqual({
      text: EXAMPLE.replace('ipipMode: CrossSubnet #', 'ipipMode: Always #'),
    });
  });

  test('a field more: the comments of the document stay, the others are as they were', () => {
    const result = edit('cluster.yaml', EXAMPLE, { 0: withSpec({ listenPort: 1179 }) });
    expect(result).toEqual({
      text: EXAMPLE.replace(/(nodeToNodeMeshEnabled.*\n)/, '$1  listenPort: 1179\n'),
    });
  });

  test('a document goes with its comment, and the head of the file stays', () => {
    const result = edit('cluster.yaml', EXAMPLE, { 0: gone, 6: gone });
    const text = 'text' in result ? result.text : '';
    expect(text).toMatch(/^# A cluster of four nodes.*\n# The words.*\n\n---\napiVersion/);
    expect(text).not.toContain('tor');
    expect(readDocuments({ path: '', text }).documents).toHaveLength(5);
  });

  test('new ones go to the end, also after a line without an end', () => {
    const added = JSON.parse(manifest('Node', 'node-e', { podCIDRs: ['10.244.5.0/24'] }));
    const result = edit('cluster.yaml', '{"kind": "Node"}', {}, [added]);
    expect(result).toEqual({
      text: '{"kind": "Node"}\n---\napiVersion: projectcalico.org/v3\nkind: Node\nmetadata:\n  name: node-e\nspec:\n  podCIDRs:\n    - 10.244.5.0/24\n',
    });
  });

  test('an empty file has one document afterwards', () => {
    const result = edit('cluster.yaml', '', {}, [{ kind: 'Node' }]);
    expect(result).toEqual({ text: 'kind: Node\n' });
  });

  test('an item of a list; the comment above an item is of that item', () => {
    const text = [
      'kind: List',
      'items:',
      '# the first',
      '- kind: Node # a',
      '  metadata: {name: a}',
      '# the second',
      '- kind: Node # b',
      '  metadata: {name: b}',
      '# the end',
      '',
    ];
    expect(edit('l.yaml', text.join('\n'), { 0: gone })).toEqual({
      text: text.toSpliced(3, 2).join('\n'),
    });
    expect(edit('l.yaml', text.join('\n'), { 1: (value) => ({ ...value, spec: { x: 1 } }) })).toEqual({
      text: text.toSpliced(8, 0, '  spec:', '    x: 1').join('\n'),
    });
    expect(edit('l.yaml', text.join('\n'), { 0: gone, 1: gone })).toEqual({ text: '' });
  });

  test('an alias is written out where its document changes', () => {
    const text = 'kind: Node\nspec: {a: &a [x, y], b: *a}\n';
    const result = edit('a.yaml', text, { 0: withSpec({ b: ['z'] }) });
    const value = 'text' in result ? readDocuments({ path: '', text: result.text }).documents[0]?.value : {};
    expect(value).toEqual({ kind: 'Node', spec: { a: ['x', 'y'], b: ['z'] } });
  });

  test('what others need stays: an item whose anchor is used elsewhere is refused', () => {
    const text =
      'kind: List\nitems:\n- &a {kind: Node, metadata: {name: a}}\n- kind: Node\n  metadata: {name: b}\n  x: *a\n';
    expect(edit('a.yaml', text, { 0: gone })).toEqual({
      problem:
        'is written in a way in which Node/a cannot be changed without touching the rest; edit it by hand',
    });
  });
});

describe('JSON stays JSON', () => {
  const one = { kind: 'Node', metadata: { name: 'a' } };
  const two = { kind: 'Node', metadata: { name: 'b' } };

  test.each<[string, string, Readonly<Record<number, Change>>, Manifest[], string]>([
    ['one in place of another', JSON.stringify(one), { 0: () => two }, [], `${JSON.stringify(two)}\n`],
    [
      'one beside another',
      JSON.stringify(one, null, 4),
      {},
      [two],
      `${JSON.stringify({ kind: 'List', items: [one, two] }, null, 4)}\n`,
    ],
    [
      'an item of a list, which stays a list',
      JSON.stringify({ kind: 'NodeList', items: [one, two] }, null, 2),
      { 0: gone },
      [],
      `${JSON.stringify({ kind: 'NodeList', items: [two] }, null, 2)}\n`,
    ],
    ['the last one', JSON.stringify(one), { 0: gone }, [], ''],
    ['the first one', '', {}, [one], `${JSON.stringify(one, null, 2)}\n`],
  ])('%s', (_name, text, changes, added, expected) => {
    expect(edit('nodes.json', text, changes, added)).toEqual({ text: expected });
  });
});
