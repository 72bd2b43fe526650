import { describe, expect, test } from 'vitest';
import { formatApiTarget, isLocalTarget, parseApiTarget } from '../../../api/target.js';

describe('where the API is', () => {
  test.each([
    ['127.0.0.1:9179', { type: 'tcp', host: '127.0.0.1', port: 9179 }],
    ['http://127.0.0.1:80/', { type: 'tcp', host: '127.0.0.1', port: 80 }],
    ['[::1]:8080', { type: 'tcp', host: '::1', port: 8080 }],
    ['http://[fd00::1]', { type: 'tcp', host: 'fd00::1', port: 9179 }],
    ['node-a', { type: 'tcp', host: 'node-a', port: 9179 }],
    ['unix:/run/podroute.sock', { type: 'unix', path: '/run/podroute.sock' }],
    ['/run/podroute.sock', { type: 'unix', path: '/run/podroute.sock' }],
  ] as const)('%s is read, and read again from its own text', (text, target) => {
    expect(parseApiTarget(text)).toEqual(target);
    expect(parseApiTarget(formatApiTarget(target))).toEqual(target);
  });

  test.each([
    '',
    'https://127.0.0.1',
    '127.0.0.1:0',
    '127.0.0.1:65536',
    '::1',
    'a b',
    'unix:relative',
    '/',
    'http://a/b',
  ])('"%s" is refused', (text) => {
    expect(parseApiTarget(text)).toBeUndefined();
  });

  test.each([
    ['127.0.0.1:1', true],
    ['localhost:1', true],
    ['[::1]:1', true],
    ['/run/x.sock', true],
    ['192.168.1.11:9179', false],
    ['127.0.0.1.example.com', false],
  ])('%s is on this machine: %s', (text, local) => {
    const target = parseApiTarget(text);
    expect(target && isLocalTarget(target)).toBe(local);
  });
});
