import { describe, expect, test } from 'vitest';
import { prefersText } from '../../../api/accept.js';

describe('RFC 9110 §12.5.1 Accept', () => {
  test.each([
    ['absent', undefined, false],
    ['what curl sends', '*/*', false],
    ['what a browser sends', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', false],
    ['text/plain', 'text/plain', true],
    ['text before the rest', 'text/plain, */*;q=0.1', true],
    ['both alike: JSON', 'text/plain, application/json', false],
    ['JSON liked better', 'text/plain;q=0.5, application/json', false],
    ['any text', 'text/*', true],
    ['a specific range beats a wildcard', 'text/*, text/plain;q=0, */*;q=0.1', false],
    ['case and spaces', ' Text/Plain ; charset=utf-8 ; Q=1 , application/json;q=0.2', true],
    ['neither of ours', 'image/png', false],
    ['nonsense', ';;,q=', false],
  ])('%s', (_name, header, expected) => {
    expect(prefersText(header)).toBe(expected);
  });
});
