"""What is kept in Redis is sealed: AES-256-GCM, bound to the name under which it is kept, keys rotated newest first."""

import hashlib
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_ID_BYTES = 4
NONCE_BYTES = 12
HEAD_BYTES = KEY_ID_BYTES + NONCE_BYTES
_DRAWN = 256
"""Nonces drawn from the kernel at once: each drawing costs as much as the sealing itself."""


class Broken(Exception):
    """A sealed value that none of the keys opens: damaged, moved under another name, or sealed with a dropped key."""


class Seal:
    """Seals with the newest key, opens with any. A sealed value is key id, nonce, ciphertext."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """`keys` are 32 bytes each, newest first."""
        self._ciphers = {hashlib.sha256(key).digest()[:KEY_ID_BYTES]: AESGCM(key) for key in reversed(keys)}
        self._nonces: list[bytes] = []
        self._newest = hashlib.sha256(keys[0]).digest()[:KEY_ID_BYTES]

    def seal(self, plain: bytes, name: bytes) -> bytes:
        """The sealed value; its first `HEAD_BYTES` bytes are unlike those of any other."""
        nonce = self._nonce()
        return self._newest + nonce + self._ciphers[self._newest].encrypt(nonce, plain, name)

    def _nonce(self) -> bytes:
        try:
            return self._nonces.pop()  # atomic: no two threads get the same
        except IndexError:
            drawn = os.urandom(_DRAWN * NONCE_BYTES)
            nonce, *nonces = (drawn[start : start + NONCE_BYTES] for start in range(0, len(drawn), NONCE_BYTES))
            self._nonces += nonces
            return nonce

    def open(self, sealed: bytes, name: bytes) -> bytes:
        """What was sealed under that name. Raises Broken."""
        cipher = self._ciphers.get(sealed[:KEY_ID_BYTES])
        if cipher is None or len(sealed) < HEAD_BYTES:
            raise Broken
        try:
            return cipher.decrypt(sealed[KEY_ID_BYTES:HEAD_BYTES], sealed[HEAD_BYTES:], name)
        except InvalidTag:
            raise Broken from None
