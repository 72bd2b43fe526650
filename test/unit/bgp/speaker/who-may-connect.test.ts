/**
 * Who may connect, how often, and what is told of those who may not: speakers over memory and virtual time.
 */
import { describe, expect, test } from 'vitest';
import { formatIpAddress, type IpAddress, ipv4 } from '../../../../bgp/net/index.js';
import type { ByteStream, DynamicPeerRange, KernelDrops, PeerStatus } from '../../../../bgp/speaker/index.js';
import { hopOptions } from '../../../../bgp/speaker/protection.js';
import { address4, prefix } from '../../../support/addresses.js';
import { type Member, MemoryMesh, peerConfig } from '../../../support/memory-mesh.js';

const SECOND = 1000;

function peer(member: Member, id: string): PeerStatus | undefined {
  return member.speaker.peers().find(({ config }) => config.id === id);
}

/** Connects and says nothing, `times` times in a row; `onData` counts what was said to it. */
function connectInALoop(
  mesh: MemoryMesh,
  from: IpAddress,
  to: Member,
  times: number,
): { readonly heard: number } {
  const seen = { heard: 0 };
  const transport = mesh.network.transportOf(from);
  for (let count = 0; count < times; count += 1) {
    transport.dial(
      { remote: to.address, port: 179, timeoutMs: SECOND },
      {
        onConnected: (stream: ByteStream) => {
          stream.attach({
            onData: () => {
              seen.heard += 1;
            },
            onDrain: () => {},
            onClose: () => {},
          });
          mesh.clock.setTimer(1, () => stream.destroy());
        },
        onFailed: () => {},
      },
    );
    mesh.clock.advance(5);
  }
  return seen;
}

describe('somebody who opens and closes in a loop', () => {
  test('a peer: a few connections are looked at, the log has a few lines, another session lives', async () => {
    const mesh = new MemoryMesh();
    const a = await mesh.member({ address: '192.168.1.11' });
    const b = await mesh.member({ address: '192.168.1.12' });
    const looper = address4('192.168.1.66');
    a.speaker.setPeers([peerConfig(a, b), peerConfig(a, { address: looper }, { dial: 'never' })]);
    b.speaker.setPeers([peerConfig(b, a)]);
    mesh.clock.advance(5 * SECOND);
    const before = a.log.length;
    const { heard } = connectInALoop(mesh, looper, a, 2_000);
    // 20 at once and one a second, for ten seconds.
    expect(heard).toBeGreaterThan(0);
    expect(heard).toBeLessThanOrEqual(31);
    const lines = a.log.slice(before).filter(({ level }) => level >= 30);
    expect(lines.length).toBeLessThan(15);
    expect(lines.some(({ msg }) => msg.startsWith('too many connections'))).toBe(true);
    expect(peer(a, '192.168.1.12')).toMatchObject({ state: 'Established', flaps: 0 });
  });

  test('and has a session again as soon as it behaves', async () => {
    const mesh = new MemoryMesh();
    const a = await mesh.member({ address: '192.168.1.11' });
    const b = await mesh.member({ address: '192.168.1.12' });
    a.speaker.setPeers([peerConfig(a, b, { dial: 'never' })]);
    connectInALoop(mesh, b.address, a, 2_000);
    b.speaker.setPeers([peerConfig(b, a)]);
    mesh.clock.advance(60 * SECOND);
    expect(peer(a, '192.168.1.12')?.state).toBe('Established');
  });

  test('a thousand strangers who talk nonsense: as many lines as the bound says, and how many it left out', async () => {
    const mesh = new MemoryMesh();
    const a = await mesh.member({ address: '192.168.1.11' });
    for (let index = 0; index < 1_000; index += 1) {
      mesh.network.transportOf(ipv4(0x0a000000 + index)).dial(
        { remote: a.address, port: 179, timeoutMs: SECOND },
        {
          onConnected: (stream) => {
            stream.attach({ onData: () => {}, onDrain: () => {}, onClose: () => {} });
            stream.write(Buffer.alloc(19));
          },
          onFailed: () => {},
        },
      );
      mesh.clock.advance(100);
    }
    const lines = a.log.filter(({ msg }) => msg.startsWith('a stranger'));
    // 20 a minute, for 100 seconds.
    expect(lines).toHaveLength(40);
    expect(a.log.find(({ strangers }) => strangers !== undefined)?.['strangers']).toBeGreaterThan(500);
  });
});

describe('dynamic neighbours', () => {
  const NET = prefix('192.168.1.0/24');

  function range(overrides: Partial<DynamicPeerRange> = {}): DynamicPeerRange {
    const template = {
      port: 179,
      localAs: 64512,
      place: 'outside',
      holdTimeSeconds: 90,
      connectRetrySeconds: 5,
      restartTimeSeconds: 120,
      families: ['ipv4', 'ipv6'],
    } as const;
    return { name: 'rack', prefix: NET, asn: 64512, limit: 10, template, ...overrides };
  }

  async function hubAnd(count: number, asn = 64512) {
    const mesh = new MemoryMesh();
    const hub = await mesh.member({ address: '192.168.1.11' });
    const spokes: Member[] = [];
    for (let index = 0; index < count; index += 1) {
      const address = `192.168.1.${20 + index}`;
      const spoke = await mesh.member({ address, asn, blocks: [`10.244.${20 + index}.0/24`] });
      spoke.speaker.setPeers([peerConfig(spoke, hub, { localAs: asn, dial: 'now' })]);
      spokes.push(spoke);
    }
    return { mesh, hub, spokes };
  }

  const established = (hub: Member) =>
    hub.speaker
      .peers()
      .filter(({ state }) => state === 'Established')
      .map(({ config }) => config.id);

  test('whoever connects from the range is a peer, and is never dialled', async () => {
    const { mesh, hub } = await hubAnd(2);
    hub.speaker.setDynamicPeers([range()]);
    mesh.clock.advance(20 * SECOND);
    expect(established(hub)).toEqual(['dynamic/rack/192.168.1.20', 'dynamic/rack/192.168.1.21']);
    expect(hub.speaker.peers()[0]?.session?.direction).toBe('incoming');
    expect(hub.speaker.peers()[0]?.config.dial).toBe('never');
  });

  test('external: any AS but our own, learnt from its OPEN', async () => {
    const { mesh, hub } = await hubAnd(1, 65007);
    hub.speaker.setDynamicPeers([range({ asn: 'external' })]);
    mesh.clock.advance(20 * SECOND);
    expect(established(hub)).toEqual(['dynamic/rack/192.168.1.20']);
    expect(hub.speaker.peers()[0]?.session).toMatchObject({ peerAs: 65007, peerType: 'ebgp' });
  });

  test('external: our own AS is a stranger', async () => {
    const { mesh, hub } = await hubAnd(1);
    hub.speaker.setDynamicPeers([range({ asn: 'external' })]);
    mesh.clock.advance(20 * SECOND);
    expect(hub.speaker.peers()).toEqual([]);
    expect(hub.log.some(({ msg }) => msg.startsWith('a stranger'))).toBe(true);
  });

  test('a number: another AS is refused by the FSM, with both numbers in words', async () => {
    const { mesh, hub } = await hubAnd(1, 65007);
    hub.speaker.setDynamicPeers([range({ asn: 65008 })]);
    mesh.clock.advance(20 * SECOND);
    expect(hub.speaker.peers()[0]?.lastError?.text).toMatch(/65007.*65008/);
  });

  test('no more than the limit; the line that it is full comes once', async () => {
    const { mesh, hub } = await hubAnd(4);
    hub.speaker.setDynamicPeers([range({ limit: 2 })]);
    mesh.clock.advance(50 * SECOND);
    expect(hub.speaker.peers()).toHaveLength(2);
    expect(hub.log.filter(({ msg }) => msg.startsWith('the range of dynamic peers is full'))).toHaveLength(1);
  });

  test('one that is gone is forgotten, after its routes had their restart time', async () => {
    const { mesh, hub, spokes } = await hubAnd(1);
    hub.speaker.setDynamicPeers([range()]);
    mesh.clock.advance(20 * SECOND);
    await spokes[0]?.speaker.stop();
    mesh.clock.advance(110 * SECOND);
    expect(hub.speaker.peers()).toHaveLength(1);
    expect([...hub.speaker.rib.bestRoutes()]).toHaveLength(1);
    mesh.clock.advance(30 * SECOND);
    expect(hub.speaker.peers()).toEqual([]);
    expect([...hub.speaker.rib.bestRoutes()]).toEqual([]);
  });

  test('a range that goes takes its peers along; another one is left alone', async () => {
    const { mesh, hub } = await hubAnd(2);
    const [first, second] = ['192.168.1.20/32', '192.168.1.21/32'].map((text, index) =>
      range({ name: `one${index}`, prefix: prefix(text) }),
    ) as [DynamicPeerRange, DynamicPeerRange];
    hub.speaker.setDynamicPeers([first, second]);
    mesh.clock.advance(20 * SECOND);
    hub.speaker.setDynamicPeers([second]);
    expect(hub.speaker.peers().map(({ config, flaps }) => [config.id, flaps])).toEqual([
      ['dynamic/one1/192.168.1.21', 0],
    ]);
  });

  test('setPeers leaves them alone, except for an address that it names itself', async () => {
    const { mesh, hub, spokes } = await hubAnd(2);
    hub.speaker.setDynamicPeers([range()]);
    mesh.clock.advance(20 * SECOND);
    const named = spokes[0] as Member;
    hub.speaker.setPeers([peerConfig(hub, named)]);
    mesh.clock.advance(30 * SECOND);
    expect(established(hub)).toEqual(['dynamic/rack/192.168.1.21', formatIpAddress(named.address)]);
  });
});

describe('a peer that is waited for and does not come (RFC 2385)', () => {
  const NONE: KernelDrops = { keyMissing: 0, keyUnexpected: 0, keyWrong: 0, ttlTooLow: 0 };

  async function waitingFor(password: string | undefined, dropped: Partial<KernelDrops>) {
    const mesh = new MemoryMesh();
    mesh.network.drops = NONE;
    const a = await mesh.member({ address: '192.168.1.11' });
    const other = { address: address4('192.168.1.12') };
    a.speaker.setPeers([
      peerConfig(a, other, { dial: 'never', ...(password === undefined ? {} : { password }) }),
    ]);
    mesh.network.drops = { ...NONE, ...dropped };
    mesh.clock.advance(60 * SECOND);
    return { text: peer(a, '192.168.1.12')?.lastError?.text, log: a.log };
  }

  test.each([
    ['a wrong key', 'secret', { keyWrong: 3 }, /its key may differ/],
    ['no key', 'secret', { keyMissing: 3 }, /it may have no key/],
    ['a key where none is set', undefined, { keyUnexpected: 3 }, /none is set here/],
  ])('%s is told from silence, in one line', async (_name, password, dropped, expected) => {
    const { text, log } = await waitingFor(password, dropped);
    expect(text).toMatch(expected);
    expect(log.filter(({ msg }) => msg === 'no session yet')).toHaveLength(1);
  });

  test('is told when it happens, not for ever after', async () => {
    const mesh = new MemoryMesh();
    mesh.network.drops = NONE;
    const a = await mesh.member({ address: '192.168.1.11' });
    const other = { address: address4('192.168.1.12') };
    a.speaker.setPeers([peerConfig(a, other, { dial: 'never', password: 'secret' })]);
    mesh.network.drops = { ...NONE, keyWrong: 1 };
    mesh.clock.advance(15 * SECOND);
    const { lastError } = peer(a, '192.168.1.12') ?? {};
    expect(lastError).toBeDefined();
    mesh.clock.advance(60 * SECOND);
    expect(peer(a, '192.168.1.12')?.lastError).toEqual(lastError);
  });

  test('silence alone is no error', async () => {
    expect((await waitingFor('secret', { ttlTooLow: 9 })).text).toBeUndefined();
  });
});

describe('the settings of a peer as TTLs', () => {
  test.each([
    ['nothing asked for', {}, {}],
    ['directly connected', { ttlSecurityHops: 1 }, { ttl: 255, minTtl: 255 }],
    ['at most 3 hops', { ttlSecurityHops: 3 }, { ttl: 255, minTtl: 253 }],
    ['multihop', { multihopTtl: 4 }, { ttl: 4 }],
    ['TTL security needs 255', { ttlSecurityHops: 2, multihopTtl: 4 }, { ttl: 255, minTtl: 254 }],
  ])('RFC 5082 section 3: %s', (_name, settings, expected) => {
    expect(hopOptions(settings)).toEqual(expected);
  });
});
