/**
 * TCP-MD5 (RFC 2385), TTL security (RFC 5082), multihop and who may connect, over the kernel's TCP: two speakers, a real BIRD 2, and a
 * router in between.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Bird } from '../support/bird.js';
import { Namespace } from '../support/netns.js';
import { buildSpeakerProgram, SpeakerProcess } from '../support/speaker-process.js';
import type { PeerText } from '../support/speaker-program.js';
import { until } from '../support/until.js';

/**
 *   left 192.0.2.1 --- middle 192.0.2.2, 198.51.100.2 --- right 198.51.100.1
 *        fd00:2::1            fd00:2::2, fd00:3::2              fd00:3::1
 *
 * BIRD runs in the middle, which also forwards. Left and middle are one hop apart, left and right two.
 */
const LEFT = { v4: '192.0.2.1', v6: 'fd00:2::1' };
const MIDDLE = { v4: '192.0.2.2', v6: 'fd00:2::2' };
const RIGHT = { v4: '198.51.100.1', v6: 'fd00:3::1' };
/** Another address of the left one. */
const LEFT_SECOND = '192.0.2.11';
const LEFT_AS = 64512;
const RIGHT_AS = 64513;
const BIRD_AS = 65001;

/**
 * A peering between the left speaker and BIRD. Each has addresses of its own, so that all stand side by side: we know a peer by its
 * address, and BIRD has one session with an address.
 */
interface BirdCase {
  readonly name: string;
  readonly bird: string;
  readonly left: string;
  readonly dials: 'we' | 'BIRD';
  /** In the words of BIRD's configuration. */
  readonly theirs: string;
  readonly ours: Pick<PeerText, 'password' | 'ttlSecurityHops' | 'zone'>;
  /** Up, or what we say of it. */
  readonly expected: 'up' | RegExp;
}

const KEY = 'password "secret";';
const GTSM = 'ttl security on;';
const TOO_FAR = /TTL 1, below the 255 of TTL security/;

const ROUTED_CASES: readonly BirdCase[] = (
  [
    ['RFC 2385 the right key', 'both', KEY, { password: 'secret' }, 'up'],
    ['RFC 2385 a wrong key', 'we', 'password "Secret";', { password: 'secret' }, /the key may differ/],
    ['RFC 2385 a wrong key', 'BIRD', 'password "Secret";', { password: 'secret' }, /its key may differ/],
    ['RFC 2385 BIRD has no key', 'we', '', { password: 'secret' }, /no answer.* key/],
    ['RFC 5082 TTL security on both sides', 'both', GTSM, { ttlSecurityHops: 1 }, 'up'],
    ['RFC 5082 BIRD sends a lower TTL', 'BIRD', '', { ttlSecurityHops: 1 }, TOO_FAR],
    ['both at once', 'both', KEY + GTSM, { password: 'secret', ttlSecurityHops: 1 }, 'up'],
  ] as const
)
  .flatMap(([name, dials, theirs, ours, expected]) =>
    (dials === 'both' ? (['we', 'BIRD'] as const) : [dials]).flatMap((who) =>
      (['192.0.2.', 'fd00:2::'] as const).map((net) => ({ name, dials: who, theirs, ours, expected, net })),
    ),
  )
  .map(({ net, ...row }, index) => ({ ...row, bird: `${net}${20 + index}`, left: `${net}${120 + index}` }));

/** RFC 4007: the same on addresses that say nothing without their device. */
const LINK_LOCAL_CASES: readonly BirdCase[] = (['we', 'BIRD'] as const).map((dials, index) => ({
  name: 'RFC 4007 link-local addresses, with a key',
  dials,
  theirs: KEY,
  ours: { password: 'secret', zone: 'eth0' },
  expected: 'up',
  bird: `fe80::${20 + index}`,
  left: `fe80::${120 + index}`,
}));

const BIRD_CASES = [...ROUTED_CASES, ...LINK_LOCAL_CASES];

function birdConf(): string {
  const protocols = BIRD_CASES.map(
    ({ bird, left: ours, dials, theirs }, index) => `
protocol bgp case${index} {
  local ${bird} as ${BIRD_AS}; neighbor ${ours}${ours.startsWith('fe80') ? '%eth0' : ''} as ${LEFT_AS};
  strict bind on; connect delay time 1; connect retry time 2; error wait time 1, 2;
  ${dials === 'we' ? 'passive on;' : ''} ${theirs}
  ipv4 { import none; export none; };
}`,
  );
  return `router id ${MIDDLE.v4};\nprotocol device {}\n${protocols.join('\n')}\n`;
}

function withLength(address: string): string {
  return address.includes(':') ? `${address}/64` : `${address}/24`;
}

let folder: string;
let left: Namespace;
let middle: Namespace;
let right: Namespace;
let a: SpeakerProcess;
let b: SpeakerProcess;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'podroute-tcp-'));
  [left, middle] = Namespace.linked(
    'tcp',
    [`${LEFT.v4}/24`, `${LEFT.v6}/64`, `${LEFT_SECOND}/24`, ...BIRD_CASES.map((row) => withLength(row.left))],
    [`${MIDDLE.v4}/24`, `${MIDDLE.v6}/64`, ...BIRD_CASES.map(({ bird }) => withLength(bird))],
  );
  right = Namespace.create('tcp');
  right.ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth1', 'netns', middle.name);
  for (const [namespace, device, v4, v6] of [
    [right, 'eth0', `${RIGHT.v4}/24`, `${RIGHT.v6}/64`],
    [middle, 'eth1', '198.51.100.2/24', 'fd00:3::2/64'],
  ] as const) {
    namespace.ip('address', 'add', v4, 'dev', device);
    namespace.ip('address', 'add', v6, 'dev', device, 'nodad');
    namespace.ip('link', 'set', device, 'up');
  }
  middle.run('sysctl', '-q', '-w', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
  left.ip('route', 'add', '198.51.100.0/24', 'via', MIDDLE.v4);
  left.ip('-6', 'route', 'add', 'fd00:3::/64', 'via', MIDDLE.v6);
  right.ip('route', 'add', '192.0.2.0/24', 'via', '198.51.100.2');
  right.ip('-6', 'route', 'add', 'fd00:2::/64', 'via', 'fd00:3::2');
  await buildSpeakerProgram(folder);
  a = new SpeakerProcess(left, folder, 'left', { asn: LEFT_AS, identifier: LEFT.v4, block: '10.244.1.0/24' });
  b = new SpeakerProcess(right, folder, 'right', {
    asn: RIGHT_AS,
    identifier: RIGHT.v4,
    block: '10.244.2.0/24',
  });
  await Promise.all([a.start(), b.start()]);
});

afterAll(async () => {
  await Promise.all([left?.remove(), middle?.remove(), right?.remove()]);
  rmSync(folder, { recursive: true });
});

const V4 = { name: 'IPv4', left: LEFT.v4, right: RIGHT.v4 };
const V6 = { name: 'IPv6', left: LEFT.v6, right: RIGHT.v6 };
const BOTH = [V4, V6] as const;

describe('two speakers through a router', () => {
  const peers = async (
    net: typeof V4,
    ofLeft: object,
    ofRight: object,
    dial: 'left' | 'right' | 'both' = 'both',
  ) => {
    const leftDial = dial === 'right' ? 'never' : 'now';
    const rightDial = dial === 'left' ? 'never' : 'now';
    // From scratch, so that nothing of the test before is left.
    await Promise.all([a.setPeers(), b.setPeers()]);
    await a.setPeers({ address: net.right, source: net.left, asn: RIGHT_AS, dial: leftDial, ...ofLeft });
    await b.setPeers({ address: net.left, asn: LEFT_AS, dial: rightDial, ...ofRight });
  };

  describe.each(BOTH)('RFC 2385 TCP-MD5 over $name', (net) => {
    test.each(['left', 'right'] as const)('the right key, the %s one dials: up', async (dial) => {
      await peers(net, { password: 'secret' }, { password: 'secret' }, dial);
      const [ours] = await Promise.all([a.established(net.right), b.established(net.left)]);
      expect(ours.direction).toBe(dial === 'left' ? 'outgoing' : 'incoming');
    });

    test('a wrong key, both dial: no session, and both say that the key may differ', async () => {
      await peers(net, { password: 'secret' }, { password: 'Secret' });
      await Promise.all([
        a.error(net.right, /^no answer; the key may differ$/),
        b.error(net.left, /^no answer; the key may differ$/),
      ]);
      expect((await a.status()).peers[0]?.state).not.toBe('Established');
    });

    test('a wrong key, one side only waits: it says so too', async () => {
      await peers(net, { password: 'secret' }, { password: 'Secret' }, 'left');
      await b.error(net.left, /its key may differ/);
    });

    test('only one side has a key: no session, and each says what it can know', async () => {
      await peers(net, { password: 'secret' }, {});
      await Promise.all([
        a.error(net.right, /^no answer.* key/),
        b.error(net.left, /may ask for a password, and none is set here/),
      ]);
    });

    test('RFC 4808 the key changes on one side, then on the other: no flap, and what was sent meanwhile arrives', async () => {
      await peers(net, { password: 'old' }, { password: 'old' });
      await Promise.all([a.established(net.right), b.established(net.left)]);
      await a.setPeers({ address: net.right, source: net.left, asn: RIGHT_AS, password: 'new' });
      await a.announce('10.244.77.0/24');
      expect((await b.status()).routes).not.toContain('10.244.77.0/24');
      await b.setPeers({ address: net.left, asn: LEFT_AS, password: 'new' });
      await b.route('10.244.77.0/24');
      await b.announce('10.244.88.0/24');
      await a.route('10.244.88.0/24');
      const statuses = await Promise.all([a.peer(net.right), b.peer(net.left)]);
      expect(statuses.map(({ flaps }) => flaps)).toEqual([0, 0]);
      await Promise.all([a.announce('10.244.1.0/24'), b.announce('10.244.2.0/24')]);
    });

    test('a password that is taken away: the session comes back without one', async () => {
      await peers(net, { password: 'secret' }, { password: 'secret' });
      await Promise.all([a.established(net.right), b.established(net.left)]);
      await Promise.all([
        a.setPeers({ address: net.right, source: net.left, asn: RIGHT_AS }),
        b.setPeers({ address: net.left, asn: LEFT_AS }),
      ]);
      await Promise.all([a.established(net.right), b.established(net.left)]);
    });
  });

  describe.each(BOTH)('RFC 5082 TTL security over $name', (net) => {
    test.each(['left', 'right'] as const)(
      'two hops, and two are allowed, the %s one dials: up',
      async (dial) => {
        await peers(net, { ttlSecurityHops: 2 }, { ttlSecurityHops: 2 }, dial);
        await Promise.all([a.established(net.right), b.established(net.left)]);
      },
    );

    test('two hops, and one is allowed: the answer is dropped, and we say why', async () => {
      await peers(net, { ttlSecurityHops: 1 }, { ttlSecurityHops: 2 }, 'left');
      await a.error(net.right, /no answer with a TTL of 255 or more/);
    });

    test('a peer that sends the usual TTL is not let in, and we say with which it came', async () => {
      await peers(net, {}, { ttlSecurityHops: 2 }, 'left');
      await b.error(net.left, /came with TTL 63, below the 254 of TTL security/);
      expect((await a.peer(net.right)).state).not.toBe('Established');
    });
  });

  describe.each(BOTH)('multihop over $name', (net) => {
    test('a TTL that reaches: up', async () => {
      await peers(net, { multihopTtl: 2 }, { multihopTtl: 2 });
      await Promise.all([a.established(net.right), b.established(net.left)]);
    });

    test("a TTL that ends on the way: no session, and the router's word is heard", async () => {
      await peers(net, { multihopTtl: 1 }, {}, 'left');
      await a.error(net.right, /more than one hop away/);
    });
  });

  test('an address where nothing listens, one that does not exist, and one without a route are told apart', async () => {
    await a.setPeers(
      { address: '192.0.2.2', asn: 1 },
      { address: '192.0.2.250', asn: 1 },
      { address: '203.0.113.1', asn: 1 },
    );
    await Promise.all([
      a.error('192.0.2.2', /^connection refused/),
      a.error('192.0.2.250', /no route to host|no answer/),
      a.error('203.0.113.1', /^network unreachable/),
    ]);
  });

  test('the source address is what the peer sees; one that is not ours is said so', async () => {
    await a.setPeers({ address: RIGHT.v4, asn: RIGHT_AS, source: LEFT_SECOND, password: 'secret' });
    await b.setPeers({ address: LEFT_SECOND, asn: LEFT_AS, dial: 'never', password: 'secret' });
    expect((await a.established(RIGHT.v4)).localAddress).toBe(LEFT_SECOND);
    await b.established(LEFT_SECOND);
    await a.setPeers({ address: RIGHT.v4, asn: RIGHT_AS, source: '192.0.2.99', password: 'secret' });
    await a.error(RIGHT.v4, /the source address is not on this machine/);
  });

  test('the secret is in no log and in no status', async () => {
    await peers(V4, { password: 'hunter2-hunter2' }, { password: 'hunter2-hunter2' });
    await a.established(RIGHT.v4);
    await a.setPeers({ address: RIGHT.v4, source: LEFT.v4, asn: RIGHT_AS, password: 'hunter2-hunter3' });
    expect((await a.status()).whole).not.toContain('hunter2');
    expect(a.log() + b.log()).toContain('the key of the peer changed');
    expect(a.log() + b.log()).not.toContain('hunter2');
  });
});

describe('dynamic neighbours', () => {
  test.each(BOTH.map((net) => [net.name, net] as const))(
    'whoever connects from the range is a peer, with the key of the range, over %s',
    async (_name, net) => {
      await Promise.all([a.setPeers(), b.setPeers()]);
      const range = { name: 'racks', asn: 'external', limit: 10, password: 'of-the-range' } as const;
      await b.setRanges(
        { ...range, prefix: '192.0.2.0/24' },
        { ...range, name: 'racks6', prefix: 'fd00:2::/64' },
      );
      await a.setPeers({ address: net.right, source: net.left, asn: RIGHT_AS, password: 'of-the-range' });
      await a.established(net.right);
      const id = net === V4 ? `dynamic/racks/${LEFT.v4}` : `dynamic/racks6/${LEFT.v6}`;
      await b.established(id);
      await b.route('10.244.1.0/24');
      await a.setPeers({ address: net.right, source: net.left, asn: RIGHT_AS, password: 'another' });
      await a.setPeers({ address: net.right, source: net.left, asn: RIGHT_AS });
      await a.error(net.right, /no answer/);
      await b.setRanges();
      expect((await b.status()).peers).toEqual([]);
    },
  );
});

describe('a peer that opens and closes in a loop', () => {
  test('costs a bounded piece of CPU time each, a few lines, and no other session', async () => {
    await a.setPeers({ address: RIGHT.v4, source: LEFT.v4, asn: RIGHT_AS });
    await b.setPeers(
      { address: LEFT.v4, asn: LEFT_AS },
      { address: LEFT_SECOND, asn: LEFT_AS, dial: 'never' },
    );
    await b.established(LEFT.v4);
    const before = { cpuMs: (await b.status()).cpuMs, lines: operatorLines(b) };
    const connections = Number(left.run(process.execPath, '-e', LOOP, RIGHT.v4, LEFT_SECOND));
    const after = await b.status();
    expect(connections).toBeGreaterThan(500);
    expect((after.cpuMs - before.cpuMs) / connections).toBeLessThan(1);
    expect(operatorLines(b) - before.lines).toBeLessThan(20);
    expect(await b.peer(LEFT.v4)).toMatchObject({ state: 'Established', flaps: 0 });
  });

  /** Lines of the log at level info and above. */
  function operatorLines(speaker: SpeakerProcess): number {
    return speaker.log().match(/"level":[3-9]0/g)?.length ?? 0;
  }

  /** Connects and closes as fast as it can for two seconds, then prints how often. */
  const LOOP = `
    const net = require('node:net');
    const [host, localAddress] = process.argv.slice(1);
    let count = 0;
    const until = Date.now() + 2000;
    const next = () => {
      if (Date.now() > until) return;
      const socket = net.connect({ host, port: 179, localAddress });
      socket.on('connect', () => { count += 1; socket.resetAndDestroy(); });
      socket.on('error', () => {});
      socket.on('close', next);
    };
    for (let lane = 0; lane < 4; lane += 1) next();
    process.on('exit', () => console.log(count));
  `;
});

describe('BIRD 2', () => {
  let bird: Bird;

  beforeAll(async () => {
    await Promise.all([a.setPeers(), b.setPeers()]);
    bird = new Bird(middle, folder, birdConf());
    await bird.start();
    await a.setPeers(
      ...BIRD_CASES.map(({ bird: address, left: source, dials, ours }) => {
        return { address, source, asn: BIRD_AS, dial: dials === 'we' ? 'now' : 'never', ...ours } as const;
      }),
    );
  });

  test('understands every case of the table', () => {
    expect(BIRD_CASES).toHaveLength(22);
    expect(bird.ask('show', 'protocols').match(/^case\d+ +BGP/gm)).toHaveLength(22);
  });

  test.each(
    BIRD_CASES.map(
      (row) => [`${row.name}, ${row.dials === 'we' ? 'we dial' : 'BIRD dials'}, ${row.bird}`, row] as const,
    ),
  )('%s', async (_title, { bird: address, expected }) => {
    if (expected === 'up') {
      await a.established(address);
      const index = BIRD_CASES.findIndex((row) => row.bird === address);
      await until('BIRD agrees', () => bird.ask('show', 'protocols', `case${index}`).includes('Established'));
    } else {
      expect((await a.error(address, expected)).state).not.toBe('Established');
    }
  });
});
