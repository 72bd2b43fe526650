/** A node in a cluster that nodes enter themselves into: entering, names, addresses, silence, a store that goes away. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BEAT_MS, type EnteringNode, EntryCluster, TIMEOUT_MS } from '../../../support/entry.js';
import { must } from '../../../support/machine.js';

describe('a node that enters itself', () => {
  let cluster: EntryCluster;

  const start = (name: string, address: string): Promise<EnteringNode> => cluster.node(name, address).start();
  const stored = async (kind: string, name: string) =>
    (await cluster.store.client().list()).find((one) => one.kind === kind && one.name === name)?.manifest as
      | { metadata: object; spec: { bgp?: object } }
      | undefined;
  const AWAY = { state: 'unreachable', reason: 'it does not answer' } as const;

  beforeEach(async () => {
    cluster = new EntryCluster();
    await cluster.apply('IPPool', 'pods', { cidr: '10.244.0.0/16', blockSize: 24 });
  });

  afterEach(() => cluster.stop());

  test('has a Node, a pod subnet and a tunnel address, and what it goes by has them from the start', async () => {
    const a = await start('a', '192.168.1.11');
    expect(a.nodes).toEqual(['a']);
    expect(a.blocks).toEqual(['10.244.0.0/24']);
    expect((await stored('Node', 'a'))?.spec.bgp).toEqual({
      ipv4Address: '192.168.1.11/24',
      ipv4IPIPTunnelAddr: '10.244.0.0',
    });
  });

  test('the next one has the next subnet, and both see both', async () => {
    const a = await start('a', '192.168.1.11');
    const b = await start('b', '192.168.2.12');
    await cluster.settle();
    expect(b.blocks).toEqual(['10.244.1.0/24']);
    expect(a.nodes).toEqual(['a', 'b']);
    expect(a.resources.blocks).toEqual(b.resources.blocks);
  });

  test('what operators have written of it stays', async () => {
    await cluster.apply('Node', 'a', { bgp: { asNumber: 64999 } }, { labels: { rack: 'r1' } });
    await start('a', '192.168.1.11');
    const node = await stored('Node', 'a');
    expect(node?.metadata).toEqual({ name: 'a', labels: { rack: 'r1' } });
    expect(node?.spec.bgp).toMatchObject({ asNumber: 64999, ipv4Address: '192.168.1.11/24' });
  });

  test('without a pool it is entered, says what it lacks, and claims as soon as there is one', async () => {
    await cluster.remove('IPPool', 'pods');
    const a = await start('a', '192.168.1.11');
    expect(a.blocks).toEqual([]);
    expect(a.alarmTexts.join()).toContain('IPPool');
    await cluster.apply('IPPool', 'pods', { cidr: '10.245.0.0/16', blockSize: 24 });
    expect(a.blocks).toEqual(['10.245.0.0/24']);
    expect(a.alarmTexts).toEqual([]);
  });

  test('a restart finds the same, and writes nothing', async () => {
    const a = await start('a', '192.168.1.11');
    await a.entry.stop();
    const { revision } = cluster.store;
    const again = await start('a', '192.168.1.11');
    expect(again.blocks).toEqual(a.blocks);
    expect(cluster.store.revision).toBe(revision);
  });

  test('an address that another node has is refused with the remedy, nothing is written, and both say so', async () => {
    const a = await start('a', '192.168.1.11');
    await expect(start('b', '192.168.1.11')).rejects.toThrow(
      '192.168.1.11 is the address of Node/a already, so that Node/b cannot be entered with it',
    );
    expect(await stored('Node', 'b')).toBeUndefined();
    await cluster.pass(BEAT_MS);
    expect(a.alarmTexts).toEqual([
      'another machine, which calls itself b, has the address 192.168.1.11 of this one too; give each machine its own',
    ]);
    await cluster.pass(4 * BEAT_MS);
    expect(a.alarmTexts).toEqual([]);
  });

  test('a machine without an address is refused', async () => {
    const node = cluster.node('a', '192.168.1.11');
    node.address = undefined;
    await expect(node.start()).rejects.toThrow('no address of this node was found');
  });

  describe('its name', () => {
    test('is refused to another machine while it lives, and both say so', async () => {
      const a = await start('a', '192.168.1.11');
      const refused = expect(start('a', '192.168.1.99')).rejects.toThrow(
        'another machine (192.168.1.11) is called a and its agent lives',
      );
      await cluster.pass(2 * BEAT_MS);
      await refused;
      expect(a.alarmTexts).toEqual([
        'another machine (192.168.1.99) calls itself a too and is kept out; start it with another --node-name',
      ]);
      expect(a.addressOf('a')).toBe('192.168.1.11');
    });

    test('is free again soon after it fell silent: a machine made anew may have another address', async () => {
      const a = await start('a', '192.168.1.11');
      await a.entry.stop();
      const starting = start('a', '192.168.1.99');
      await cluster.pass(4 * BEAT_MS);
      const again = await starting;
      expect(again.addressOf('a')).toBe('192.168.1.99');
      expect(again.blocks).toEqual(a.blocks);
    });

    test('taken while it was cut off: it keeps its sessions, announces nothing, and says so', async () => {
      const a = await start('a', '192.168.1.11');
      await start('b', '192.168.1.12');
      a.client.fail(AWAY);
      await cluster.pass(4 * BEAT_MS);
      const other = await start('a', '192.168.1.99');
      a.client.fail(undefined);
      await cluster.pass(2 * BEAT_MS);
      expect(a.blocks).toEqual([]);
      expect(a.nodes).toEqual(['a', 'b']);
      expect(a.alarmTexts.join()).toContain('another machine (192.168.1.99) is called a');
      expect(other.blocks).toEqual(['10.244.0.0/24']);
      // When the other one has gone, it is itself again.
      await other.entry.stop();
      await cluster.pass(6 * BEAT_MS);
      expect(a.addressOf('a')).toBe('192.168.1.11');
      expect(a.blocks).toEqual(['10.244.0.0/24']);
    });
  });

  test('its address changes: followed without an event too, and told to all', async () => {
    const a = await start('a', '192.168.1.11');
    const b = await start('b', '192.168.1.12');
    a.address = '192.168.1.21';
    a.entry.addressesChanged();
    await cluster.settle();
    expect(b.addressOf('a')).toBe('192.168.1.21');
    a.address = '192.168.1.31';
    await cluster.pass(2 * BEAT_MS);
    expect(b.addressOf('a')).toBe('192.168.1.31');
    // Away for a moment is no change.
    a.address = undefined;
    await cluster.pass(2 * BEAT_MS);
    expect(b.addressOf('a')).toBe('192.168.1.31');
    expect(a.blocks).toEqual(['10.244.0.0/24']);
  });

  test('its Node and its subnet, removed by somebody, are entered again as they were', async () => {
    const a = await start('a', '192.168.1.11');
    await start('b', '192.168.1.12');
    await cluster.remove('Node', 'a');
    await cluster.remove('BlockAffinity', '10-244-0-0-24');
    await cluster.pass(2 * BEAT_MS);
    expect(a.addressOf('a')).toBe('192.168.1.11');
    expect(a.blocks).toEqual(['10.244.0.0/24']);
  });

  test('a later Node with its address is left out by all, and is an alarm on both', async () => {
    const a = await start('a', '192.168.1.11');
    const b = await start('b', '192.168.1.12');
    await cluster.apply('Node', 'c', { bgp: { ipv4Address: '192.168.1.11/24' } });
    expect(a.nodes).toEqual(['a', 'b']);
    expect(b.alarmTexts.join()).toContain(
      'Node/c spec.bgp.ipv4Address: 192.168.1.11 is the address of Node/a',
    );
    expect(a.alarmTexts).toEqual(b.alarmTexts);
  });

  describe('others that fall silent', () => {
    test('leave the mesh after the timeout, keep their subnet, and come back with the next sign', async () => {
      const a = await start('a', '192.168.1.11');
      const b = await start('b', '192.168.1.12');
      await b.entry.stop();
      await cluster.pass(TIMEOUT_MS - 3 * BEAT_MS);
      expect(a.nodes).toEqual(['a', 'b']);
      await cluster.pass(5 * BEAT_MS);
      expect(a.nodes).toEqual(['a']);
      expect([...a.entry.status().presence.gone]).toEqual(['b']);
      const c = await start('c', '192.168.1.13');
      expect(c.blocks).toEqual(['10.244.2.0/24']);
      const again = await start('b', '192.168.1.12');
      await cluster.pass(2 * BEAT_MS);
      expect(a.nodes).toEqual(['a', 'b', 'c']);
      expect(again.blocks).toEqual(['10.244.1.0/24']);
    });

    test('stay as long as BGP shows that they live', async () => {
      const a = await start('a', '192.168.1.11');
      const b = await start('b', '192.168.1.12');
      a.proven.add('b');
      b.client.fail(AWAY);
      await cluster.pass(3 * TIMEOUT_MS);
      expect(a.nodes).toEqual(['a', 'b']);
      expect([...a.entry.status().presence.silent]).toEqual(['b']);
      a.proven.delete('b');
      await cluster.pass(2 * BEAT_MS);
      expect(a.nodes).toEqual(['a']);
    });

    test('stay where they were written by hand and never gave a sign', async () => {
      await cluster.apply('Node', 'bird', { bgp: { ipv4Address: '192.168.1.50/24' } });
      const a = await start('a', '192.168.1.11');
      await cluster.pass(3 * TIMEOUT_MS);
      expect(a.nodes).toEqual(['a', 'bird']);
    });

    test('are not judged by the time in which the store was away for everybody', async () => {
      const a = await start('a', '192.168.1.11');
      const b = await start('b', '192.168.1.12');
      cluster.store.fail(AWAY);
      await cluster.pass(3 * TIMEOUT_MS);
      expect(a.nodes).toEqual(['a', 'b']);
      a.client.fail(undefined);
      await cluster.pass(TIMEOUT_MS - 3 * BEAT_MS);
      expect(a.nodes).toEqual(['a', 'b']);
      await cluster.pass(5 * BEAT_MS);
      expect(a.nodes).toEqual(['a']);
      b.client.fail(undefined);
      await cluster.pass(2 * BEAT_MS);
      expect(a.nodes).toEqual(['a', 'b']);
    });

    test('are not judged by the time in which it took no signs either', async () => {
      const a = await start('a', '192.168.1.11');
      const b = await start('b', '192.168.1.12');
      cluster.store.fail({ state: 'refusing', reason: 'it is full' });
      await cluster.pass(2 * TIMEOUT_MS);
      a.client.fail(undefined);
      await cluster.pass(TIMEOUT_MS - 3 * BEAT_MS);
      expect(a.nodes).toEqual(['a', 'b']);
      b.client.fail(undefined);
      await cluster.pass(4 * BEAT_MS);
      expect(a.nodes).toEqual(['a', 'b']);
    });

    test('are all back while the store is away: who returns then must not be turned off', async () => {
      const a = await start('a', '192.168.1.11');
      const b = await start('b', '192.168.1.12');
      await b.entry.stop();
      await cluster.pass(TIMEOUT_MS + 3 * BEAT_MS);
      expect(a.nodes).toEqual(['a']);
      a.client.fail(AWAY);
      await cluster.pass(2 * BEAT_MS);
      expect(a.nodes).toEqual(['a', 'b']);
    });
  });

  test('resources that have become wrong keep nobody from starting who was entered before', async () => {
    const a = await start('a', '192.168.1.11');
    const right = a.states.at(-1);
    await a.entry.stop();
    await cluster.apply('IPPool', 'rest', { cidr: '10.244.8.0/24' });
    /** As a store that has kept the last right state for its next start. */
    const client = cluster.store.client();
    const startNow = client.start.bind(client);
    client.start = async (follower) => {
      const now = await startNow(follower);
      queueMicrotask(() => follower.resourcesChanged(now));
      return must(right);
    };
    const again = await cluster.node('a', '192.168.1.11', client).start();
    expect(again.blocks).toEqual(['10.244.0.0/24']);
    expect(again.alarmTexts.join()).toContain('keep pools apart');
    await expect(start('b', '192.168.1.12')).resolves.toMatchObject({
      states: [{ errors: [expect.anything()] }],
    });
    await cluster.remove('IPPool', 'rest');
    await cluster.pass(2 * BEAT_MS);
    expect(again.alarmTexts).toEqual([]);
    expect(again.blocks).toEqual(['10.244.0.0/24']);
  });

  test('a store that is away at the start stops only who is not known in it', async () => {
    const a = await start('a', '192.168.1.11');
    await a.entry.stop();
    const refusing = { state: 'refusing', reason: 'it is read-only' } as const;
    const again = cluster.node('a', '192.168.1.11');
    again.client.fail(refusing);
    await again.start();
    expect(again.blocks).toEqual(['10.244.0.0/24']);
    const fresh = cluster.node('b', '192.168.1.12');
    fresh.client.fail(refusing);
    await expect(fresh.start()).rejects.toThrow(
      'Node/b is not entered yet, and cannot be: memory:test: it is read-only',
    );
    // And it goes on as ever when the store takes writes again.
    again.client.fail(undefined);
    await cluster.pass(2 * BEAT_MS);
    const third = await start('c', '192.168.1.13');
    expect(third.blocks).toEqual(['10.244.1.0/24']);
  });
});
