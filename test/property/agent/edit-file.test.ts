/** A file in which resources change: exactly the named ones, and every other byte is where it was. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { editFile, keyOf, type Manifest } from '../../../agent/manifests/index.js';
import { readDocuments } from '../../../agent/schema/index.js';

/** A resource as text of one style; every comment is another. */
interface Piece {
  readonly name: string;
  readonly text: string;
}

const comment = fc.option(fc.stringMatching(/^[a-z'":{}-]{1,12}$/), { nil: undefined });
const blank = fc.constantFrom('', '\n', '\n\n');

const lines = (text: string | undefined, indent: string) =>
  text === undefined ? '' : `${indent}# ${text}\n`;
const trailing = (text: string | undefined) => (text === undefined ? '' : ` # ${text}`);

/** As people write them: in blocks, with comments in all places, or in one line. */
function resource(name: string, indent = '', isItem = false) {
  const inBlock = fc
    .record({ before: comment, beside: comment, inside: comment, as: fc.nat(60_000), after: comment, blank })
    .map(({ before, beside, inside, as, after, blank }) => {
      const body = [
        `apiVersion: projectcalico.org/v3${trailing(beside)}`,
        'kind: Node',
        `metadata: {name: ${name}}`,
        'spec:',
      ]
        .map((line, at) => `${at === 0 && isItem ? '' : indent}${line}\n`)
        .join('');
      const spec = `${lines(inside, `${indent}  `)}${indent}  bgp: {asNumber: ${as + 1}} # own\n`;
      const dash = isItem ? `${indent.slice(2)}- ` : '';
      return `${lines(before, indent.slice(2))}${dash}${body}${spec}${lines(after, indent)}${blank}`;
    });
  const inFlow = fc
    .record({ before: comment, as: fc.nat(60_000), beside: comment })
    .map(({ before, as, beside }) => {
      const dash = isItem ? `${indent.slice(2)}- ` : '';
      const value = `{kind: Node, apiVersion: projectcalico.org/v3, metadata: {name: ${name}}, spec: {bgp: {asNumber: ${as + 1}}}}`;
      return `${lines(before, indent.slice(2))}${dash}${value}${trailing(beside)}\n`;
    });
  return fc.oneof(inBlock, inFlow).map((text): Piece => ({ name, text }));
}

/** A document: one resource, or a list of one to three. */
function documentOf(at: number) {
  const single = resource(`n${at}`).map(({ name, text }) => ({ text, pieces: [{ name, text }] }));
  const list = fc.constantFrom('', '  ').chain((margin) =>
    fc.integer({ min: 1, max: 3 }).chain((count) =>
      fc
        .tuple(...Array.from({ length: count }, (_, item) => resource(`n${at}-${item}`, `${margin}  `, true)))
        .map((pieces) => ({
          text: `kind: List\nitems:\n${pieces.map(({ text }) => text).join('')}`,
          pieces,
        })),
    ),
  );
  const flowList = fc
    .record({
      count: fc.integer({ min: 1, max: 3 }),
      comma: fc.constantFrom(', ', ',\n  '),
      end: fc.constantFrom('', ','),
    })
    .map(({ count, comma, end }) => {
      const pieces = Array.from({ length: count }, (_, item) => {
        const name = `n${at}-${item}`;
        return {
          name,
          text: `{"kind": "Node", "metadata": {"name": "${name}"}, "spec": {"bgp": {"asNumber": ${item + 7}}}}`,
        };
      });
      return {
        text: `{"kind": "NodeList", "items": [${pieces.map(({ text }) => text).join(comma)}${end}]}\n`,
        pieces,
      };
    });
  return fc.oneof({ weight: 3, arbitrary: single }, list, flowList);
}

const fileText = fc.integer({ min: 1, max: 5 }).chain((count) =>
  fc.record({
    head: fc.option(fc.constantFrom('# head\n\n', '# head\n# of the file\n---\n'), { nil: '' }),
    documents: fc.tuple(...Array.from({ length: count }, (_, at) => documentOf(at))),
    separator: fc.constantFrom('---\n', '--- # next\n', '...\n---\n'),
  }),
);

const fate = fc.constantFrom('stays', 'stays', 'number', 'field', 'goes');

function changed(value: Manifest, how: 'number' | 'field'): Manifest {
  const spec =
    how === 'number' ? { bgp: { asNumber: 64_999 } } : { bgp: { asNumber: 1 }, podCIDRs: ['10.0.0.0/8'] };
  return { ...value, spec };
}

describe('editFile', () => {
  test('changes exactly what is named', () => {
    fc.assert(
      fc.property(
        fileText,
        fc.array(fate, { minLength: 15, maxLength: 15 }),
        fc.nat(2),
        ({ head, documents, separator }, fates, additions) => {
          const text = head + documents.map((document) => document.text).join(separator);
          const file = { path: 'cluster.yaml', text };
          const before = readDocuments(file).documents;
          const fateOf = (at: number) => fates[at] ?? 'stays';
          const edits = before.flatMap((document, at) => {
            const how = fateOf(at);
            if (how === 'stays') return [];
            return [{ document, manifest: how === 'goes' ? undefined : changed(document.value, how) }];
          });
          const added = Array.from({ length: additions }, (_, at) => ({
            apiVersion: 'projectcalico.org/v3',
            kind: 'Node',
            metadata: { name: `new-${at}` },
          }));

          const result = editFile(file, edits, added);

          expect(result).not.toHaveProperty('problem');
          const after = 'text' in result ? result.text : '';
          const values = readDocuments({ path: '', text: after }).documents.map(({ value }) => value);
          const kept = before.flatMap(({ value }, at) => {
            const how = fateOf(at);
            if (how === 'goes') return [];
            return [how === 'stays' ? value : changed(value, how)];
          });
          expect(values).toEqual([...kept, ...added]);

          // What stays, stays to the byte and in its place; what goes leaves nothing.
          expect(after.startsWith(head.replace(/---\n$/, ''))).toBe(true);
          let from = 0;
          let at = 0;
          for (const document of documents) {
            const own = document.pieces.map((piece) => ({ ...piece, how: fateOf(at++) }));
            const isUntouched = own.every(({ how }) => how === 'stays');
            for (const expected of isUntouched
              ? [document.text]
              : own.filter(({ how }) => how === 'stays').map(({ text }) => text.trim())) {
              const found = after.indexOf(expected, from);
              expect(found).toBeGreaterThanOrEqual(from);
              from = found + expected.length;
            }
          }
          const names = values.map((value) => keyOf(value)?.name);
          for (const [index, { value }] of before.entries()) {
            if (fateOf(index) === 'goes') expect(names).not.toContain(keyOf(value)?.name);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test('a change of a value touches its line alone', () => {
    fc.assert(
      fc.property(fileText, fc.nat(), ({ head, documents, separator }, pick) => {
        const text = head + documents.map((document) => document.text).join(separator);
        const file = { path: 'cluster.yaml', text };
        const all = readDocuments(file).documents;
        const document = all[pick % all.length];
        if (document === undefined) throw new Error('a file without a document');
        const result = editFile(file, [{ document, manifest: changed(document.value, 'number') }], []);
        const after = 'text' in result ? result.text.split('\n') : [];
        const differing = text.split('\n').filter((line, at) => line !== after[at]);
        expect(after).toHaveLength(text.split('\n').length);
        expect(differing).toHaveLength(1);
        expect(differing[0]).toContain('asNumber');
      }),
      { numRuns: 200 },
    );
  });
});
