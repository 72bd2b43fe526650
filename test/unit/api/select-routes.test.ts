import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ApiError } from '../../../api/index.js';
import { findRoute, selectRoutes } from '../../../api/select-routes.js';
import { directRoute, localRoute, route, unreachableRoute } from './rows.js';

const rowsOf = (...prefixes: string[]) => prefixes.map((prefix) => route({ prefix }));
const prefixesOf = (rows: readonly { prefix: string }[]) => rows.map(({ prefix }) => prefix);

const SORTED = [
  '0.0.0.0/0',
  '9.0.0.0/8',
  '10.0.0.0/8',
  '10.0.0.0/16',
  '10.244.9.0/24',
  '10.244.10.0/24',
  '::/0',
  '9::/16',
  'fd00::/64',
  'fd00:0:0:10::/64',
];

/** Distinct prefixes of 10.0.0.0/8 and fd00::/16, nested ones among them. */
const anyPrefixes = fc.uniqueArray(
  fc.oneof(
    fc
      .tuple(fc.integer({ min: 0, max: 0xff_ffff }), fc.integer({ min: 8, max: 32 }))
      .map(([host, length]) => {
        const address = (0x0a00_0000 + host) & (-1 << (32 - length));
        return `${[24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')}/${length}`;
      }),
    fc
      .tuple(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 32, max: 48 }))
      .map(
        ([group, length]) => `fd00:0:${(group & (-1 << (48 - length)) & 0xffff).toString(16)}::/${length}`,
      ),
  ),
  { maxLength: 40 },
);

describe('order', () => {
  test('is that of the numbers: IPv4 before IPv6, 9 before 10, the shorter prefix first', () => {
    expect(prefixesOf(selectRoutes(rowsOf(...SORTED.toReversed()), {}).routes)).toEqual(SORTED);
  });

  test('a row whose prefix cannot be read is our bug, and thrown', () => {
    expect(() => selectRoutes(rowsOf('10.0.0.0'), {})).toThrow(TypeError);
  });
});

describe('filters', () => {
  const rows = [localRoute, directRoute, route(), unreachableRoute];

  test.each([
    ['state', { state: 'failed' }, ['10.244.20.0/24']],
    ['mode', { mode: 'direct' }, ['10.244.2.0/24']],
    ['peer', { peer: 'node-c' }, ['10.244.3.0/24', '10.244.20.0/24']],
    ['all of them at once', { peer: 'node-c', state: 'ok', mode: 'ipip' }, ['10.244.3.0/24']],
    ['prefix: the very one', { prefix: '10.244.3.0/24' }, ['10.244.3.0/24']],
    ['prefix: inside', { prefix: '10.244.2.0/23' }, ['10.244.2.0/24', '10.244.3.0/24']],
    ['prefix: around is not inside', { prefix: '10.244.3.0/25' }, []],
    ['prefix: the other family', { prefix: '::/0' }, []],
  ] as const)('%s', (_name, query, expected) => {
    const page = selectRoutes(rows, query);
    expect(prefixesOf(page.routes)).toEqual(expected);
    expect(page.total).toBe(expected.length);
  });

  test.each(['10.244.3.9', '10.244.3.1/24', '10.244.3.0/33', '010.0.0.0/8', 'fd00::%eth0/64', 'x'])(
    'prefix %s is refused with a sentence',
    (prefix) => {
      expect(() => selectRoutes(rows, { prefix })).toThrow(ApiError);
    },
  );
});

describe('pages', () => {
  test('together are the whole list, each row once, whatever the size of a page', () => {
    fc.assert(
      fc.property(anyPrefixes, fc.integer({ min: 1, max: 7 }), (prefixes, limit) => {
        const rows = rowsOf(...prefixes);
        const whole = selectRoutes(rows, {});
        const seen: string[] = [];
        let page = selectRoutes(rows, { limit });
        let pages = 0;
        while (pages <= rows.length) {
          pages++;
          expect(page.routes.length).toBeLessThanOrEqual(limit);
          expect(page.total).toBe(rows.length);
          seen.push(...prefixesOf(page.routes));
          if (page.next === null) break;
          page = selectRoutes(rows, { limit, cursor: page.next });
        }
        expect(seen).toEqual(prefixesOf(whole.routes));
        expect(pages, 'the last page is known to be the last').toBe(
          Math.max(1, Math.ceil(rows.length / limit)),
        );
      }),
    );
  });

  test('skip nothing when the row of the cursor is gone', () => {
    const { next } = selectRoutes(rowsOf('10.0.0.0/24', '10.0.1.0/24', '10.0.2.0/24'), { limit: 2 });
    expect(next).toBe('10.0.1.0/24');
    const page = selectRoutes(rowsOf('10.0.0.0/24', '10.0.2.0/24'), { cursor: '10.0.1.0/24' });
    expect(prefixesOf(page.routes)).toEqual(['10.0.2.0/24']);
  });

  test('behind the last row are empty', () => {
    expect(selectRoutes(rowsOf('10.0.0.0/24'), { cursor: '10.0.0.0/24' })).toEqual({
      routes: [],
      total: 1,
      next: null,
    });
  });
});

describe('the route of a destination', () => {
  const rows = rowsOf('10.0.0.0/8', '10.244.0.0/16', '10.244.3.0/24', '10.244.3.128/25', 'fd00::/16');

  test.each([
    ['10.244.3.200', '10.244.3.128/25'],
    ['10.244.3.127', '10.244.3.0/24'],
    ['10.244.4.1', '10.244.0.0/16'],
    ['10.1.1.1', '10.0.0.0/8'],
    ['11.0.0.0', undefined],
    ['fd00::1', 'fd00::/16'],
    ['fe80::1', undefined],
    ['10.244.0.0/16', '10.244.0.0/16'],
    ['10.244.0.0/17', undefined],
  ])('%s is %s', (destination, prefix) => {
    expect(findRoute(rows, destination)?.prefix).toBe(prefix);
  });

  test('for an address is the longest prefix that covers it', () => {
    fc.assert(
      fc.property(anyPrefixes, fc.integer({ min: 0, max: 0xff_ffff }), (prefixes, host) => {
        const address = 0x0a00_0000 + host;
        const covering = prefixes
          .filter((prefix) => !prefix.includes(':'))
          .map((prefix) => ({ prefix, length: Number(prefix.split('/')[1]) }))
          .filter(({ prefix, length }) => {
            const [a = 0, b = 0, c = 0, d = 0] = prefix.split(/[./]/).map(Number);
            const size = 2 ** (32 - length);
            return Math.floor(address / size) * size === ((a * 256 + b) * 256 + c) * 256 + d;
          })
          .sort((x, y) => y.length - x.length);
        const text = [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
        expect(findRoute(rowsOf(...prefixes), text)?.prefix).toBe(covering[0]?.prefix);
      }),
    );
  });

  test.each(['', 'node-a', '10.244.3.9/24', '10.0.0'])('"%s" is refused', (destination) => {
    expect(() => findRoute(rows, destination)).toThrow(ApiError);
  });
});
