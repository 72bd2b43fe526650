/**
 * What every daemon of the matrix is put through, in this order: each case leaves the session up for the next.
 *
 * Owns: the cases and what they expect. Must not know: any particular daemon.
 */
import { expect } from 'vitest';
import {
  AGENT,
  AS_TRANS,
  type Feature,
  HOLD_TIME_SECONDS,
  OTHER_CLIENT,
  ROUTER,
  UNKNOWN_ATTRIBUTE,
} from '../support/daemons/daemon.js';
import { until } from '../support/until.js';
import { BLOCK, BLOCK6, CLUSTER_ID, type Column, NODE, OTHER_BLOCK } from './matrix-column.js';

export interface Case {
  readonly name: string;
  /** What the daemon must be able to do. */
  readonly needs?: Feature;
  run(column: Column): Promise<void>;
}

const UNKNOWN = `${UNKNOWN_ATTRIBUTE.code}=${UNKNOWN_ATTRIBUTE.hex}`;
const PASSWORD = 'open-sesame';
const SHUTDOWN_TEXT = 'maintenance at noon';
const AGENT_TEXT = 'new optics tonight';
/** Cease/1, as the daemons and the agent word it. */
const TOO_MANY_PREFIXES = /max[ a-z-]*prefix|subcode["= :]+1\b/i;

export const CASES: readonly Case[] = [
  {
    name: 'the session comes up, the agent connects',
    async run(column) {
      expect((await column.isUp()).direction).toBe('outgoing');
    },
  },
  {
    name: 'the lower hold time counts (RFC 4271 4.2)',
    async run(column) {
      expect((await column.peer()).timers.holdTimeSeconds).toBe(HOLD_TIME_SECONDS);
    },
  },
  {
    name: '4-octet AS numbers on both sides (RFC 6793)',
    async run(column) {
      const { capabilities } = await column.peer();
      expect(capabilities.negotiated.join()).toContain('4-octet AS');
      expect((await column.daemonHas(BLOCK)).asPath).toBe(`${AGENT.asn}`);
    },
  },
  {
    name: 'IPv4 routes both ways',
    async run(column) {
      await column.agentHas(ROUTER.prefix, ROUTER.address);
      expect(await column.daemonHas(BLOCK)).toMatchObject({ nextHop: AGENT.address, asPath: `${AGENT.asn}` });
    },
  },
  {
    name: 'IPv6 routes both ways on the same session (RFC 4760, RFC 2545)',
    async run(column) {
      await column.agentHas(ROUTER.prefix6, ROUTER.address6);
      expect(await column.daemonHas(BLOCK6)).toMatchObject({
        nextHop: AGENT.address6,
        asPath: `${AGENT.asn}`,
      });
    },
  },
  {
    name: 'End-of-RIB of both families, both ways (RFC 4724 2)',
    async run(column) {
      await until('both have sent End-of-RIB', async () => {
        const { endOfRib } = await column.peer();
        return endOfRib.length === 2 && endOfRib.every(({ received, sent }) => received && sent);
      });
    },
  },
  {
    name: "a node's route passed on: communities kept, MED not (RFC 4271 5.1.4), the node as next hop (5.1.3)",
    async run(column) {
      const { med, ...route } = await column.daemonHas(NODE.block);
      // Some daemons show "none" as 0, which RFC 4271 9.1.2.2 takes it for.
      expect(med ?? 0).toBe(0);
      expect(route).toMatchObject({
        nextHop: NODE.address,
        asPath: `${AGENT.asn}`,
        communities: [NODE.community],
        largeCommunities: [NODE.largeCommunity],
      });
    },
  },
  {
    name: 'an unknown transitive attribute passed on to the daemon (RFC 4271 5)',
    needs: 'showsUnknown',
    async run(column) {
      expect((await column.daemonHas(NODE.block)).unknown).toEqual([UNKNOWN]);
    },
  },
  {
    name: 'the daemon withdraws and announces again',
    async run(column) {
      await column.daemon.withdraw();
      await column.agentLacks(ROUTER.prefix);
      await column.agentLacks(ROUTER.prefix6);
      await column.daemon.announce();
      await column.agentHas(ROUTER.prefix, ROUTER.address);
      await column.agentHas(ROUTER.prefix6, ROUTER.address6);
      expect((await column.peer()).counters.flaps).toBe(0);
    },
  },
  {
    name: 'the agent announces and withdraws live',
    async run(column) {
      column.configure('outside', [BLOCK, OTHER_BLOCK]);
      await column.daemonHas(OTHER_BLOCK);
      await column.daemonLacks(BLOCK6);
      column.configure('outside');
      await column.daemonLacks(OTHER_BLOCK);
      await column.daemonHas(BLOCK6);
      expect((await column.peer()).counters.flaps).toBe(0);
    },
  },
  {
    name: 'the daemon asks for a route refresh and gets the table (RFC 2918)',
    needs: 'refresh',
    async run(column) {
      const before = (await column.peer()).counters.updatesOut;
      await column.daemon.askForRefresh();
      await until('the table was sent again', async () => (await column.peer()).counters.updatesOut > before);
      expect((await column.peer()).counters.flaps).toBe(0);
      await column.allIsWell();
    },
  },
  {
    name: 'the daemon shuts the session down: shown in words, routes gone; it comes back',
    needs: 'shutdown',
    async run(column) {
      expect((await shutDown(column)).text).toMatch(/administrative(ly)? shut ?down/i);
      await comeBack(column);
    },
  },
  {
    name: 'the text of the shutdown is shown (RFC 9003)',
    needs: 'shutdownText',
    async run(column) {
      expect((await shutDown(column)).text).toContain(SHUTDOWN_TEXT);
      await comeBack(column);
    },
  },
  {
    name: 'the daemon falls silent: the hold timer ends the session (RFC 4271 6.5); it comes back',
    async run(column) {
      column.daemon.freeze();
      const error = await until('the agent gives it up', async () => {
        const { state, lastError } = await column.peer();
        return state !== 'Established' && lastError?.direction === 'sent' && lastError;
      });
      column.daemon.thaw();
      expect(error.text).toMatch(/hold timer/i);
      await column.allIsWell();
    },
  },
  {
    name: 'the daemon is killed: its routes stay as stale, and are confirmed when it is back (RFC 4724 4.2)',
    needs: 'announcesRestart',
    async run(column) {
      await column.daemon.kill();
      await column.agentShows(ROUTER.prefix, 'stale');
      await column.daemon.start({ passive: true, restarting: true });
      await column.allIsWell();
      await column.agentShows(ROUTER.prefix, 'ok');
    },
  },
  {
    name: 'the daemon is stopped and started',
    async run(column) {
      await column.daemon.stop();
      await until('the session is down', async () => (await column.peer()).state !== 'Established');
      await column.daemon.start({ passive: true });
      await column.allIsWell();
    },
  },
  {
    name: 'the agent is killed: the daemon keeps its routes until it is back (RFC 4724 4.1)',
    needs: 'keepsRoutes',
    async run(column) {
      await agentRestarts(column, 'SIGKILL', async () => {
        expect(await column.daemon.route(BLOCK)).toMatchObject({ nextHop: AGENT.address });
      });
    },
  },
  {
    name: 'the agent is stopped: the daemon keeps its routes until it is back (RFC 4724 4.1)',
    needs: 'keepsRoutes',
    async run(column) {
      await agentRestarts(column, 'SIGTERM', async () => {
        expect(await column.daemon.route(BLOCK)).toMatchObject({ nextHop: AGENT.address });
      });
    },
  },
  {
    name: 'the agent is killed and started',
    async run(column) {
      await agentRestarts(column, 'SIGKILL', async () => {});
    },
  },
  {
    name: 'the agent resets the session; it comes back',
    async run(column) {
      const { flaps } = (await column.peer()).counters;
      await column.administer('reset');
      await until('the session has ended', async () => (await column.peer()).counters.flaps > flaps);
      await column.comesBack();
    },
  },
  {
    name: 'the agent shuts the session down: the daemon is told Cease/2 and drops the routes; enabled, it comes back',
    async run(column) {
      await column.administer('shutdown');
      await column.daemonIsDown();
      await isTold(column, /admin[a-z]* ?(shut ?)?down|subcode["= :]+2\b/i);
      await column.daemonLacks(BLOCK);
      await column.agentLacks(ROUTER.prefix);
      await column.administer('enable');
      await column.comesBack();
    },
  },
  {
    name: "the text of the agent's operator is shown by the daemon (RFC 9003)",
    needs: 'showsText',
    async run(column) {
      await column.administer('shutdown', AGENT_TEXT);
      await until(`${column.daemon.name} shows the text`, async () => {
        const shown = await column.daemon.operatorText();
        if (!shown.includes(AGENT_TEXT)) throw new Error(`it shows ${shown}`);
        return true;
      });
      await column.administer('enable');
      await column.comesBack();
    },
  },
  {
    name: "the agent's limit of prefixes: the daemon is told Cease/1 (RFC 4486); with a higher limit it comes back",
    async run(column) {
      column.configure('outside', undefined, ', maxPrefixes: {limit: 1}');
      await column.daemon.announceMore();
      await column.daemonIsDown();
      await isTold(column, TOO_MANY_PREFIXES);
      await column.agentLacks(ROUTER.prefix);
      column.configure('outside', undefined, ', maxPrefixes: {limit: 2}');
      await until('the agent has the new limit', async () => (await column.peer()).shutdown === null);
      await column.comesBack();
      await column.agentHas(ROUTER.morePrefix, ROUTER.address);
      await column.daemon.withdrawMore();
      await column.agentLacks(ROUTER.morePrefix);
      column.configure('outside');
    },
  },
  {
    name: "the daemon's limit of prefixes: the agent shows Cease/1",
    needs: 'prefixLimit',
    async run(column) {
      await column.restart({ prefixLimit: 1 });
      let isExtended = false;
      await until('the agent was told', async () => {
        const { state, lastError } = await column.peer();
        if (lastError?.direction === 'received' && TOO_MANY_PREFIXES.test(lastError.text)) return true;
        // FRR counts a route once its next hop is looked up, and looks at the count when another one comes.
        if (!isExtended && state === 'Established' && (await column.daemon.route(BLOCK)) !== undefined) {
          column.configure('outside', [BLOCK, BLOCK6, OTHER_BLOCK]);
          isExtended = true;
        }
        throw new Error(`it shows ${lastError?.text}`);
      });
      await column.restart({});
      await column.allIsWell();
    },
  },
  {
    name: 'roles (RFC 9234 4): provider and customer come up, two customers do not',
    needs: 'role',
    async run(column) {
      await column.restart({ role: 'customer' }, 'outside', ', role: Customer');
      await until('the agent says why not', async () =>
        /role/i.test((await column.peer()).lastError?.text ?? ''),
      );
      expect((await column.peer()).state).not.toBe('Established');
      column.configure('outside', undefined, ', role: Provider');
      await column.comesBack();
      expect((await column.peer()).capabilities.theirs?.join()).toContain('role customer');
    },
  },
  {
    name: 'a daemon that does not speak of 4-octet AS numbers: AS_TRANS and AS4_PATH (RFC 6793 4.2)',
    needs: 'twoOctets',
    async run(column) {
      await column.restart({ twoOctets: true }, 'short');
      await column.allIsWell();
      // Some put AS4_PATH in its place all the same.
      expect([`${AS_TRANS}`, `${AGENT.asn}`]).toContain((await column.daemonHas(BLOCK)).asPath);
      expect((await column.peer()).capabilities.negotiated.join()).not.toContain('4-octet AS');
    },
  },
  {
    name: 'the agent reflects between the daemon and a node: next hop kept, ORIGINATOR_ID, CLUSTER_LIST (RFC 4456 8)',
    needs: 'internal',
    async run(column) {
      // Among nodes the one with the higher address connects.
      await column.restart({ internal: 'client', passive: false }, 'client');
      await column.isUp();
      expect(await column.daemonHas(NODE.block)).toMatchObject({
        nextHop: NODE.address,
        asPath: '',
        originatorId: NODE.address,
        clusterList: [CLUSTER_ID],
      });
      expect(await column.nodeHas(ROUTER.prefix)).toMatchObject({
        nextHop: ROUTER.address,
        asPath: '',
        originatorId: ROUTER.address,
        clusterList: [CLUSTER_ID],
        communities: [ROUTER.community],
      });
    },
  },
  {
    name: 'the daemon reflects for the agent: the route of another client, next hop kept; the own one is not used if it comes back',
    needs: 'reflector',
    async run(column) {
      await column.restart({ internal: 'reflector' }, 'reflector');
      await column.isUp();
      await column.withOtherClient(async () => {
        await column.agentHas(OTHER_CLIENT.block, OTHER_CLIENT.address);
        await column.daemonHas(BLOCK);
        // RFC 4456 8: a reflector may send it back; ORIGINATOR_ID tells whose it is. An agent that was the reflector until
        // now goes on with it for a while, and CLUSTER_LIST tells what comes back of that.
        const isOurs = ({ prefix, reason }: { readonly prefix: string; readonly reason: string }) =>
          [BLOCK, BLOCK6].includes(prefix) || /^reflection loop: CLUSTER_LIST contains our own/.test(reason);
        expect((await column.peer()).rejected.filter((row) => !isOurs(row))).toEqual([]);
        expect(await column.agent.hasRoute(BLOCK, ROUTER.address)).toBe(false);
      });
      await column.restart({});
      await column.allIsWell();
    },
  },
  {
    name: 'TTL security (RFC 5082)',
    needs: 'ttlSecurity',
    async run(column) {
      await column.daemon.stop();
      column.configure('outside', undefined, ', ttlSecurity: 1');
      // Both connect: where ExaBGP is connected to, it answers with the usual TTL.
      await column.daemon.start({ passive: false, ttlSecurity: true });
      await column.allIsWell();
    },
  },
  {
    name: 'TCP MD5 with the same password (RFC 2385)',
    needs: 'md5',
    async run(column) {
      await column.daemon.stop();
      column.configure('outside', undefined, `, password: {file: ${column.secretFile(PASSWORD)}}`);
      await column.daemon.start({ passive: true, password: PASSWORD });
      await column.allIsWell();
    },
  },
  {
    name: 'the agent drops the peer: the daemon is told Cease/3, and the routes are gone at both ends (RFC 4486)',
    async run(column) {
      column.configure('stranger');
      await column.daemonIsDown();
      // Subcode 3 as the daemons word it.
      expect(await column.daemon.lastNotification()).toMatch(/de-?configured|unconfigured|subcode["= :]+3/i);
      await column.agentLacks(ROUTER.prefix);
      await column.daemonLacks(BLOCK);
    },
  },
  {
    name: 'the session comes up, the daemon connects',
    async run(column) {
      await column.daemon.stop();
      // The agent leaves it to the node with the higher address to connect.
      column.configure('node');
      await until('the agent knows the new node', () => column.peer());
      await column.daemon.start({ passive: false });
      expect((await column.isUp()).direction).toBe('incoming');
      await column.allIsWell();
    },
  },
  {
    name: "the daemon's route passed on: AS_PATH, communities, next hop as RFC 4271 5.1 says, no MED",
    async run(column) {
      const { unknown: _, ...route } = await column.observerHas(ROUTER.prefix);
      expect(route).toEqual({
        nextHop: ROUTER.address,
        asPath: `${AGENT.asn} ${ROUTER.asn}`,
        communities: [ROUTER.community],
        largeCommunities: [ROUTER.largeCommunity],
      });
    },
  },
  {
    name: "the daemon's unknown transitive attribute passed on (RFC 4271 5)",
    needs: 'sendsUnknown',
    async run(column) {
      expect((await column.observerHas(ROUTER.prefix)).unknown).toEqual([UNKNOWN]);
    },
  },
];

/** The daemon ends the session for good. @returns what the agent shows as the reason */
async function shutDown(column: Column) {
  await column.daemon.shutDown(SHUTDOWN_TEXT);
  const error = await until('the agent shows why the session is down', async () => {
    const { state, lastError } = await column.peer();
    return state !== 'Established' && lastError?.direction === 'received' && lastError;
  });
  await column.agentLacks(ROUTER.prefix);
  return error;
}

/** The daemon shows the NOTIFICATION in these words. */
async function isTold({ daemon }: Column, words: RegExp): Promise<void> {
  await until(`${daemon.name} shows ${words}`, async () => {
    const shown = await daemon.lastNotification();
    if (!words.test(shown)) throw new Error(`it shows ${shown}`);
    return true;
  });
}

async function comeBack(column: Column): Promise<void> {
  await column.daemon.bringUp();
  await column.allIsWell();
}

async function agentRestarts(
  column: Column,
  signal: NodeJS.Signals,
  meanwhile: () => Promise<void>,
): Promise<void> {
  await column.agent.stop(signal);
  await column.daemonIsDown();
  await meanwhile();
  await column.agent.start();
  await column.allIsWell();
}
