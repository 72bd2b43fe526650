/** How errors are printed, and the guess at what was meant. */
import { describe, expect, test } from 'vitest';
import { checkText, didYouMean, nearest, quote } from '../../../../agent/schema/index.js';

describe('checkText', () => {
  test('leaves out what is absent', () => {
    expect(
      checkText([
        { file: 'cluster.yaml', line: 12, path: 'Node/node-b spec.bgp.ipv4Address', message: 'is wrong' },
        { file: 'cluster.yaml', line: 3, path: '', message: 'is no valid YAML' },
        { file: 'cluster.yaml', path: '', message: 'does not exist' },
        { path: '--api', message: 'is wrong' },
      ]),
    ).toBe(
      [
        'cluster.yaml:12: Node/node-b spec.bgp.ipv4Address: is wrong',
        'cluster.yaml:3: is no valid YAML',
        'cluster.yaml: does not exist',
        '--api: is wrong',
      ].join('\n'),
    );
  });
});

describe('quote', () => {
  test.each<[unknown, string]>([
    ['a\nb', '"a\\nb"'],
    [7, '7'],
    [true, 'true'],
    [undefined, 'nothing'],
    [null, 'nothing'],
    [['secret'], 'a list'],
    [{ key: 'secret' }, 'a mapping'],
  ])('%j is %s', (value, expected) => {
    expect(quote(value)).toBe(expected);
  });

  test('long texts are cut', () => {
    expect(quote('x'.repeat(1_000_000)).length).toBeLessThan(100);
  });
});

describe('nearest', () => {
  const words = ['ipv4Address', 'ipv6Address', 'asNumber', 'node', 'nodeSelector'];
  test.each([
    ['ipv4Adress', 'ipv4Address'],
    ['IPV4ADDRESS', 'ipv4Address'],
    ['asnumber', 'asNumber'],
    ['nodeSelecter', 'nodeSelector'],
    ['nod', 'node'],
    ['peerIP', undefined],
    ['x', undefined],
    ['', undefined],
  ])('%s: %s', (word, expected) => {
    expect(nearest(word, words)).toBe(expected);
  });

  test('a word without a neighbour gets no guess', () => {
    expect(didYouMean('somethingElse', words)).toBe('');
    expect(didYouMean('asNumbr', words)).toBe('; did you mean "asNumber"?');
  });
});
