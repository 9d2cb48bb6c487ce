-- Keeps an entry, if nothing at all has changed since the reading that it comes from began.
--
-- KEYS: the entry, the stamp that every change replaces, the stamps of the session, its user, its tenant and everybody.
-- ARGV: that stamp and the time when the reading began, for how long it may be believed, a new stamp, the names of the last four keys,
-- the sealed record. Times are in milliseconds, by this server's clock.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
    return 0
end
local time = redis.call('TIME')
local longest = tonumber(ARGV[3])
local left = tonumber(ARGV[2]) + longest - (time[1] * 1000 + math.floor(time[2] / 1000))
if left <= 0 or left > longest then
    return 0
end
local stamps = {}
for i = 3, 6 do
    local stamp = redis.call('GET', KEYS[i]) or ARGV[4]
    redis.call('SET', KEYS[i], stamp, 'PX', longest * 2)
    stamps[i - 2] = stamp
end
redis.call('SET', KEYS[1], ARGV[5] .. table.concat(stamps) .. ARGV[6], 'PX', left)
return 1
