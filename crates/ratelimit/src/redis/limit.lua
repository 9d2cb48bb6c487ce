-- KEYS: the state of each ask. ARGV: verb, cost, time in microseconds (0: the server's), and for each key:
-- width, span, limit, 1 if enforced else 0, bytes of a cost (0: a bucket of tokens), bucket (of a release).
-- Returns for each key: used before, wait, reset, bucket. Every number is an integer below 2^53.
local verb, cost, clock = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if clock == 0 then
  local time = redis.call('TIME')
  clock = tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function save(key, state, lives)
  if lives <= 0 then
    redis.call('DEL', key)
  else
    -- A minute longer than it counts, so that a server clock that is set forward a little forgets nothing.
    redis.call('SET', key, state, 'PX', string.format('%.0f', math.ceil(lives / 1000) + 60000))
  end
end

-- Costs in buckets of time, oldest first.
local Charges = {}
Charges.__index = Charges

function Charges.load(ask, raw)
  local log, from, entry = {}, 1, '>I7I' .. ask.bytes
  while from <= #raw do
    local bucket, units
    bucket, units, from = struct.unpack(entry, raw, from)
    log[#log + 1] = {bucket, units}
  end
  -- A clock that went back is not believed: limits become stricter, never looser.
  ask.now = clock
  if #log > 0 then ask.now = math.max(clock, log[#log][1] * ask.width) end
  ask.bucket = math.floor(ask.now / ask.width)
  ask.log, ask.entry, ask.used, ask.wait = {}, entry, 0, 0
  for _, charge in ipairs(log) do
    if (charge[1] + ask.span) * ask.width > ask.now then
      ask.log[#ask.log + 1] = charge
      ask.used = ask.used + charge[2]
    end
  end
  local excess = ask.used + cost - ask.limit
  for _, charge in ipairs(ask.log) do
    if excess <= 0 then break end
    excess = excess - charge[2]
    ask.wait = (charge[1] + ask.span) * ask.width - ask.now
  end
end

function Charges:reset()
  if #self.log == 0 then return 0 end
  return (self.log[#self.log][1] + self.span) * self.width - self.now
end

function Charges:save()
  local parts = {}
  for i, charge in ipairs(self.log) do parts[i] = struct.pack(self.entry, charge[1], charge[2]) end
  save(self.key, table.concat(parts), self:reset())
end

function Charges:charge(units)
  local newest = self.log[#self.log]
  if newest and newest[1] == self.bucket then
    newest[2] = newest[2] + units
  else
    self.log[#self.log + 1] = {self.bucket, units}
  end
  self:save()
end

function Charges:release()
  local kept = {}
  for _, entry in ipairs(self.log) do
    if entry[1] == self.target then entry[2] = math.max(entry[2] - cost, 0) end
    if entry[2] > 0 then kept[#kept + 1] = entry end
  end
  self.log = kept
  self:save()
end

-- A bucket of tokens, as the microsecond at which it is full again; a unit comes back in every width.
local Tokens = {}
Tokens.__index = Tokens

function Tokens.load(ask, raw)
  ask.now, ask.bucket, ask.full_at = clock, clock, 0
  if #raw > 0 then ask.full_at = struct.unpack('>I7', raw) end
  ask.used = math.min(math.ceil(ask:reset() / ask.width), ask.limit)
  ask.wait = math.max(ask:reset() + (cost - ask.limit) * ask.width, 0)
end

function Tokens:reset()
  return math.max(self.full_at - self.now, 0)
end

function Tokens:save()
  save(self.key, struct.pack('>I7', self.full_at), self:reset())
end

function Tokens:charge(units)
  self.full_at = math.max(self.full_at, self.now) + units * self.width
  self:save()
end

-- A token that came back by itself must not come back twice.
function Tokens:release()
  local left = math.max(cost * self.width - math.max(self.now - self.target, 0), 0)
  self.full_at = math.max(self.full_at - left, 0)
  self:save()
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
    bytes = tonumber(ARGV[at + 4]),
    target = tonumber(ARGV[at + 5]),
  }
  local kind = ask.bytes == 0 and Tokens or Charges
  kind.load(setmetatable(ask, kind), redis.call('GET', key) or '')
  ask.fits = ask.used + cost <= ask.limit
  admitted = admitted and (ask.fits or not ask.enforced)
  asks[i] = ask
end

local answer = {}
for _, ask in ipairs(asks) do
  if verb == 'charge' and admitted and ask.fits then
    ask:charge(cost)
  elseif verb == 'surcharge' then
    local units = math.min(cost, ask.limit - ask.used)
    if units > 0 then ask:charge(units) end
  elseif verb == 'release' then
    ask:release()
  end
  for _, number in ipairs({ask.used, ask.wait, ask:reset(), ask.bucket}) do answer[#answer + 1] = number end
end
return answer
