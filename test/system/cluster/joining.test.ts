/**
 * Fresh machines that are given a name and a Redis: each finds its address, enters itself, has a pod subnet, and is in the
 * mesh. Real agents, a real Redis, the kernel's own routes.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { manifest, pool } from '../../support/manifests.js';
import { StoreMesh } from '../../support/store-mesh.js';
import { until } from '../../support/until.js';

describe('machines that join by themselves', () => {
  let mesh: StoreMesh;
  const stored = (kind: string, name: string) =>
    JSON.parse(mesh.podroute('a', ['get', kind, name, '-o', 'json']).stdout);

  beforeAll(async () => {
    mesh = new StoreMesh(['a', 'b', 'c', 'd'], ['--node-timeout', '10'], {
      d: ['--ip', 'can-reach=192.0.2.1'],
    });
    // As on any machine with containers: an address that comes first, and is nobody's to reach.
    mesh
      .node('a')
      .machine.ipBatch([
        'link add docker0 type bridge',
        'address add 172.17.0.1/16 dev docker0',
        'link set docker0 up',
      ]);
    await mesh.redis.start();
  });
  afterAll(() => mesh?.remove());

  test('into an empty store: they are entered, and have subnets as soon as there is a pool', async () => {
    await mesh.start('a', 'b');
    expect(await mesh.subnetsOf('a')).toEqual([]);
    expect((await mesh.node('a').agent.status()).alarms.map(({ text }) => text).join()).toContain('IPPool');
    mesh.apply(pool());
    await mesh.agreed('once there is a pool');
    expect((await mesh.node('a').agent.status()).alarms).toEqual([]);
  });

  test('one more joins a mesh that runs; what it chose is told, with the others', async () => {
    await mesh.start('c');
    await mesh.agreed('with a third');
    const { cluster } = await mesh.node('a').agent.status();
    expect(cluster?.address).toMatchObject({ address: '192.0.2.1/24', interface: 'eth0' });
    expect(cluster?.alternatives.map(({ address }) => address)).toContain('172.17.0.1/16');
    expect(mesh.node('a').agent.log()).toContain('not 172.17.0.1/16 of docker0');
  });

  test('the tunnel address is that of the own subnet, and is recorded', async () => {
    const [subnet = ''] = await mesh.subnetsOf('c');
    const { spec } = stored('node', 'c');
    expect(spec.bgp).toEqual({
      ipv4Address: '192.0.2.3/24',
      ipv4IPIPTunnelAddr: subnet.replace(/\/\d+$/, ''),
    });
  });

  test('labels and an AS number written by an operator stay, and apply live', async () => {
    const { metadata, ...node } = stored('node', 'c');
    mesh.apply(JSON.stringify({ ...node, metadata: { ...metadata, labels: { rack: 'r3' } } }));
    mesh.apply(
      manifest('BGPPeer', 'tor', { nodeSelector: "rack == 'r3'", peerIP: '192.0.2.77', asNumber: 65001 }),
    );
    await until('the labelled node has the peer', async () =>
      (await mesh.node('c').agent.peers()).some(({ name }) => name === 'peer/tor'),
    );
    await mesh.agreed('after an operator has written');
  });

  test('its address changes: all follow without a restart, and its subnet stays', async () => {
    const before = await mesh.subnetsOf('b');
    const { machine } = mesh.node('b');
    machine.ip('address', 'delete', '192.0.2.2/24', 'dev', 'eth0');
    machine.ip('address', 'add', '192.0.2.22/24', 'dev', 'eth0');
    const [subnet = ''] = before;
    await until(
      'the others go by the new address',
      async () => {
        const all = await Promise.all(
          ['a', 'c'].map((name) => mesh.node(name).agent.hasRoute(subnet, '192.0.2.22')),
        );
        return all.every(Boolean);
      },
      60_000,
    );
    expect(await mesh.subnetsOf('b')).toEqual(before);
    machine.ip('address', 'delete', '192.0.2.22/24', 'dev', 'eth0');
    machine.ip('address', 'add', '192.0.2.2/24', 'dev', 'eth0');
    await mesh.agreed('when the address is back');
  });

  test('a name that is in use is refused, and the one who has it says so', async () => {
    const run = mesh.podroute('d', [
      'agent',
      '--node-name',
      'a',
      '--api',
      'unix:/run/podroute-none.sock',
      '--dataplane',
      'off',
    ]);
    expect(run.stderr).toContain('another machine (192.0.2.1) is called a and its agent lives');
    expect(run.status).toBe(2);
    await until('the other one says so', async () =>
      (await mesh.node('a').agent.status()).alarms.some(({ text }) =>
        text.startsWith('another machine (192.0.2.4) calls itself a too'),
      ),
    );
  });

  test('a machine where the method finds no address is refused, and told what there is', () => {
    const flags = ['--node-name', 'd', '--ip', 'cidr=10.99.0.0/16', '--dataplane', 'off'];
    const run = mesh.podroute('d', ['agent', ...flags, '--api', 'unix:/run/podroute-none.sock']);
    expect(run.stderr).toMatch(
      /no address of this node was found by cidr: there is .*192\.0\.2\.4\/24 of eth0/,
    );
    expect(run.status).toBe(2);
  });

  test('an address that is in use is refused with the remedy, and the one who has it says so', async () => {
    mesh.node('d').machine.ip('address', 'add', '192.0.2.3/32', 'dev', 'lo');
    const run = mesh.podroute('d', [
      'agent',
      '--node-name',
      'd',
      '--ip',
      '192.0.2.3/32',
      '--api',
      'unix:/run/podroute-none.sock',
      '--dataplane',
      'off',
    ]);
    expect(run.stderr).toContain(
      '192.0.2.3 is the address of Node/c already, so that Node/d cannot be entered with it',
    );
    expect(run.status).toBe(2);
    await until('the other one says so', async () =>
      (await mesh.node('c').agent.status()).alarms.some(({ text }) =>
        text.startsWith('another machine, which calls itself d, has the address 192.0.2.3'),
      ),
    );
    mesh.node('d').machine.ip('address', 'delete', '192.0.2.3/32', 'dev', 'lo');
  });

  test('one that is stopped for good leaves the mesh, keeps its subnet reserved, and comes back with it', async () => {
    const before = await mesh.subnetsOf('c');
    await mesh.stop('c');
    await until(
      'the others have let it go',
      async () => {
        const { cluster } = await mesh.node('a').agent.status();
        return cluster?.gone.join() === 'c';
      },
      60_000,
    );
    expect((await mesh.node('a').agent.peers()).map(({ name }) => name)).toEqual(['mesh/b']);
    await mesh.start('d');
    expect(await mesh.subnetsOf('d')).not.toEqual(before);
    const { cluster } = await mesh.node('d').agent.status();
    expect(cluster?.address).toMatchObject({ reason: 'the source towards 192.0.2.1' });
    await mesh.start('c');
    expect(await mesh.subnetsOf('c')).toEqual(before);
    await mesh.agreed('when it is back');
  });
});
