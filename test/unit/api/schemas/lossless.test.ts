/** What the agent hands over is what the client reads: no field is lost between a row and the JSON. */
import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { describe, expect, test } from 'vitest';
import {
  createApi,
  ErrorAnswer,
  Health,
  Peer,
  PeerList,
  Readiness,
  Route,
  RoutePage,
  Status,
} from '../../../../api/index.js';
import { NOT_READY, peer, READY, route, sourceOf, status } from '../rows.js';

/** A schema as the JSON document that it is. */
interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly type?: string;
}

/** The paths of all fields that a schema knows, and of those that a value has; list positions are `[]`. */
function schemaPaths(node: Node, path = ''): string[] {
  return [
    ...(node.anyOf ?? []).flatMap((branch) => schemaPaths(branch, path)),
    ...(node.items ? schemaPaths(node.items, `${path}[]`) : []),
    ...Object.entries(node.properties ?? {}).flatMap(([key, child]) => [
      `${path}.${key}`,
      ...schemaPaths(child, `${path}.${key}`),
    ]),
  ];
}

function valuePaths(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => valuePaths(item, `${path}[]`));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => [
    `${path}.${key}`,
    ...valuePaths(child, `${path}.${key}`),
  ]);
}

function objects(node: Node): Node[] {
  const children = [
    ...(node.anyOf ?? []),
    ...(node.items ? [node.items] : []),
    ...Object.values(node.properties ?? {}),
  ];
  return [...(node.properties ? [node] : []), ...children.flatMap(objects)];
}

const SAMPLES: readonly [name: string, schema: TSchema, sample: unknown, url: string][] = [
  ['Route', Route, route(), '/routes/10.244.3.0/24'],
  ['Peer', Peer, peer(), '/peers/node-b'],
  ['Status', Status, { ...status(), readiness: NOT_READY }, '/status'],
];

describe.each(SAMPLES)('%s', (_name, schema, sample, url) => {
  test('the sample of these tests fills every field of the schema', () => {
    expect(new Set(valuePaths(sample))).toEqual(new Set(schemaPaths(schema as Node)));
  });

  test('arrives as it was handed over', async () => {
    const api = createApi({ source: sourceOf({ ready: NOT_READY }) });
    expect((await api.inject(url)).json()).toEqual(sample);
  });

  test('every field is always present, null where there is none', () => {
    const found = objects(schema as Node);
    expect(found.length).toBeGreaterThan(0);
    for (const { properties = {}, required = [] } of found) {
      expect([...required].sort()).toEqual(Object.keys(properties).sort());
    }
  });
});

describe('lists', () => {
  test('of routes carry every row whole, with and without the optional parts', async () => {
    const source = sourceOf();
    const { routes } = (await createApi({ source }).inject('/routes')).json<{ routes: unknown[] }>();
    expect(routes).toHaveLength(source.routes().length);
    expect(routes).toEqual(expect.arrayContaining([...source.routes()]));
  });

  test('of peers carry every row whole, with and without a session', async () => {
    const source = sourceOf();
    const { peers } = (await createApi({ source }).inject('/peers')).json<{ peers: unknown[] }>();
    expect(peers).toHaveLength(source.peers().length);
    expect(peers).toEqual(expect.arrayContaining([...source.peers()]));
  });
});

describe('answers are valid by their schemas', () => {
  test.each<[url: string, schema: TSchema, code: number]>([
    ['/routes', RoutePage, 200],
    ['/routes?limit=1', RoutePage, 200],
    ['/routes/10.244.3.9', Route, 200],
    ['/peers', PeerList, 200],
    ['/peers/tor', Peer, 200],
    ['/status', Status, 200],
    ['/healthz', Health, 200],
    ['/readyz', Readiness, 200],
    ['/routes?limit=0', ErrorAnswer, 400],
    ['/nothing', ErrorAnswer, 404],
  ])('%s', async (url, schema, code) => {
    const answer = await createApi({ source: sourceOf({ ready: READY }) }).inject(url);
    expect(answer.statusCode).toBe(code);
    expect([...Value.Errors(schema, answer.json())]).toEqual([]);
  });
});
