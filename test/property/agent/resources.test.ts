/** Manifests: no text does harm, every error has a place, and the order of things does not matter. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkText, parseResources } from '../../../agent/resources/index.js';
import { CLUSTER } from '../../support/manifests.js';

const text = CLUSTER.join('\n---\n');

describe('parseResources', () => {
  test('any text gives resources or errors with a place inside the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (anyText) => {
        const result = parseResources([{ path: 'x.yaml', text: anyText }]);
        if (!('errors' in result)) return;
        expect(result.errors.length).toBeGreaterThan(0);
        for (const error of result.errors) {
          expect(error.file).toBe('x.yaml');
          expect(error.line ?? 1).toBeLessThanOrEqual(anyText.split(/\r\n|\r|\n/).length);
        }
      }),
    );
  });

  test('a valid file with one piece cut out, doubled or replaced never throws', () => {
    const piece = fc.constantFrom(
      '',
      '{',
      '}',
      '"',
      ':',
      ',',
      'null',
      '[]',
      '{}',
      '-1',
      '1e99',
      '"__proto__"',
      '&a',
      '*a',
      '\u0000',
      '\n',
    );
    fc.assert(
      fc.property(fc.nat(text.length), fc.nat(40), piece, (from, length, replacement) => {
        const mutated = text.slice(0, from) + replacement + text.slice(from + length);
        const result = parseResources([{ path: 'x.yaml', text: mutated }]);
        if ('errors' in result) expect(checkText(result.errors)).not.toBe('');
      }),
    );
  });

  test('any JSON as a field is an error or accepted, and changes no prototype', () => {
    const field = fc.constantFrom(
      'cidr',
      'blockSize',
      'nodeSelector',
      'ipipMode',
      'allowedUses',
      'constructor',
      'x',
    );
    fc.assert(
      fc.property(field, fc.jsonValue(), (name, value) => {
        const document = {
          apiVersion: 'projectcalico.org/v3',
          kind: 'IPPool',
          metadata: { name: 'p' },
          spec: { cidr: '10.244.0.0/16', [name]: value },
        };
        parseResources([{ path: 'x.yaml', text: JSON.stringify(document) }]);
        expect(Object.keys(Object.prototype)).toEqual([]);
      }),
    );
  });

  test('the resources depend neither on the order of documents nor on their files', () => {
    const expected = parseResources([{ path: 'cluster.yaml', text }]);
    const documents = fc.shuffledSubarray([...CLUSTER], { minLength: CLUSTER.length });
    fc.assert(
      fc.property(documents, fc.nat(CLUSTER.length), (shuffled, cut) => {
        const files = [shuffled.slice(0, cut), shuffled.slice(cut)].map((part, index) => ({
          path: `${index}.yaml`,
          text: part.join('\n---\n'),
        }));
        expect(parseResources(files)).toEqual(expected);
      }),
    );
  });
});
