"""The names of what is kept in Redis. The braces put all that one script touches in one slot of a cluster."""

BAN_INDEX = b"octroi:bans"
"""Hash of the active bans by block of addresses, so that they are found without a scan."""


def ban(block: str) -> bytes:
    """`until ms`, `since ms` and the reason, as long as the ban lasts."""
    return b"octroi:{ip:%b}:ban" % block.encode()


def minute(block: str) -> bytes:
    """Requests of the running minute."""
    return b"octroi:{ip:%b}:minute" % block.encode()


def refusals(block: str) -> bytes:
    """Moments of the last requests refused with 429, newest first."""
    return b"octroi:{ip:%b}:refusals" % block.encode()


def state(subject: str) -> bytes:
    """What the registry says of a token: version and packed data."""
    return b"octroi:{%b}:state" % subject.encode()


def counter(subject: str, name: str) -> bytes:
    """Calls of the running minute in one quota."""
    return b"octroi:{%b}:q:%b" % (subject.encode(), name.encode())


def token(jti: str) -> str:
    """The subject that a token of the registry is."""
    return f"t:{jti}"


def stranger(digest: str) -> str:
    """The subject that a token nobody vouches for is, known by its digest."""
    return f"d:{digest}"
