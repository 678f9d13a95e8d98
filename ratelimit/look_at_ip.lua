-- Is this block of addresses banned, and is one of these requests one too many?
-- KEYS: its ban, its requests of the minute.
-- ARGV: requests allowed in a minute, length of a ban in seconds, requests to count, 0 to look.
local ban = redis.call('GET', KEYS[1])
if ban then
  local ends, since, reason = string.match(ban, '^(%d+) (%d+) (.*)$')
  return {1, tonumber(ends), reason, tonumber(since)}
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local window = math.floor(time[1] / 60)
local by = tonumber(ARGV[3])
if by == 0 then
  return {0, tonumber(redis.call('HGET', KEYS[2], window) or 0), now}
end

-- The count is kept under the number of its window, so that a clock set back never revives an old count.
local count = redis.call('HINCRBY', KEYS[2], window, by)
if count == by then
  redis.call('EXPIREAT', KEYS[2], (window + 1) * 60)
end
if count <= tonumber(ARGV[1]) then
  return {0, count, now}
end

local ends = now + ARGV[2] * 1000
redis.call('SET', KEYS[1], string.format('%.0f %.0f ceiling', ends, now), 'PXAT', ends)
return {2, ends, 'ceiling', now, count}
