/**
 * Neighbours in bulk on the running kernel: a burst of news about machines that no route needs costs nothing. Needs
 * root, iproute2 and its `bridge`.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { forEachMessage } from '../../../ipip/kernel/codec.js';
import { NetlinkSocket } from '../../../ipip/kernel/socket.js';
import { inNamespace } from '../../lab/libc.js';
import { RealMachine } from '../../support/machine.js';
import { Namespace } from '../../support/netns.js';
import { changes, FACTS, learned, Plane } from '../../support/plane.js';
import { until } from '../../support/until.js';

const BURST = 10_000;

test(`${BURST} neighbours that come at once: no pass, no reading, no event lost`, async () => {
  const namespace = Namespace.create('podroute-neigh');
  const machine = new RealMachine(namespace);
  machine.addDevice('eth0', '192.168.1.11/24', '10.99.0.1/16');
  const plane = new Plane(machine);
  await plane.dataplane.start();
  plane.dataplane.setNode({ ...FACTS, pools: [] });
  plane.dataplane.applyChanges(changes(learned('10.244.2.0/24', '192.168.1.12')));
  await plane.dataplane.settled();
  const before = plane.dataplane.counters();
  const lines = Array.from({ length: BURST }, (_, index) => {
    const host = `10.99.${Math.floor(index / 250) + 1}.${(index % 250) + 1}`;
    return `neigh replace ${host} lladdr 02:00:00:00:00:01 dev eth0 nud permanent`;
  });
  const last = 'neigh replace 192.168.1.12 lladdr 02:00:00:00:00:12 dev eth0 nud permanent';
  const folder = mkdtempSync(join(tmpdir(), 'podroute-neigh-'));
  const batch = join(folder, 'batch');
  writeFileSync(batch, [...lines, last, ''].join('\n'));
  namespace.ip('-batch', batch);
  await until('the last of them is shown', () =>
    plane.route('10.244.2.0/24').nextHops.some(({ neighbour }) => neighbour === 'permanent'),
  );
  expect(plane.dataplane.counters()).toEqual(before);
  expect(plane.events.filter(({ kind }) => kind === 'eventsLost')).toEqual([]);
  rmSync(folder, { recursive: true });
  await plane.dataplane.stop();
  await machine.remove();
});

test('what a bridge learns of its ports is not even queued', async () => {
  const namespace = Namespace.create('podroute-fdb');
  const path = `/run/netns/${namespace.name}`;
  const RTMGRP_NEIGH = 4;
  const AF_INET = 2;
  // No socket has the port that is ignored beside it.
  const socket = inNamespace(
    path,
    () => new NetlinkSocket({ groups: RTMGRP_NEIGH, ignorePort: 0xffff_fff0 }),
  );
  namespace.ip('link', 'add', 'br0', 'type', 'bridge');
  namespace.ip('link', 'add', 'port0', 'type', 'veth', 'peer', 'name', 'eth0');
  namespace.ip('link', 'set', 'port0', 'master', 'br0', 'up');
  namespace.run('bridge', 'fdb', 'add', '02:00:00:00:00:01', 'dev', 'port0', 'master');
  namespace.run('bridge', 'fdb', 'delete', '02:00:00:00:00:01', 'dev', 'port0', 'master');
  namespace.ip('neigh', 'replace', '10.0.0.1', 'lladdr', '02:00:00:00:00:01', 'dev', 'br0');
  const families: number[] = [];
  const bytes = Buffer.alloc(65_536);
  for (let length = socket.receive(bytes); length !== undefined; length = socket.receive(bytes)) {
    forEachMessage(bytes, length, ({ body }) => families.push(bytes.readUInt8(body)));
  }
  expect(families.length).toBeGreaterThan(0);
  expect(new Set(families)).toEqual(new Set([AF_INET]));
  await socket.close();
  await namespace.remove();
});
