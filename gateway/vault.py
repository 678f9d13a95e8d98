"""The vault: providers' access tokens, sealed in Redis for all workers, and remembered in each."""

import asyncio
import struct

from config.clock import Clock
from gateway.sealed import Broken, Seal
from providers.base.vault import Fetch
from ratelimit.link import Link, RedisUnavailable

LOCK_MILLISECONDS = 12_000
POLL_SECONDS = 0.05
_EXPIRY = struct.Struct("!d")


class RedisVault:
    """Implements `providers.base.vault.Vault`."""

    def __init__(self, link: Link, seal: Seal, clock: Clock) -> None:
        """Remembers nothing yet."""
        self._link = link
        self._seal = seal
        self._clock = clock
        self._memory: dict[str, tuple[float, bytes]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def get(self, name: str) -> bytes | None:
        """From memory while it holds, else from Redis."""
        expiry, value = self._memory.get(name, (0.0, b""))
        if expiry > self._clock():
            return value
        return await self._read(name)

    async def once(self, name: str, fetch: Fetch, *, other_than: bytes | None = None) -> bytes:
        """See `Vault.once`: one at a time in this worker by a lock, among workers by a key of Redis."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            expiry, value = self._memory.get(name, (0.0, b""))
            if expiry > self._clock() and value != other_than:
                return value
            lock = _key(name) + b":lock"
            try:
                while await self._link.send(lock, b"SET", lock, b"1", b"NX", b"PX", LOCK_MILLISECONDS) is None:
                    await asyncio.sleep(POLL_SECONDS)
                    found = await self._read(name)
                    if found is not None and found != other_than:
                        return found
            except RedisUnavailable:
                return await self._fetch(name, fetch)
            try:
                found = await self._read(name)
                return found if found is not None and found != other_than else await self._fetch(name, fetch)
            finally:
                await asyncio.shield(self._release(lock))

    async def _fetch(self, name: str, fetch: Fetch) -> bytes:
        value, seconds = await fetch()
        expiry = self._clock() + seconds
        self._memory[name] = (expiry, value)
        if seconds > 0:
            key = _key(name)
            sealed = self._seal.seal(_EXPIRY.pack(expiry) + value, key)
            try:
                await self._link.send(key, b"SET", key, sealed, b"EX", seconds)
            except RedisUnavailable:
                return value
        return value

    async def _read(self, name: str) -> bytes | None:
        key = _key(name)
        try:
            sealed = await self._link.send(key, b"GET", key)
        except RedisUnavailable:
            return None
        if not isinstance(sealed, bytes):
            return None
        try:
            opened = self._seal.open(sealed, key)
        except Broken:
            return None
        self._memory[name] = (_EXPIRY.unpack_from(opened)[0], opened[_EXPIRY.size :])
        return self._memory[name][1]

    async def _release(self, lock: bytes) -> None:
        try:
            await self._link.send(lock, b"DEL", lock)
        except RedisUnavailable:
            return


def _key(name: str) -> bytes:
    return b"octroi:{v:" + name.encode() + b"}"
