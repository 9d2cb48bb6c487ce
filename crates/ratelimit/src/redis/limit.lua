-- KEYS: the state of each ask. ARGV: verb, cost, time in microseconds (0: the server's), and for each key:
-- width, span, limit, 1 if enforced else 0, bytes of a cost, bucket (of a release).
-- Returns for each key: used before, wait, reset, bucket. Every number is an integer below 2^53.
local verb, cost, clock = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if clock == 0 then
  local time = redis.call('TIME')
  clock = tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local asks, admitted = {}, true
for i, key in ipairs(KEYS) do
  local at = 6 * i - 2
  local ask = {
    key = key,
    width = tonumber(ARGV[at]),
    span = tonumber(ARGV[at + 1]),
    limit = tonumber(ARGV[at + 2]),
    enforced = ARGV[at + 3] == '1',
    entry = '>I7I' .. ARGV[at + 4],
    target = tonumber(ARGV[at + 5]),
    log = {}, used = 0, wait = 0, reset = 0,
  }
  local raw, log, from = redis.call('GET', key) or '', {}, 1
  while from <= #raw do
    local bucket, units
    bucket, units, from = struct.unpack(ask.entry, raw, from)
    log[#log + 1] = {bucket, units}
  end
  -- A clock that went back is not believed: limits become stricter, never looser.
  ask.now = clock
  if #log > 0 then ask.now = math.max(clock, log[#log][1] * ask.width) end
  ask.bucket = math.floor(ask.now / ask.width)
  for _, charge in ipairs(log) do
    if (charge[1] + ask.span) * ask.width > ask.now then
      ask.log[#ask.log + 1] = charge
      ask.used = ask.used + charge[2]
    end
  end
  local excess = ask.used + cost - ask.limit
  ask.fits = excess <= 0
  for _, charge in ipairs(ask.log) do
    if excess <= 0 then break end
    excess = excess - charge[2]
    ask.wait = (charge[1] + ask.span) * ask.width - ask.now
  end
  admitted = admitted and (ask.fits or not ask.enforced)
  asks[i] = ask
end

local function save(ask)
  local parts = {}
  for i, charge in ipairs(ask.log) do parts[i] = struct.pack(ask.entry, charge[1], charge[2]) end
  if #parts == 0 then
    redis.call('DEL', ask.key)
  else
    -- A minute longer than it counts, so that a server clock that is set forward a little forgets nothing.
    local lives = (ask.log[#ask.log][1] + ask.span) * ask.width - ask.now
    redis.call('SET', ask.key, table.concat(parts), 'PX', string.format('%.0f', math.ceil(lives / 1000) + 60000))
  end
end

local function charge(ask, units)
  local newest = ask.log[#ask.log]
  if newest and newest[1] == ask.bucket then
    newest[2] = newest[2] + units
  else
    ask.log[#ask.log + 1] = {ask.bucket, units}
  end
  save(ask)
end

local answer = {}
for _, ask in ipairs(asks) do
  if verb == 'charge' and admitted and ask.fits then
    charge(ask, cost)
  elseif verb == 'surcharge' then
    local units = math.min(cost, ask.limit - ask.used)
    if units > 0 then charge(ask, units) end
  elseif verb == 'release' then
    local kept = {}
    for _, entry in ipairs(ask.log) do
      if entry[1] == ask.target then entry[2] = math.max(entry[2] - cost, 0) end
      if entry[2] > 0 then kept[#kept + 1] = entry end
    end
    ask.log = kept
    save(ask)
  end
  if #ask.log > 0 then ask.reset = (ask.log[#ask.log][1] + ask.span) * ask.width - ask.now end
  for _, number in ipairs({ask.used, ask.wait, ask.reset, ask.bucket}) do answer[#answer + 1] = number end
end
return answer
