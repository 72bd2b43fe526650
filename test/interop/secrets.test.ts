/**
 * Passwords in Secrets of Kubernetes, mounted as folders, between two agents: taken from there, and rotated under
 * sessions that stay up (RFC 4808).
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AgentProcess } from '../support/agent-process.js';
import { configuration, node, peer, pool } from '../support/manifests.js';
import { Namespace } from '../support/netns.js';
import { SecretMount } from '../support/secret-mount.js';
import { until } from '../support/until.js';

const HOLD_SECONDS = 3;
const PASSWORD = { secretKeyRef: { name: 'bgp-passwords', key: 'mesh', optional: false } };

const NODES = [
  pool(),
  node('a', '192.0.2.1/24', ['10.244.1.0/24']),
  node('b', '192.0.2.2/24', ['10.244.2.0/24']),
];
/** The session gives up a silent peer quickly, so that keys which do not agree are seen quickly. */
const PAIR = [
  ...NODES,
  configuration({ nodeToNodeMeshEnabled: false }),
  peer('pair', { peerSelector: 'all()', password: PASSWORD, holdTime: `${HOLD_SECONDS}s` }),
].join('\n---\n');
const MESH = [...NODES, configuration({ nodeMeshPassword: PASSWORD })].join('\n---\n');

/** One machine with its own copy of the Secret. */
class Member {
  readonly agent: AgentProcess;
  readonly mounts: string;
  readonly secret: SecretMount;

  constructor(namespace: Namespace, folder: string, name: string) {
    mkdirSync(folder);
    this.mounts = join(folder, 'secrets');
    this.secret = new SecretMount(this.mounts, 'bgp-passwords', 'mesh');
    this.agent = new AgentProcess(namespace, folder, name, ['--dataplane', 'off', '--secrets', this.mounts]);
  }

  /** Its one peer. */
  async peer() {
    const [only] = await this.agent.peers();
    if (only === undefined) throw new Error('there is no peer');
    return only;
  }

  /** How often the log says it. */
  logged(text: string): number {
    return this.agent.log().split(text).length - 1;
  }
}

const TAKEN_OVER = 'the key of the peer changed; its session goes on';

describe('a password in a Secret of Kubernetes, between two agents', () => {
  let folder: string;
  let machines: readonly Namespace[] = [];
  let members: readonly [Member, Member];

  const established = () =>
    until('both ends are established', async () =>
      (await Promise.all(members.map((member) => member.peer()))).every(
        ({ state }) => state === 'Established',
      ),
    );
  const bothHave = (resources: string) => {
    for (const { agent } of members) agent.configure(resources);
  };
  /** Both ends get `value`, and say so. */
  async function rotateBoth(value: string): Promise<void> {
    const before = members.map((member) => member.logged(TAKEN_OVER));
    for (const member of members) member.secret.rotate(value);
    await until('both have taken the key over', () =>
      members.every((member, index) => member.logged(TAKEN_OVER) > (before[index] ?? 0)),
    );
  }

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'podroute-secrets-'));
    machines = Namespace.linked('secrets', ['192.0.2.1/24'], ['192.0.2.2/24']);
    const [left, right] = machines;
    if (left === undefined || right === undefined) throw new Error('two were made');
    members = [new Member(left, join(folder, 'a'), 'node-a'), new Member(right, join(folder, 'b'), 'node-b')];
    bothHave(PAIR);
    for (const member of members) member.secret.rotate('first-key\n');
    await Promise.all(members.map(({ agent }) => agent.start()));
    await established();
  });

  afterAll(async () => {
    for (const machine of machines) await machine.remove();
    rmSync(folder, { recursive: true });
  });

  test('a rotated key is taken over by the session, which lives past its hold time', async () => {
    const [before] = await Promise.all(members.map((member) => member.peer()));
    await rotateBoth('second-key\n');
    // What arrives from now on arrives under the new key; more keepalives than the hold time lets go missing.
    await until('keepalives have come for longer than the hold time', async () => {
      const { counters } = await members[0].peer();
      return counters.messagesIn >= (before?.counters.messagesIn ?? 0) + HOLD_SECONDS + 2;
    });
    for (const member of members) {
      expect(await member.peer()).toMatchObject({ state: 'Established', counters: { flaps: 0 } });
    }
  });

  test('a key that only one end has ends the session, and the other end brings it back', async () => {
    members[0].secret.rotate('third-key\n');
    await until('the session is down', async () => (await members[0].peer()).state !== 'Established');
    members[1].secret.rotate('third-key\n');
    await established();
  });

  test('a key that goes stays in force and is shown; one that comes back is taken', async () => {
    const { flaps } = (await members[0].peer()).counters;
    members[0].secret.remove();
    const { configErrors } = await until('it is shown', async () => {
      const status = await members[0].agent.status();
      return status.configErrors.length > 0 && status;
    });
    expect(configErrors).toEqual([
      `the password in ${members[0].secret.path}, key mesh of Secret bgp-passwords, is not there: create the file`,
    ]);
    expect(await members[0].peer()).toMatchObject({ state: 'Established', counters: { flaps } });
    members[0].secret.rotate('third-key\n');
    await until('it is gone', async () => (await members[0].agent.status()).configErrors.length === 0);
    expect(await members[0].peer()).toMatchObject({ state: 'Established', counters: { flaps } });
  });

  test('a configuration that was refused for a missing key is taken once the key is there', async () => {
    const later = { secretKeyRef: { name: 'later', key: 'tor' } };
    const tor = peer('tor', { node: 'node-a', peerIP: '192.0.2.9', asNumber: 65001, password: later });
    members[0].agent.configure([PAIR, tor].join('\n---\n'));
    await until('it is refused', async () => (await members[0].agent.status()).configErrors.length > 0);
    const secret = join(members[0].mounts, 'later');
    mkdirSync(secret);
    writeFileSync(join(secret, 'tor'), 'a-key-that-came-late');
    await until('it is in force', async () =>
      (await members[0].agent.peers()).some(({ name }) => name === 'peer/tor'),
    );
    expect((await members[0].agent.status()).configErrors).toEqual([]);
    members[0].agent.configure(PAIR);
    await until('it is gone', async () => (await members[0].agent.peers()).length === 1);
  });

  test('the mesh has its password from there too', async () => {
    bothHave(MESH);
    await until('the mesh is established', async () => {
      const peers = await Promise.all(members.map((member) => member.peer()));
      return peers.every(({ name, state }) => name.startsWith('mesh/') && state === 'Established');
    });
    // The peer of the mesh is the one that it was under another name, with all that befell it.
    const flaps = () => Promise.all(members.map(async (member) => (await member.peer()).counters.flaps));
    const before = await flaps();
    await rotateBoth('fourth-key\n');
    expect(await flaps()).toEqual(before);
  });

  test('no key is in a log or in what the API says', async () => {
    for (const { agent } of members) {
      const said = agent.log() + JSON.stringify([await agent.peers(), await agent.status()]);
      expect(said).toContain('a password was changed where it is kept');
      expect(said).not.toMatch(/(first|second|third|fourth)-key|a-key-that-came-late/);
    }
  });
});
