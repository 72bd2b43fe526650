/**
 * Whole sessions with a hostile peer, in memory and virtual time.
 *
 * Three machines: the speaker under test, which passes every route on; a bystander, whose session must feel nothing;
 * and the hostile peer, which sends damaged messages in odd pieces.
 */
import { prefixOf } from '../../bgp/net/index.js';
import type { RoutePolicy } from '../../bgp/rib/index.js';
import type { ByteStream, PeerStatus } from '../../bgp/speaker/index.js';
import { decodeMessage, encodeMessage, Framer, type Message } from '../../bgp/wire/index.js';
import { address4, address6 } from '../support/addresses.js';
import { type Member, MemoryMesh, peerConfig } from '../support/memory-mesh.js';
import { CORPUS_BYTES } from './corpus.js';
import { Chance, mutate } from './mutate.js';

const SECOND = 1000;
const HOSTILE = address4('192.168.1.66');
const HOSTILE_AS = 65001;
const BYSTANDER_AS = 65002;
const AGENT_AS = 64512;
/** pino's number for `error`: only faults of our own are logged so. */
const ERROR_LEVEL = 50;
const PLAIN = { as4: true, peerType: 'ebgp', maxMessageLength: 4096 } as const;

const ACCEPT_ALL: RoutePolicy = {
  importRoute: () => ({ accept: true }),
  exportRoute: () => ({ accept: true }),
};

/** What the hostile peer sees. */
class Attack {
  readonly #framer = new Framer({ maxMessageLength: 65535 });
  readonly received: Message[] = [];
  stream: ByteStream | undefined;
  closed = false;

  attach(stream: ByteStream): void {
    this.stream = stream;
    stream.attach({
      onData: (chunk) => {
        for (const frame of this.#framer.push(chunk)) {
          const message =
            frame instanceof Uint8Array ? decodeMessage(frame, { ...PLAIN, maxMessageLength: 65535 }) : frame;
          if (message.type === 'FAULT') throw new Error(`the speaker wrote nonsense: ${message.reason}`);
          if (this.received.at(-1)?.type === 'NOTIFICATION')
            throw new Error('a message after a NOTIFICATION');
          this.received.push(message);
        }
      },
      onDrain: () => {},
      onClose: () => {
        this.closed = true;
      },
    });
  }
}

/**
 * One to three sessions of a hostile peer, one after the other, and what is left of them.
 * @returns how many UPDATEs the bystander was sent because of them: a measure of how deep they got
 * @throws where the speaker or the bystander felt more than it may
 */
export async function sessionRound(seed: number): Promise<number> {
  const chance = new Chance(seed);
  const mesh = new MemoryMesh();
  const { speaker, bystander } = await quietPair(mesh);
  const sent: string[] = [];
  let passedOn = 0;
  try {
    for (let attempt = 1 + chance.integer(3); attempt > 0; attempt -= 1) {
      const before = peerOf(bystander, speaker.address).counters.updatesIn;
      await attackOnce(mesh, speaker, chance, sent);
      checkAftermath(mesh, speaker, bystander);
      passedOn += peerOf(bystander, speaker.address).counters.updatesIn - before;
    }
    await checkWelcome(mesh, speaker);
  } catch (error) {
    throw new Error(sent.join('\n'), { cause: error });
  }
  await Promise.all([speaker.speaker.stop(), bystander.speaker.stop()]);
  return passedOn;
}

/** The speaker under test and the bystander, established. */
async function quietPair(
  mesh: MemoryMesh,
): Promise<{ readonly speaker: Member; readonly bystander: Member }> {
  const policy = ACCEPT_ALL;
  const speaker = await mesh.member({
    address: '192.168.1.1',
    asn: AGENT_AS,
    blocks: ['10.244.1.0/24'],
    policy,
  });
  const bystander = await mesh.member({
    address: '192.168.1.2',
    asn: BYSTANDER_AS,
    blocks: ['10.244.2.0/24'],
    policy,
  });
  const ours = { place: 'outside', localAs: AGENT_AS, dial: 'never' } as const;
  const theirs = { place: 'outside', localAs: BYSTANDER_AS, dial: 'now' } as const;
  speaker.speaker.setPeers([
    peerConfig(speaker, bystander, { ...ours, asn: BYSTANDER_AS }),
    peerConfig(speaker, { address: HOSTILE }, { ...ours, asn: HOSTILE_AS }),
  ]);
  bystander.speaker.setPeers([peerConfig(bystander, speaker, { ...theirs, asn: AGENT_AS })]);
  mesh.clock.advance(2 * SECOND);
  return { speaker, bystander };
}

/** One session from the first octet to the end; `sent` records it. */
async function attackOnce(mesh: MemoryMesh, speaker: Member, chance: Chance, sent: string[]): Promise<void> {
  const attack = await dial(mesh, speaker);
  const send = (bytes: Uint8Array) => {
    sent.push(Buffer.from(bytes).toString('hex'));
    for (let at = 0; at < bytes.length && !attack.closed; ) {
      const end = chance.once(4) ? at + 1 + chance.integer(30) : bytes.length;
      attack.stream?.write(bytes.subarray(at, end));
      at = end;
    }
  };
  for (const greeting of [encodeMessage(hostileOpen(), PLAIN), encodeMessage({ type: 'KEEPALIVE' }, PLAIN)]) {
    send(chance.once(12) ? mutate(greeting, chance, CORPUS_BYTES) : greeting);
    mesh.clock.advance(10);
  }
  for (let count = 20 + chance.integer(60); count > 0 && !attack.closed; count -= 1) {
    send(hostileMessage(chance));
    mesh.clock.advance(chance.once(30) ? 20 * SECOND : chance.integer(20));
  }
  attack.stream?.destroy();
  mesh.clock.advance(5 * SECOND);
}

/** Routes of the hostile peer, sound or damaged, so that the tables and the way out are reached; and anything at all. */
function hostileMessage(chance: Chance): Uint8Array {
  if (chance.once(60)) return chance.pick(CORPUS_BYTES);
  if (chance.once(30)) return mutate(chance.pick(CORPUS_BYTES), chance, CORPUS_BYTES);
  const route = encodeMessage(hostileRoute(chance), PLAIN);
  return chance.once(5) ? mutate(route, chance, CORPUS_BYTES) : route;
}

/** A route with many attributes, or the withdrawal of one. */
function hostileRoute(chance: Chance): Message {
  const octet = () => chance.integer(256);
  const family = chance.pick(['ipv4', 'ipv6'] as const);
  const bits = chance.integer(33);
  const prefixes = Array.from({ length: 1 + chance.integer(5) }, () =>
    family === 'ipv4'
      ? prefixOf(address4(`10.${octet()}.${octet()}.0`), bits)
      : prefixOf(address6(`fd00:${octet().toString(16)}::`), bits),
  );
  if (chance.once(5)) return { type: 'UPDATE', unreach: [{ family, prefixes }], reach: [], faults: [] };
  const address = family === 'ipv4' ? HOSTILE : address6('fd00::66');
  const asns = [HOSTILE_AS, ...Array.from({ length: chance.integer(300) }, () => 1 + octet())];
  return {
    type: 'UPDATE',
    unreach: [],
    reach: [{ family, nextHop: { address }, prefixes }],
    attributes: {
      origin: chance.pick(['IGP', 'EGP', 'INCOMPLETE'] as const),
      asPath: [{ kind: 'sequence', asns }],
      ...(chance.once(2) && { med: octet() }),
      ...(chance.once(2) && { aggregator: { asn: HOSTILE_AS, address: HOSTILE } }),
      ...(chance.once(2) && { communities: [octet(), 0xffffff01 + chance.integer(4)] }),
      ...(chance.once(2) && {
        largeCommunities: [{ globalAdministrator: 1, localData1: 2, localData2: octet() }],
      }),
      ...(chance.once(2) && { extendedCommunities: [BigInt(octet()) << 56n] }),
      ...(chance.once(2) && { otc: HOSTILE_AS }),
      ...(chance.once(2) && {
        unknown: [{ code: 200, flags: 0xe0, value: new Uint8Array(chance.integer(2500)) }],
      }),
    },
    faults: [],
  };
}

function checkAftermath(mesh: MemoryMesh, speaker: Member, bystander: Member): void {
  for (const { log } of [speaker, bystander]) {
    const fault = log.find(({ level }) => level >= ERROR_LEVEL);
    if (fault !== undefined) throw new Error(`a fault of ours: ${JSON.stringify(fault)}`);
  }
  const blame = bystander.log.find((line) => line['fault'] === 'remote');
  if (blame !== undefined) throw new Error(`the speaker passed on nonsense: ${JSON.stringify(blame)}`);
  const status = peerOf(speaker, bystander.address);
  if (status.state !== 'Established' || status.flaps > 0) {
    throw new Error(
      `the bystander felt it: ${status.state}, ${status.flaps} flaps, ${status.lastError?.text}`,
    );
  }
  // Longer than any restart time: nothing of the hostile peer is left, and the others have what they had.
  const keep = peerOf(speaker, HOSTILE).staleUntilMs;
  if (keep !== undefined) mesh.clock.advance(keep - mesh.clock.now() + SECOND);
  for (const member of [speaker, bystander]) {
    const known = [...member.speaker.rib.bestRoutes()].length;
    if (known !== 2) throw new Error(`${known} routes are left where there were two`);
  }
}

/** The same peer, in order again, is accepted within half a minute. */
async function checkWelcome(mesh: MemoryMesh, speaker: Member): Promise<void> {
  for (let waited = 0; waited < 30; waited += 1) {
    const attempt = await dial(mesh, speaker);
    attempt.stream?.write(encodeMessage(hostileOpen(), PLAIN));
    attempt.stream?.write(encodeMessage({ type: 'KEEPALIVE' }, PLAIN));
    mesh.clock.advance(SECOND);
    if (peerOf(speaker, HOSTILE).state === 'Established') return;
    attempt.stream?.destroy();
  }
  throw new Error('a peer that is in order again was not accepted within 30 s');
}

async function dial(mesh: MemoryMesh, { address }: Member): Promise<Attack> {
  const attack = new Attack();
  mesh.network.transportOf(HOSTILE).dial(
    { remote: address, port: 179, timeoutMs: SECOND },
    {
      onConnected: (stream) => attack.attach(stream),
      onFailed: (reason) => {
        throw new Error(reason);
      },
    },
  );
  mesh.clock.advance(10);
  return attack;
}

function hostileOpen(): Message {
  return {
    type: 'OPEN',
    asn: HOSTILE_AS,
    holdTimeSeconds: 90,
    bgpIdentifier: HOSTILE,
    capabilities: [
      { kind: 'multiprotocol', family: 'ipv4' },
      { kind: 'multiprotocol', family: 'ipv6' },
      { kind: 'routeRefresh' },
      { kind: 'fourOctetAs', asn: HOSTILE_AS },
    ],
  };
}

function peerOf(member: Member, address: number): PeerStatus {
  const status = member.speaker.peers().find(({ config }) => config.address === address);
  if (status === undefined) throw new Error('the peer is gone');
  return status;
}
