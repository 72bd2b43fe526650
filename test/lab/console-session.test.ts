import { describe, expect, test } from 'vitest';
import {
  decodeFrame,
  encodeFrame,
  encodeMark,
  INPUT_BYTES,
  INPUT_WINDOW,
  MarkScanner,
} from './console-session.js';

describe('the marks around a command on a console', () => {
  const stream = `left over${encodeMark('abc')}hello \x1b]0;title\x07world\n${encodeMark('abc', 7)}prompt`;

  test.each([1, 2, 3, 7, stream.length])('are found in pieces of %i bytes', (size) => {
    const scanner = new MarkScanner('abc');
    let given = '';
    for (let at = 0; at < stream.length; at += size) given += scanner.push(stream.slice(at, at + size));
    expect(given).toBe('hello \x1b]0;title\x07world\n');
    expect(scanner.status).toBe(7);
  });

  test('of another visit mean nothing', () => {
    const scanner = new MarkScanner('abc');
    expect(scanner.push(`${encodeMark('xyz')}text${encodeMark('xyz', 0)}`)).toBe('');
    expect(scanner.status).toBeUndefined();
  });
});

describe('the frames of a command without a terminal', () => {
  test('carry any byte both ways', () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    for (const kind of ['in', 'out', 'err'] as const) {
      expect(decodeFrame(encodeFrame({ kind, bytes }))).toEqual({ kind, bytes });
    }
    expect(decodeFrame(encodeFrame({ kind: 'eof' }))).toEqual({ kind: 'eof' });
    expect(decodeFrame(encodeFrame({ kind: 'ack' }))).toEqual({ kind: 'ack' });
  });

  test('of the input fit into a terminal together', () => {
    const frame = encodeFrame({ kind: 'in', bytes: Buffer.alloc(INPUT_BYTES) });
    expect(INPUT_WINDOW * frame.length).toBeLessThan(4096 - 128);
  });

  test('are told from anything else', () => {
    expect(decodeFrame('half of something')).toBeUndefined();
  });
});
