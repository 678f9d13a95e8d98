-- One more request refused with 429: the N-th within the window bans its block of addresses.
-- KEYS: its ban, the moments of its last refusals, newest first.
-- ARGV: N, the window in milliseconds, length of a ban in seconds.
local ban = redis.call('GET', KEYS[1])
if ban then
  local ends, since, reason = string.match(ban, '^(%d+) (%d+) (.*)$')
  return {1, tonumber(ends), 0, tonumber(since), reason}
end

local most = tonumber(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local length = redis.call('LPUSH', KEYS[2], now)
if length > most then
  redis.call('LTRIM', KEYS[2], 0, most - 1)
  length = most
end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
if length < most or now - redis.call('LINDEX', KEYS[2], most - 1) >= tonumber(ARGV[2]) then
  return {0, 0, length}
end

local ends = now + ARGV[3] * 1000
redis.call('SET', KEYS[1], string.format('%.0f %.0f refusals', ends, now), 'PXAT', ends)
redis.call('DEL', KEYS[2])
return {1, ends, length, now, 'refusals'}
