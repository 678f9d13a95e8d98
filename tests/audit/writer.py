"""A worker to be killed: `python -m tests.audit.writer DIRECTORY DURABILITY [DATABASE_URL]` records without end.

Each identifier is printed once its record is acknowledged. With a database it ships too, in small segments.
"""

import asyncio
import os
import sys
from pathlib import Path

import structlog

from audit.trail import Trail
from config.clock import system_clock
from config.settings import AuditSettings
from gateway.database import open_pool
from tests.audit.builders import a_record

APPENDERS = 32


async def main(directory: str, durability: str, database_url: str | None = None) -> None:
    pool = await open_pool(database_url) if database_url else None
    settings = AuditSettings(durability=durability, segment_bytes=64 * 1024, ship_every_seconds=0.005)
    trail = await Trail.open(settings, Path(directory), pool)
    async with asyncio.TaskGroup() as group:
        for _ in range(APPENDERS):
            group.create_task(record_for_ever(trail))


async def record_for_ever(trail: Trail) -> None:
    while True:
        at = system_clock()
        record = a_record(at=at)
        await trail.append(record)
        os.write(1, record.id.encode() + b"\n")


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(main(*sys.argv[1:]))
