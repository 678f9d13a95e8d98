-- What an operator sees of a block of addresses; counts nothing.
-- KEYS: its ban, its requests of the minute, its refusals. ARGV: the window of refusals in milliseconds.
local ends, since, reason = 0, 0, ''
local ban = redis.call('GET', KEYS[1])
if ban then
  ends, since, reason = string.match(ban, '^(%d+) (%d+) (.*)$')
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local requests = redis.call('HGET', KEYS[2], math.floor(time[1] / 60)) or 0
local refusals = 0
for _, moment in ipairs(redis.call('LRANGE', KEYS[3], 0, -1)) do
  if now - moment < tonumber(ARGV[1]) then
    refusals = refusals + 1
  end
end
return {tonumber(ends), reason, tonumber(since), tonumber(requests), refusals, now}
