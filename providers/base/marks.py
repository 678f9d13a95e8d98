"""Marks: what stands in an answer for a link that the gateway draws anew each time the answer is given.

An endpoint whose answers may hold marks says so with `marks=True`. The gateway replaces each mark by a link of its own.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode

import orjson


def remote_document(provider: str, url: str, name: str) -> str:
    """The mark of a document that stays where the provider keeps it: `provider` is its slug, `name` ends in `.pdf`."""
    return f"octroi-remote:{_packed(provider=provider, url=url, name=name)}"


def deferred_document(operation: str, **values: str) -> str:
    """The mark of a document that the provider is asked for only when the link is followed, by that operation."""
    return f"octroi-deferred:{_packed(operation=operation, **values)}"


def unpacked(mark: bytes) -> dict[str, str] | None:
    """What was packed into a mark, from what follows its colon; None where a provider's text only looks like one."""
    try:
        told = orjson.loads(urlsafe_b64decode(mark + b"=="))
    except (binascii.Error, ValueError):
        return None
    return told if isinstance(told, dict) and all(isinstance(value, str) for value in told.values()) else None


def _packed(**told: str) -> str:
    return urlsafe_b64encode(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).decode().rstrip("=")
