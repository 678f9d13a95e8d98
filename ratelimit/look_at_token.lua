-- What the registry says of a token, and its counters of the minute.
-- KEYS: its state, then its counters. ARGV: the version the caller knows, or nothing for a subject without state;
-- then the calls to count, 0 to look.
local known = ARGV[1]
if known ~= '' then
  local version = redis.call('HGET', KEYS[1], 'v')
  if version ~= known then
    -- An older one is what a failover left of it: as good as none, lest a revocation be forgotten.
    if not version or tonumber(version) < tonumber(known) then
      return {-1}
    end
    return {-2, tonumber(version), redis.call('HGET', KEYS[1], 'd')}
  end
end

local time = redis.call('TIME')
local window = math.floor(time[1] / 60)
local by = tonumber(ARGV[2])
local answer = {time[1] * 1000 + math.floor(time[2] / 1000)}
for i = 2, #KEYS do
  if by > 0 then
    local count = redis.call('HINCRBY', KEYS[i], window, by)
    if count == by then
      redis.call('EXPIREAT', KEYS[i], (window + 1) * 60)
    end
    answer[i] = count
  else
    answer[i] = tonumber(redis.call('HGET', KEYS[i], window) or 0)
  end
end
return answer
