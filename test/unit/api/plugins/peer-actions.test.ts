/** `POST /peers/NAME/ACTION` and `podroute peer`: who may ask, what is asked, and every way of being refused. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  commands,
  createApi,
  listen,
  type PeerActionOutcome,
  type PeerActions,
  runCommand,
} from '../../../../api/index.js';
import { peer, sourceOf } from '../rows.js';

const NAME = peer().name;
const asked: string[] = [];
let outcome: PeerActionOutcome = 'done';
const answer = (what: string) => (name: string, text: string) => {
  asked.push(`${what} ${name} "${text}"`);
  return outcome;
};
const actions: PeerActions = {
  shutdown: answer('shutdown'),
  reset: answer('reset'),
  enable: answer('enable'),
};
const api = createApi({ source: sourceOf({ peers: [peer()] }), actions });

beforeEach(() => {
  asked.length = 0;
  outcome = 'done';
});

function post(path: string, body: unknown = {}, more: object = {}) {
  return api.inject({ method: 'POST', url: path, payload: body as object, ...more });
}

describe('an action', () => {
  test.each(['shutdown', 'reset', 'enable'])('%s is passed on with its text', async (action) => {
    const given = await post(`/peers/${NAME}/${action}`, { text: 'maintenance' });
    expect([given.statusCode, given.json()]).toEqual([200, { peer: NAME, action }]);
    expect(asked).toEqual([`${action} ${NAME} "maintenance"`]);
  });

  test('finds the peer by its address, and needs no text', async () => {
    expect((await post(`/peers/${peer().address}/reset`)).statusCode).toBe(200);
    expect(asked).toEqual([`reset ${NAME} ""`]);
  });

  test('of a peer that does not exist is a 404 with those that do', async () => {
    const given = await post('/peers/nobody/reset');
    expect([given.statusCode, given.json().error]).toMatchObject([
      404,
      { code: 'UNKNOWN_PEER', allowed: [NAME] },
    ]);
    expect(asked).toEqual([]);
  });

  test('that finds the peer shut down is a 409', async () => {
    outcome = 'shutdown';
    const given = await post(`/peers/${NAME}/reset`);
    expect([given.statusCode, given.json().error.code]).toEqual([409, 'PEER_SHUT_DOWN']);
  });
});

describe('a body that is wrong', () => {
  test.each<[string, unknown, object]>([
    ['an unknown field', { txt: 'a' }, { code: 'UNKNOWN_PARAMETER', parameter: 'txt', allowed: ['text'] }],
    ['a text that is no text', { text: { a: 1 } }, { code: 'BAD_PARAMETER', parameter: 'text' }],
    ['a text that is too long', { text: 'x'.repeat(256) }, { code: 'BAD_PARAMETER', parameter: 'text' }],
    ['no object', [1], { code: 'BAD_REQUEST' }],
  ])('%s', async (_name, body, error) => {
    const given = await post(`/peers/${NAME}/shutdown`, body);
    expect(given.statusCode).toBe(400);
    expect(given.json().error).toMatchObject(error);
    expect(asked).toEqual([]);
  });

  test('none at all, as a web page could send it', async () => {
    const given = await api.inject({ method: 'POST', url: `/peers/${NAME}/shutdown` });
    expect(given.statusCode).toBe(400);
    expect(asked).toEqual([]);
  });
});

describe('who may ask', () => {
  test.each<[string, number, object]>([
    ['this machine', 200, { remoteAddress: '127.0.0.1' }],
    ['this machine by IPv6', 200, { remoteAddress: '::1' }],
    ['this machine on a dual-stack socket', 200, { remoteAddress: '::ffff:127.0.0.1' }],
    ['another machine', 403, { remoteAddress: '192.168.1.9' }],
    ['another machine by IPv6', 403, { remoteAddress: 'fd00::9' }],
    [
      'a web page on this machine',
      403,
      { remoteAddress: '127.0.0.1', headers: { origin: 'http://a.example' } },
    ],
  ])('%s: %s', async (_name, status, from) => {
    expect((await post(`/peers/${NAME}/reset`, {}, from)).statusCode).toBe(status);
    expect(asked).toHaveLength(status === 200 ? 1 : 0);
  });

  test('nobody where the agent gives no actions', async () => {
    const showing = createApi({ source: sourceOf() });
    expect(
      (await showing.inject({ method: 'POST', url: `/peers/${NAME}/reset`, payload: {} })).statusCode,
    ).toBe(404);
  });

  test('any other method is a 405 that names POST', async () => {
    const given = await api.inject(`/peers/${NAME}/reset`);
    expect([given.statusCode, given.headers['allow']]).toEqual([405, 'POST']);
  });
});

describe('podroute peer', () => {
  let url = '';
  beforeAll(async () => {
    url = (await listen(api, { type: 'tcp', host: '127.0.0.1', port: 0 })).replace('http://', '');
  });
  afterAll(() => api.close());

  async function podroute(...line: readonly string[]) {
    let out = '';
    const write = (text: string) => {
      out += text;
    };
    const hooks = { version: '1.2.3', kernelRoutes: async () => [] };
    const io = { stdout: { write }, stderr: { write }, env: { PODROUTE_API: url } };
    return { exit: await runCommand(commands.peer, line, io, hooks), out };
  }

  test('shutdown NAME TEXT', async () => {
    const { exit, out } = await podroute('shutdown', NAME, 'rack is moved');
    expect(asked).toEqual([`shutdown ${NAME} "rack is moved"`]);
    expect([exit, out]).toEqual([
      0,
      `${NAME} is shut down, until "podroute peer enable ${NAME}" or the next start of the agent.\n`,
    ]);
  });

  test('reset and enable, as JSON too', async () => {
    expect((await podroute('reset', NAME)).out).toBe(`${NAME} is reset.\n`);
    expect(JSON.parse((await podroute('enable', NAME, '-o', 'json')).out)).toEqual({
      peer: NAME,
      action: 'enable',
    });
    expect(asked).toEqual([`reset ${NAME} ""`, `enable ${NAME} ""`]);
  });

  test.each<[string, readonly string[], RegExp]>([
    ['no action', [], /say what to do: shutdown, reset, enable/],
    ['another action', ['kill', 'tor'], /it was "kill"/],
    ['no name', ['reset'], /reset needs the name or the address of a peer/],
    ['a text without a use', ['enable', 'tor', 'text'], /enable sends no text/],
    ['too many words', ['shutdown', 'tor', 'two', 'words'], /unexpected argument "words"/],
    ['an unknown peer', ['reset', 'nobody'], /No peer has the name or address "nobody"/],
  ])('%s is a usage error', async (_name, line, text) => {
    const { exit, out } = await podroute(...line);
    expect(exit).toBe(2);
    expect(out).toMatch(text);
    expect(asked).toEqual([]);
  });
});
