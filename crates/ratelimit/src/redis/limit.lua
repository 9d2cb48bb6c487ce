-- KEYS: the state of each ask. ARGV: verb, time in microseconds (0: the server's), and for each key: the number of its
-- decision, cost, width, span, limit, 1 if enforced else 0, bytes of a cost (0: a bucket of tokens), bucket (of a release).
-- The asks of a decision stand together, and are admitted together or not at all; decisions are made in order.
-- Returns for each key: used before, wait, reset, bucket. Every number is an integer below 2^53.
--
-- The state of a bucket of tokens is the microsecond at which it is full again; a unit comes back in every width. All else is
-- a log of costs in numbered buckets of time, oldest first: in memory one flat array of numbers and costs, of which `first`
-- and `last` bound what counts. Flat, and every field named at the start, because tables are what a script's time goes into.
local verb, clock = ARGV[1], tonumber(ARGV[2])
if clock == 0 then
  local time = redis.call('TIME')
  clock = tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function format(bytes, entries)
  return '>' .. string.rep('I7I' .. bytes, entries)
end

local function read(key, at)
  local bytes, raw = ARGV[at + 6], redis.call('GET', key) or ''
  local s = {
    key = key, width = tonumber(ARGV[at + 2]), span = tonumber(ARGV[at + 3]), limit = tonumber(ARGV[at + 4]),
    tokens = bytes == '0', bytes = bytes, now = clock, bucket = clock, full_at = 0, log = false, first = 1, last = 0,
    used = 0, changed = false,
  }
  if s.tokens then
    if raw ~= '' then s.full_at = struct.unpack('>I7', raw) end
    s.used = math.min(math.ceil(math.max(s.full_at - clock, 0) / s.width), s.limit)
    return s
  end
  local entries = #raw / (7 + bytes)
  s.log, s.last = {struct.unpack(format(bytes, entries), raw)}, 2 * entries
  -- A clock that went back is not believed: limits become stricter, never looser.
  if entries > 0 then s.now = math.max(clock, s.log[s.last - 1] * s.width) end
  s.bucket = math.floor(s.now / s.width)
  for i = 1, s.last, 2 do
    if (s.log[i] + s.span) * s.width > s.now then
      s.used = s.used + s.log[i + 1]
    else
      s.first = i + 2
    end
  end
  return s
end

-- How long until nothing counts any more.
local function reset(s)
  if s.tokens then return math.max(s.full_at - s.now, 0) end
  if s.first > s.last then return 0 end
  return (s.log[s.last - 1] + s.span) * s.width - s.now
end

-- How long until there is room.
local function wait(s, cost)
  if s.tokens then return math.max(reset(s) + (cost - s.limit) * s.width, 0) end
  local excess, room_at = s.used + cost - s.limit, s.now
  for i = s.first, s.last, 2 do
    if excess <= 0 then break end
    excess = excess - s.log[i + 1]
    room_at = (s.log[i] + s.span) * s.width
  end
  return room_at - s.now
end

local function charge(s, units)
  s.used, s.changed = s.used + units, true
  if s.tokens then
    s.full_at = math.max(s.full_at, s.now) + units * s.width
  elseif s.first <= s.last and s.log[s.last - 1] == s.bucket then
    s.log[s.last] = s.log[s.last] + units
  else
    s.log[s.last + 1], s.log[s.last + 2], s.last = s.bucket, units, s.last + 2
  end
end

local function release(s, units, target)
  s.changed = true
  if s.tokens then
    -- A token that came back by itself must not come back twice.
    local left = math.max(units * s.width - math.max(s.now - target, 0), 0)
    s.full_at = math.max(s.full_at - left, 0)
    return
  end
  local kept, last = {}, 0
  for i = s.first, s.last, 2 do
    local cost = s.log[i + 1]
    if s.log[i] == target then cost = math.max(cost - units, 0) end
    if cost > 0 then
      kept[last + 1], kept[last + 2], last = s.log[i], cost, last + 2
    end
  end
  s.log, s.first, s.last = kept, 1, last
end

local function write(s)
  local lives = reset(s)
  if lives <= 0 then return redis.call('DEL', s.key) end
  local raw
  if s.tokens then
    raw = struct.pack('>I7', s.full_at)
  else
    raw = struct.pack(format(s.bytes, (s.last - s.first + 1) / 2), unpack(s.log, s.first, s.last))
  end
  -- A minute longer than it counts, so that a server clock that is set forward a little forgets nothing.
  redis.call('SET', s.key, raw, 'PX', string.format('%.0f', math.ceil(lives / 1000) + 60000))
end

local answer, answered = {}, 0

local function decide(asks, count)
  local admitted = true
  for i = 1, count do
    local ask = asks[i]
    ask.used, ask.wait = ask.state.used, wait(ask.state, ask.cost)
    ask.fits = ask.used + ask.cost <= ask.state.limit
    admitted = admitted and (ask.fits or not ask.enforced)
  end
  for i = 1, count do
    local ask = asks[i]
    local s = ask.state
    if verb == 'charge' and admitted and ask.fits then
      charge(s, ask.cost)
    elseif verb == 'surcharge' and ask.used < s.limit then
      charge(s, math.min(ask.cost, s.limit - ask.used))
    elseif verb == 'release' then
      release(s, ask.cost, ask.target)
    end
    answer[answered + 1], answer[answered + 2] = ask.used, ask.wait
    answer[answered + 3], answer[answered + 4] = reset(s), s.bucket
    answered = answered + 4
  end
end

-- Each key is read once and written once, however many decisions ask it.
local states, asks, count, decision = {}, {}, 0, ''
for i, key in ipairs(KEYS) do
  local at = 8 * i - 5
  if ARGV[at] ~= decision then
    decide(asks, count)
    count, decision = 0, ARGV[at]
  end
  local s = states[key] or read(key, at)
  states[key], count = s, count + 1
  asks[count] = {
    state = s, cost = tonumber(ARGV[at + 1]), enforced = ARGV[at + 5] == '1', target = tonumber(ARGV[at + 7]),
    used = 0, wait = 0, fits = false,
  }
end
decide(asks, count)
for _, s in pairs(states) do
  if s.changed then write(s) end
end
return answer
