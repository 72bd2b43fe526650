/** Errors of Redis, its connections and TLS: how the store stands, and the remedy. */
import { describe, expect, test } from 'vitest';
import {
  isOfAnotherServer,
  sentenceOf,
  troubleOf,
  troubleOfHandshake,
} from '../../../../../agent/datastore/redis/trouble.js';

function reply(message: string): Error {
  const error = new Error(message);
  error.name = 'ReplyError';
  return error;
}

function failure(code: string): Error {
  return Object.assign(new Error(`connect ${code} 10.0.0.5:6379`), { code });
}

describe('what Redis answers', () => {
  test.each([
    ["READONLY You can't write against a read only replica.", 'is a read-only replica'],
    ['ERR Error running script: @user_script:9: -READONLY You cannot', 'is a read-only replica'],
    ["OOM command not allowed when used memory > 'maxmemory'.", 'is full (maxmemory)'],
    ['MISCONF Redis is configured to save RDB snapshots', 'cannot save to its disk'],
    ['NOREPLICAS Not enough good replicas to write.', 'has too few replicas'],
    ['NOAUTH Authentication required.', 'wants a password'],
    ['NOAUTH HELLO must be called with the client already authenticated', 'wants a password'],
    ['WRONGPASS invalid username-password pair or user is disabled.', 'refuses the user or the password'],
    ["NOPERM User x has no permissions to run the 'evalsha' command", 'see "Redis" in the README'],
    ["ERR The user executing the script can't run this command", 'see "Redis" in the README'],
    ['LOADING Redis is loading the dataset in memory', 'is loading its data'],
    ['MASTERDOWN Link with MASTER is down', 'has lost its master'],
    ['CLUSTERDOWN The cluster is down', 'not all of its slots are served'],
    ['TRYAGAIN Multiple keys request during rehashing of slot', 'moves our slot just now'],
    ['MOVED 866 127.0.0.1:7001', 'another of its nodes has our slot'],
    ['BUSY Redis is busy running a script.', 'SCRIPT KILL'],
    ['WRONGTYPE Operation against a key holding the wrong kind of value', 'choose another prefix'],
    ['ERR max number of clients reached', 'raise its maxclients'],
    ['DENIED Redis is running in protected mode', 'is in protected mode'],
    ['ERR DB index is out of range', 'does not have the database of the URL'],
    ["ERR unknown command 'HELLO'", 'use Redis 6.2 or later'],
    ['ERR something new', 'answers with an error (ERR something new)'],
  ])('%s', (message, sentence) => {
    const trouble = troubleOf(reply(message));
    expect(trouble.state).toBe('refusing');
    expect(trouble.reason).toContain(sentence);
    expect(trouble.reason, 'a remedy').toMatch(/;|\bREADME\b/);
  });
});

describe('what a connection fails with', () => {
  test.each([
    [failure('ECONNREFUSED'), 'refuses the connection; start Redis there'],
    [failure('ENOTFOUND'), 'has a name that cannot be resolved; correct it'],
    [failure('ETIMEDOUT'), 'does not answer; see whether it runs'],
    [failure('EHOSTUNREACH'), 'cannot be reached by the network'],
    [failure('ECONNRESET'), 'has cut the connection; see'],
    [failure('CERT_HAS_EXPIRED'), 'has a certificate that has expired; renew it'],
    [failure('ERR_TLS_CERT_ALTNAME_INVALID'), 'use a name that is in it'],
    [failure('SELF_SIGNED_CERT_IN_CHAIN'), 'name its file with ca='],
    [new Error('Command timed out'), 'does not answer; see whether it runs'],
    [new Error('Connection is closed.'), 'has cut the connection'],
    [
      new Error('error:0A00010B:SSL routines:ssl3_get_record:wrong version number'),
      'does not speak TLS there',
    ],
    [new Error('sslv3 alert bad certificate: SSL alert number 42'), 'refuses our certificate'],
    [new Error('what is this'), 'cannot be reached (what is this)'],
  ])('%s', (error, sentence) => {
    expect(troubleOf(error)).toEqual({ state: 'unreachable', reason: expect.stringContaining(sentence) });
  });

  test('a word of Redis in the text of another error means nothing', () => {
    expect(troubleOf(new Error('getaddrinfo LOADING')).state).toBe('unreachable');
  });

  test('a bug of ours is no trouble of the store', () => {
    expect(() => troubleOf(new TypeError('x is undefined'))).toThrow(TypeError);
  });

  test('with TLS, silence and a cut may be about the handshake', () => {
    expect(troubleOfHandshake(new Error('Connection is closed.')).reason).toContain('takes our certificate');
    expect(troubleOfHandshake(failure('ETIMEDOUT')).reason).toContain('speaks TLS');
    expect(troubleOfHandshake(failure('ECONNREFUSED')).reason).toContain('refuses the connection');
  });
});

test('a sentence begins with the store, and names its server where there are several', () => {
  const trouble = troubleOf(failure('ECONNREFUSED'));
  expect(sentenceOf('redis://h:1', trouble)).toMatch(/^redis:\/\/h:1 refuses the connection/);
  expect(sentenceOf('redis+sentinel://s:1/m', { ...trouble, server: 'Sentinel s:1' })).toMatch(
    /^redis\+sentinel:\/\/s:1\/m: Sentinel s:1 refuses the connection/,
  );
});

test('where there are several servers, another one may be the right one by now', () => {
  expect(isOfAnotherServer(reply('READONLY x'), 'sentinel')).toBe(true);
  expect(isOfAnotherServer(reply('MOVED 1 h:1'), 'cluster')).toBe(true);
  expect(isOfAnotherServer(reply('READONLY x'), 'server')).toBe(false);
  expect(isOfAnotherServer(reply('OOM x'), 'sentinel')).toBe(false);
});
