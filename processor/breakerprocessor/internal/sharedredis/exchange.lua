-- Takes what one collector counted and decided, and answers with what changed since it last asked.
--
-- Every record is the sum of what all collectors told of one breaker; merge is breaker.Merge of the SDK, and a test
-- holds them equal. Times and generations are decimal numbers of fixed length: compared as text, since Lua's numbers
-- end at 2^53.
--
-- KEYS: 1 state   hash: id of this store, seq of its last change
--       2 changes sorted set: breaker by the number of its last change
--       3 records hash: breaker to record
--       4 session hash of the asking collector: batch that was taken last, cursor that it has read up to
-- ARGV: 1 number of this batch, one that was taken before is not taken again
--       2 cursor to read on from; '' goes on where this session's last call ended
--       3 how many records to answer with
--       4 the oldest bucket that still matters
--       5 how many failures in a row matter
--       6 how many breakers to keep
--       7 how long to keep all without any change, in seconds
--       8 the id of this store if it has none yet
--       9 the id that the store should have, '' for any: of another one nothing is known yet
--       10 breaker, 11 record, and so on
local state, changes, records, session = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local limit, oldest, longest, keep, ttl = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]
local most, most_probes = 1073741824, 1000

-- A decision wins by the higher generation, else the earlier, else the smaller source, else being open.
local function wins(p, q)
  if p.generation ~= q.generation then return p.generation > q.generation end
  if p.at ~= q.at then return p.at < q.at end
  if p.source ~= q.source then return p.source < q.source end
  return p.state > q.state
end

local function add_probes(p, q)
  if not p or not q then return p or q end
  if p.generation ~= q.generation then return p.generation > q.generation and p or q end
  p.successes = math.min(p.successes + q.successes, most_probes)
  return p
end

local function merge(a, b)
  if a.epoch < b.epoch then a, b = b, a end
  if b.phase and (not a.phase or wins(b.phase, a.phase)) then a.phase = b.phase end
  a.probes = add_probes(a.probes, b.probes)
  if a.epoch ~= b.epoch then return a end
  a.buckets = a.buckets or {}
  for bucket, counts in pairs(b.buckets or {}) do
    local sum = a.buckets[bucket]
    if sum then
      for i = 1, 4 do sum[i] = math.min(sum[i] + counts[i], most) end
    else
      a.buckets[bucket] = counts
    end
  end
  if b.last_success and (not a.last_success or b.last_success > a.last_success) then a.last_success = b.last_success end
  local streak = a.streak or {}
  for _, t in ipairs(b.streak or {}) do streak[#streak + 1] = t end
  a.streak = streak
  return a
end

-- Leaves out what no longer matters.
local function trim(r)
  if r.streak then
    local streak = {}
    for _, t in ipairs(r.streak) do
      if not r.last_success or t > r.last_success then streak[#streak + 1] = t end
    end
    table.sort(streak)
    while #streak > longest do table.remove(streak, 1) end
    r.streak = #streak > 0 and streak or nil
  end
  for bucket in pairs(r.buckets or {}) do
    if tonumber(bucket) < oldest then r.buckets[bucket] = nil end
  end
  if r.buckets and next(r.buckets) == nil then r.buckets = nil end
  return r
end

local function sum_up(known, news)
  if known then
    local ok, sum = pcall(function() return cjson.encode(trim(merge(cjson.decode(known), cjson.decode(news)))) end)
    if ok then return sum end -- else somebody else wrote it
  end
  return cjson.encode(trim(cjson.decode(news)))
end

local id = redis.call('HGET', state, 'id')
if not id then
  id = ARGV[8]
  redis.call('HSET', state, 'id', id)
end
if ARGV[9] ~= '' and ARGV[9] ~= id then return { id, '0' } end

if tonumber(ARGV[1]) > tonumber(redis.call('HGET', session, 'batch') or '0') then
  for i = 10, #ARGV, 2 do
    local breaker = ARGV[i]
    redis.call('HSET', records, breaker, sum_up(redis.call('HGET', records, breaker), ARGV[i + 1]))
    redis.call('ZADD', changes, redis.call('HINCRBY', state, 'seq', 1), breaker)
  end
  redis.call('HSET', session, 'batch', ARGV[1])
  local excess = redis.call('ZCARD', changes) - keep
  if excess > 0 then
    for _, breaker in ipairs(redis.call('ZRANGE', changes, 0, excess - 1)) do redis.call('HDEL', records, breaker) end
    redis.call('ZREMRANGEBYRANK', changes, 0, excess - 1)
  end
end

local cursor = ARGV[2]
if cursor == '' then cursor = redis.call('HGET', session, 'cursor') or '0' end
local found = redis.call('ZRANGEBYSCORE', changes, '(' .. cursor, '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
local reply = { id, cursor }
for i = 1, #found, 2 do
  reply[#reply + 1] = found[i]
  reply[#reply + 1] = redis.call('HGET', records, found[i]) or ''
  reply[2] = found[i + 1]
end
redis.call('HSET', session, 'cursor', reply[2])
for i = 1, 4 do redis.call('EXPIRE', KEYS[i], ttl) end
return reply
