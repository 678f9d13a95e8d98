"""Quotas and bans: the Redis functions, the groups, the RateLimit headers."""
