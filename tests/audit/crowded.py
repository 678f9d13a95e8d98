"""A worker whose files may not grow: `python -m tests.audit.crowded DIRECTORY DURABILITY`, then they may again.

Prints a JSON object: the identifiers acknowledged, those refused, and whether the spool said it was unavailable.
"""

import asyncio
import json
import os
import resource
import sys
from pathlib import Path

import structlog

from audit.spool import Durability, Spool, SpoolUnavailable
from config.clock import system_clock
from tests.audit.builders import a_record

CROWDED_BYTES = 10_000
GROUPS = 30
GROUP = 3


async def main(directory: str, durability: Durability) -> None:
    spool = Spool(Path(directory), durability, 4 * 1024 * 1024, system_clock)
    await spool.open()
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (CROWDED_BYTES, hard))
    kept, refused = await record(spool)
    was_unavailable = spool.unavailable_since is not None
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    kept_after, refused_after = await record(spool)
    told = {
        "kept": kept,
        "refused": refused,
        "kept_after": kept_after,
        "refused_after": refused_after,
        "was_unavailable": was_unavailable,
        "is_unavailable": spool.unavailable_since is not None,
    }
    os.write(1, json.dumps(told).encode())
    os._exit(0)  # no goodbye: what was acknowledged must do without


async def record(spool: Spool) -> tuple[list[str], list[str]]:
    kept, refused = [], []
    for _ in range(GROUPS):
        records = [a_record() for _ in range(GROUP)]
        for given, future in [(one, spool.append(one.to_line())) for one in records]:
            try:
                await future
            except SpoolUnavailable:
                refused.append(given.id)
            else:
                kept.append(given.id)
    return kept, refused


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(main(sys.argv[1], "kernel" if sys.argv[2] == "kernel" else "disk"))
