-- Registry state of a token, kept only where it is newer than what is stored.
-- KEYS: its state. ARGV: version, packed data, seconds to keep it.
local stored = redis.call('HGET', KEYS[1], 'v')
if stored and tonumber(stored) >= tonumber(ARGV[1]) then
  return tonumber(stored)
end
redis.call('HSET', KEYS[1], 'v', ARGV[1], 'd', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return tonumber(ARGV[1])
