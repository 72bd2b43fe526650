/** What a change comes to over a store that nodes enter themselves into, and how it is put into words. */
import { describe, expect, test } from 'vitest';
import {
  changeJson,
  changeLines,
  conflictText,
  planApply,
  planRemoval,
} from '../../../../agent/changes/index.js';
import type { Manifest, StoredResource } from '../../../../agent/datastore/index.js';
import { readDocuments } from '../../../../agent/schema/index.js';
import { CLUSTER, manifest, node, peer, pool } from '../../../support/manifests.js';

const REDIS = { name: 'redis://store', isForNodes: true };

function stored(...texts: readonly string[]): readonly StoredResource[] {
  return texts.map((text, at) => {
    const value = JSON.parse(text) as Manifest & { kind: string; metadata: { name: string } };
    return { kind: value.kind, name: value.metadata.name, version: `1-${at}`, manifest: value };
  });
}

const documents = (...texts: readonly string[]) =>
  readDocuments({ path: 'x.yaml', text: texts.join('\n---\n') }).documents;

describe('a store that nodes enter themselves into', () => {
  const RIVAL = node('z', '192.168.1.11/24');

  test('a Node that was left out before holds up nobody, and is told', () => {
    const before = stored(...CLUSTER, RIVAL);
    const plan = planApply(before, documents(node('e', '192.168.1.15/24')), REDIS);
    expect(plan.errors).toEqual([]);
    expect(plan.warnings.map(({ path }) => path)).toEqual(['Node/node-z spec.bgp.ipv4Address']);
    expect(plan.sessions.map(({ node: name, peer: id }) => `${name} ${id}`)).toContain('node-a mesh/node-e');
  });

  test('one that would be left out is refused', () => {
    const plan = planApply(stored(...CLUSTER), documents(RIVAL), REDIS);
    expect(plan.errors).toEqual([
      expect.objectContaining({ file: 'x.yaml', line: 1, path: 'Node/node-z spec.bgp.ipv4Address' }),
    ]);
  });

  test('a write rests on what was read, or on that nothing was', () => {
    const before = stored(pool(), node('a', '192.168.1.11/24'));
    const { changes } = planApply(
      before,
      documents(pool(), node('a', '192.168.1.12/24'), node('b', '192.168.1.13/24')),
      REDIS,
    );
    expect(changes.map(({ name, expected }) => [name, expected])).toEqual([
      ['node-a', { version: '1-1' }],
      ['node-b', 'absent'],
    ]);
    const removal = planRemoval(before, [{ kind: 'Node', name: 'node-a' }], REDIS);
    expect(removal.changes).toEqual([
      { kind: 'Node', name: 'node-a', expected: { version: '1-1' }, manifest: undefined },
    ]);
  });
});

describe('in words', () => {
  const many = Array.from({ length: 20 }, (_, at) => node(`${at + 10}`, `192.168.1.${at + 10}/24`));

  test('long lists of names are cut, and JSON has them all', () => {
    const plan = planApply(stored(pool(), ...many), documents(node('new', '192.168.1.99/24')), REDIS);
    expect(changeLines(plan)).toEqual([
      'created Node/node-new',
      'node-10, node-11, node-12, node-13, node-14, node-15, node-16 and 13 more: session mesh/node-new comes: Node/node-new is new',
      'node-new: sessions mesh/node-10, mesh/node-11, mesh/node-12, mesh/node-13, mesh/node-14, mesh/node-15, mesh/node-16 and 13 more come: Node/node-new is new',
    ]);
    expect(JSON.parse(changeJson(plan, true)).sessions).toHaveLength(40);
  });

  test('a conflict says what somebody else has changed', () => {
    const before = stored(
      node('a', '192.168.1.11/24'),
      peer('tor', { peerIP: '192.168.1.1', asNumber: 65001 }),
    );
    const [now] = stored(node('a', '192.168.1.21/24'));
    const [old] = before;
    const key = { kind: 'Node', name: 'node-a' };
    const texts = [
      conflictText({ ...key, found: { ...key, version: '2', manifest: now?.manifest ?? {} } }, before),
      conflictText({ ...key, found: old }, before),
      conflictText({ ...key, found: undefined }, before),
      conflictText({ ...key, found: old }, []),
    ];
    expect(texts).toEqual([
      'Node/node-a was changed meanwhile by somebody else: spec.bgp.ipv4Address: 192.168.1.11/24 -> 192.168.1.21/24',
      'Node/node-a was changed meanwhile by somebody else: it is at version 1-0, and the manifest was made from another',
      'Node/node-a was removed meanwhile by somebody else',
      'Node/node-a was created meanwhile by somebody else',
    ]);
  });

  test('a store that is not right says nothing of sessions', () => {
    const wrong = manifest('BGPPeer', 'odd', { peerIP: 'x', asNumber: 1 });
    const file = { name: 'file:x', isForNodes: false };
    const kept = planApply(stored(...CLUSTER, wrong), documents(node('e', '192.168.1.15/24')), file);
    expect(changeLines(kept)).toEqual([
      'created Node/node-e',
      'not everything in the store is right: agents keep what is in force until it is',
    ]);
    const mended = planRemoval(stored(...CLUSTER, wrong), [{ kind: 'BGPPeer', name: 'odd' }], file);
    expect(changeLines(mended)[1]).toContain('not everything in the store was right');
  });
});
