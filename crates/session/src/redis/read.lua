-- What is kept for a token, if nothing has been forgotten of it since; the stamp of now, and the time in milliseconds.
--
-- KEYS: the entry, the stamp that every change replaces. ARGV: the prefix of names, a new stamp.
local value = redis.call('GET', KEYS[1])
if value then
    local names = {}
    for i = 0, 3 do
        names[i + 1] = ARGV[1] .. string.sub(value, i * 16 + 1, i * 16 + 16)
    end
    local now = redis.call('MGET', unpack(names))
    for i = 0, 3 do
        -- A missing stamp is false, which equals no text.
        if now[i + 1] ~= string.sub(value, i * 24 + 65, i * 24 + 88) then
            value = nil
            break
        end
    end
end
local latest = redis.call('GET', KEYS[2])
if not latest then
    latest = ARGV[2]
    redis.call('SET', KEYS[2], latest)
end
local time = redis.call('TIME')
return {value or '', latest, time[1] * 1000 + math.floor(time[2] / 1000)}
