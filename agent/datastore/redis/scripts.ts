/**
 * What Redis does at one stroke: the scripts, and the keys that they work on.
 *
 * Owns: the Lua texts and the names of the keys. Must not know: who calls, when. Pure.
 *
 * All keys have one hash tag, so that a Redis Cluster keeps them on one node. Manifests are never decoded here: cjson
 * makes an empty list a mapping, and rounds numbers. Removals come first, because a Redis that is full takes writes
 * after them in the same script, and takes none at all otherwise: then nothing has been done.
 */

/** The keys of a mesh, in the order in which every script gets them, and the channel. */
export function keysOf(prefix: string): { readonly keys: readonly string[]; readonly channel: string } {
  const names = ['resources', 'revision', 'epoch', 'signs', 'rivals'];
  return { keys: names.map((name) => `{${prefix}}:${name}`), channel: `{${prefix}}:changes` };
}

/** Where the field of a resource is: `HGET {podroute}:resources Kind/name`. */
export function resourcesKey(prefix: string): string {
  return `{${prefix}}:resources`;
}

/** A message that is longer is a call to read. */
const LONGEST_MESSAGE_BYTES = 65_536;

const COMMON = `
local resources, revision, epoch, signs, rivals = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

local function versionOf(entry) return string.match(entry, '^{"resourceVersion":"([^"]*)"') end
local function createdOf(entry) return string.match(entry, '^{"resourceVersion":"[^"]*","created":(%d+)') end

local function clock()
  local time = redis.call('time')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Writes {field, manifest or false} pairs as the next revision, and tells of them.
local function write(channel, newEpoch, word, changes)
  local from = redis.call('get', revision) or ''
  local number = string.format('%.0f', (tonumber(string.match(from, '^%d+') or '0')) + 1)
  local to = number .. '-' .. word
  local told = {}
  for _, change in ipairs(changes) do
    if not change[2] then
      redis.call('hdel', resources, change[1])
      told[#told + 1] = '[' .. cjson.encode(change[1]) .. ',null]'
      local node = string.match(change[1], '^Node/(.*)$')
      if node then
        redis.call('hdel', signs, node)
        redis.call('hdel', rivals, node)
      end
    end
  end
  for _, change in ipairs(changes) do
    if change[2] then
      local old = redis.call('hget', resources, change[1])
      local entry = '{"resourceVersion":"' .. to .. '","created":' .. (old and createdOf(old) or number)
        .. ',"manifest":' .. change[2] .. '}'
      redis.call('hset', resources, change[1], entry)
      told[#told + 1] = '[' .. cjson.encode(change[1]) .. ',' .. entry .. ']'
    end
  end
  redis.call('set', revision, to)
  redis.call('set', epoch, newEpoch, 'nx')
  local heading = '["' .. redis.call('get', epoch) .. '","' .. from .. '","' .. to .. '",'
  local list = table.concat(told, ',')
  if #list > ${LONGEST_MESSAGE_BYTES} then list = 'null' else list = '[' .. list .. ']' end
  redis.call('publish', channel, heading .. list .. ']')
end
`;

/** A script by its text; the names are for the reader. */
export interface Script {
  readonly lua: string;
}

/**
 * Everything, unless the reader has it.
 * ARGV: epoch, revision and number of resources that the reader knows.
 * Answer: epoch, revision, 1 where that is still so, else 0 and a list of field, entry, field, entry...
 */
export const READ: Script = {
  lua: `${COMMON}
local now = {redis.call('get', epoch) or '', redis.call('get', revision) or ''}
local count = redis.call('hlen', resources)
if now[1] == ARGV[1] and now[2] == ARGV[2] and count == tonumber(ARGV[3]) then
  return {now[1], now[2], 1, {}}
end
return {now[1], now[2], 0, redis.call('hgetall', resources)}`,
};

/** Where the store is: epoch, revision, number of resources. ARGV: none. */
export const HEAD: Script = {
  lua: `${COMMON}
return {redis.call('get', epoch) or '', redis.call('get', revision) or '', redis.call('hlen', resources)}`,
};

/**
 * All changes, or none.
 * ARGV: channel, epoch for an empty store, word of chance; then of each change field, 'any', 'absent' or '=VERSION',
 * and the manifest, empty for a removal.
 * Answer: 'done', or 'conflict' with field, entry (empty: none), field, entry...
 */
export const COMMIT: Script = {
  lua: `${COMMON}
local conflicts, changes = {'conflict'}, {}
for i = 4, #ARGV, 3 do
  local field, expected, manifest = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local entry = redis.call('hget', resources, field)
  local fits = expected == 'any'
  if expected == 'absent' then fits = not entry end
  if string.sub(expected, 1, 1) == '=' then fits = entry and '=' .. (versionOf(entry) or '') == expected end
  if not fits then
    conflicts[#conflicts + 1] = field
    conflicts[#conflicts + 1] = entry or ''
  elseif manifest ~= '' then
    changes[#changes + 1] = {field, manifest}
  elseif entry then
    changes[#changes + 1] = {field, false}
  end
end
if #conflicts > 1 then return conflicts end
if #changes > 0 then write(ARGV[1], ARGV[2], ARGV[3], changes) end
return {'done'}`,
};

/**
 * A block for a node, the first that nobody has.
 * ARGV: channel, epoch for an empty store, word of chance, field and version of the pool, the node as JSON; then the
 * candidates. Answer: 'claimed' and which, 'taken' or 'poolChanged'.
 */
export const CLAIM: Script = {
  lua: `${COMMON}
local pool = redis.call('hget', resources, ARGV[4])
if not pool or versionOf(pool) ~= ARGV[5] then return {'poolChanged'} end
for i = 7, #ARGV do
  local cidr = ARGV[i]
  local name = string.gsub(cidr, '[./:]', '-')
  local field = 'BlockAffinity/' .. name
  if redis.call('hexists', resources, field) == 0 then
    write(ARGV[1], ARGV[2], ARGV[3], {{field,
      '{"apiVersion":"projectcalico.org/v3","kind":"BlockAffinity","metadata":{"name":"' .. name
      .. '"},"spec":{"cidr":"' .. cidr .. '","node":' .. ARGV[6] .. ',"state":"confirmed"}}'}})
    return {'claimed', cidr}
  end
end
return {'taken'}`,
};

/**
 * A sign of life.
 * ARGV: node, instance, address, and after how many milliseconds of silence another gives way; then how long a rival is
 * told of. Answer: the clock in milliseconds, the holder's sign, the rival's (each may be empty), and a list of node,
 * sign, node, sign...
 */
export const BEAT: Script = {
  lua: `${COMMON}
local now = clock()
local function read(key)
  local text = redis.call('hget', key, ARGV[1])
  if not text then return nil, '' end
  local isJson, sign = pcall(cjson.decode, text)
  if isJson and type(sign) == 'table' and tonumber(sign.atMs) then return sign, text end
  return nil, ''
end
-- A clock that went back must not make the dead live.
local function isFresh(sign, lifetime) return math.abs(now - sign.atMs) < tonumber(lifetime) end
local own = '{"instance":' .. cjson.encode(ARGV[2]) .. ',"address":' .. cjson.encode(ARGV[3])
  .. ',"atMs":' .. string.format('%.0f', now) .. '}'
local last, lastText = read(signs)
local holder, rival = '', ''
if last and last.instance ~= ARGV[2] and last.address ~= ARGV[3] and isFresh(last, ARGV[4]) then
  holder = lastText
  redis.call('hset', rivals, ARGV[1], own)
else
  redis.call('hset', signs, ARGV[1], own)
  local refused, refusedText = read(rivals)
  if refused and refused.instance ~= ARGV[2] and isFresh(refused, ARGV[5]) then rival = refusedText end
end
return {string.format('%.0f', now), holder, rival, redis.call('hgetall', signs)}`,
};

/** Who gave a sign. Answer: the clock in milliseconds, and a list of node, sign, node, sign... */
export const SIGNS: Script = {
  lua: `${COMMON}
return {string.format('%.0f', clock()), redis.call('hgetall', signs)}`,
};

/**
 * What a store has lost, put back, if it still is as it was found.
 * ARGV: channel; epoch, revision and number of resources as found; epoch for a store that has none; word of chance;
 * the number of the last revision that was known; then field, entry, field, entry... Answer: 1: it was, 0: it is not.
 */
export const REFILL: Script = {
  lua: `${COMMON}
local from = redis.call('get', revision) or ''
if (redis.call('get', epoch) or '') ~= ARGV[2] or from ~= ARGV[3] then return 0 end
if redis.call('hlen', resources) ~= tonumber(ARGV[4]) then return 0 end
for i = 8, #ARGV, 2 do redis.call('hsetnx', resources, ARGV[i], ARGV[i + 1]) end
local number = math.max(tonumber(string.match(from, '^%d+') or '0'), tonumber(ARGV[7])) + 1
local to = string.format('%.0f', number) .. '-' .. ARGV[6]
redis.call('set', revision, to)
redis.call('set', epoch, ARGV[5], 'nx')
redis.call('publish', ARGV[1], '["' .. redis.call('get', epoch) .. '","' .. from .. '","' .. to .. '",null]')
return 1`,
};

/** Whether a write would be taken: one that changes nothing anybody reads. ARGV: none. */
export const PROBE: Script = {
  lua: `${COMMON}
redis.call('hset', rivals, '', '')
redis.call('hdel', rivals, '')
return 1`,
};
