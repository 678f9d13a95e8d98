"""The spool: durable before it says so, whatever happens to the process or to the disk."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
import pytest_asyncio

from audit.spool import Durability, Spool, SpoolUnavailable
from config.clock import system_clock
from gateway.database import Pool
from tests.audit.builders import a_record, a_trail, has_gaps, stored_ids
from tests.conftest import HandClock

both = pytest.mark.parametrize("durability", ["disk", "kernel"])
ROOT = Path(__file__).parents[2]


@pytest_asyncio.fixture
async def spool(tmp_path: Path, clock: HandClock) -> AsyncIterator[Spool]:
    """A spool of small segments."""
    opened = await a_spool(tmp_path, clock=clock, segment_bytes=4096)
    yield opened
    await leave(opened)


async def a_spool(
    directory: Path,
    durability: Durability = "disk",
    clock: HandClock | None = None,
    segment_bytes: int = 4 * 1024 * 1024,
) -> Spool:
    spool = Spool(directory, durability, segment_bytes, clock or system_clock)
    await spool.open()
    return spool


def break_disk(directory: Path) -> None:
    """Have the first segment written to a device that takes all, and can be neither synchronised nor cut."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor_of_first_segment(directory))
    os.close(null)


async def spare_of(spool: Spool) -> None:
    """Wait until the disk has made the next segment; a full one goes on until then, a broken one refuses."""
    async with asyncio.timeout(10):
        while spool._spare is None:  # noqa: ASYNC110 - it announces itself to nobody
            await asyncio.sleep(0.001)


async def leave(spool: Spool) -> None:
    await spool.finish()
    await spool.close()


def lines_of(directory: Path) -> list[dict[str, object]]:
    files = sorted(path for path in directory.glob("*.jsonl*") if not path.name.startswith("."))
    return [orjson.loads(line) for file in files for line in written_in(file).splitlines()]


def written_in(file: Path) -> bytes:
    """What a segment holds, without the zeros that await lines."""
    return file.read_bytes().rstrip(b"\0")


def dead_segment(directory: Path, content: bytes) -> str:
    """What a worker that was killed leaves."""
    name = f"{uuid4()}-00000001"
    (directory / f"{name}.jsonl.open").write_bytes(content)
    return name


class TestAppending:
    @both
    async def test_a_record_is_on_disk_before_it_is_acknowledged(self, tmp_path: Path, durability: Durability) -> None:
        spool = await a_spool(tmp_path, durability)
        record = a_record()

        await spool.append(record.to_line())

        assert [line["id"] for line in lines_of(tmp_path)] == [record.id]
        await leave(spool)

    @both
    async def test_each_line_has_its_place_in_the_stream(self, tmp_path: Path, durability: Durability) -> None:
        spool = await a_spool(tmp_path, durability)

        for _ in range(10):
            await asyncio.gather(*[spool.append(a_record().to_line()) for _ in range(7)])

        lines = lines_of(tmp_path)
        assert [line["sequence"] for line in lines] == list(range(70))
        assert len({line["stream"] for line in lines}) == 1
        await leave(spool)

    async def test_the_cancellation_of_one_request_leaves_the_others_of_its_group_alone(self, spool: Spool) -> None:
        async def record() -> None:
            await spool.append(a_record().to_line())

        tasks = [asyncio.create_task(record()) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)

        assert outcomes[0] is outcomes[2] is None
        assert isinstance(outcomes[1], asyncio.CancelledError)

    async def test_a_full_segment_is_closed_and_another_begun(self, tmp_path: Path, spool: Spool) -> None:
        for _ in range(20):
            await spare_of(spool)
            await spool.append(a_record().to_line())
        await spool.finish()

        assert len(spool.segments()) > 1
        assert all(segment.size < 4096 + 1000 for segment in spool.segments())
        assert [line["sequence"] for line in lines_of(tmp_path)] == list(range(20))

    async def test_an_old_segment_is_closed(self, spool: Spool, clock: HandClock) -> None:
        await spool.append(a_record().to_line())
        clock.advance(61)

        async with asyncio.timeout(10):
            while len(spool.segments()) == 1:
                spool.rotate(older_than=60)  # not before its successor is made
                await asyncio.sleep(0.01)

        assert [segment.finished for segment in spool.segments()] == [True, False]

    async def test_a_closed_spool_refuses(self, tmp_path: Path) -> None:
        spool = await a_spool(tmp_path)
        await leave(spool)

        with pytest.raises(SpoolUnavailable):
            await spool.append(a_record().to_line())

    async def test_nothing_is_left_behind_where_nothing_was_recorded(self, tmp_path: Path) -> None:
        spool = await a_spool(tmp_path)

        await leave(spool)

        assert names_in(tmp_path) == []

    async def test_files_are_for_the_gateway_alone(self, tmp_path: Path) -> None:
        spool = await a_spool(tmp_path / "spool")
        await spool.append(a_record().to_line())

        modes = modes_in(tmp_path / "spool")

        assert modes == {0o700, 0o600}
        await leave(spool)


class TestTrouble:
    @both
    async def test_a_killed_worker_loses_no_acknowledged_record(
        self, tmp_path: Path, pool: Pool, durability: Durability
    ) -> None:
        acknowledged = killed_after(3000, str(tmp_path), durability)

        trail = await a_trail(tmp_path, pool, system_clock)
        assert await trail.flush(30)
        await trail.close()

        stored = await stored_ids(pool)
        assert len(acknowledged) >= 3000
        assert set(acknowledged) <= set(stored)
        assert len(stored) == len(set(stored))
        assert not await has_gaps(pool)

    @both
    async def test_a_full_disk_refuses_and_recovers_by_itself(
        self, tmp_path: Path, pool: Pool, durability: Durability
    ) -> None:
        told = json.loads(run("tests.audit.crowded", str(tmp_path), durability))

        trail = await a_trail(tmp_path, pool)
        assert await trail.flush(30)
        await trail.close()

        assert told["kept"]
        assert told["refused"]
        assert told["was_unavailable"]
        assert not told["is_unavailable"]
        assert not told["refused_after"]
        assert sorted(await stored_ids(pool)) == sorted(told["kept"] + told["kept_after"])
        assert not await has_gaps(pool)

    async def test_a_failed_synchronisation_refuses_and_goes_on_in_another_file_and_stream(
        self, tmp_path: Path, spool: Spool
    ) -> None:
        await spool.append(a_record().to_line())
        await spare_of(spool)
        break_disk(tmp_path)

        with pytest.raises(SpoolUnavailable):
            await spool.append(a_record().to_line())
        await spare_of(spool)
        await spool.append(a_record().to_line())
        await spool.finish()

        lines = lines_of(tmp_path)
        assert [line["sequence"] for line in lines] == [0, 0]
        assert len({line["stream"] for line in lines}) == 2

    async def test_a_disk_that_is_well_again_is_noticed_without_traffic(
        self, tmp_path: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("audit.spool._PROBE_SECONDS", 0.01)
        break_disk(tmp_path)
        with pytest.raises(SpoolUnavailable):
            await spool.append(a_record().to_line())
        assert spool.unavailable_since is not None

        async with asyncio.timeout(5):
            while spool.unavailable_since is not None:  # noqa: ASYNC110 - a figure announces itself to nobody
                await asyncio.sleep(0.01)

    async def test_a_directory_that_cannot_be_used_is_said_at_once(self, tmp_path: Path) -> None:
        (tmp_path / "spool").write_text("not a directory")

        with pytest.raises(SpoolUnavailable):
            await a_spool(tmp_path / "spool")


class TestAdopting:
    async def test_the_segments_of_a_living_worker_are_left_alone(self, tmp_path: Path, spool: Spool) -> None:
        await spool.append(a_record().to_line())
        other = await a_spool(tmp_path)

        adopted = await other.adopt()

        assert adopted == 0
        await leave(other)

    async def test_not_even_if_its_lock_file_was_removed(self, tmp_path: Path, spool: Spool) -> None:
        await spool.append(a_record().to_line())
        remove_locks(tmp_path)
        other = await a_spool(tmp_path)

        adopted = await other.adopt()

        assert adopted == 0
        await leave(other)

    async def test_a_torn_line_is_put_aside_and_counted(self, tmp_path: Path, spool: Spool) -> None:
        whole = a_record().to_line()
        name = dead_segment(tmp_path, whole + b'{"id":"0195')

        adopted = await spool.adopt()

        assert adopted == 1
        assert spool.torn_count == 1
        assert (tmp_path / f"{name}.jsonl").read_bytes() == whole
        assert (tmp_path / f"{name}.torn").read_bytes() == b'{"id":"0195'

    async def test_zeros_that_awaited_lines_are_no_loss(self, tmp_path: Path, spool: Spool) -> None:
        whole = a_record().to_line()
        name = dead_segment(tmp_path, whole + bytes(100_000))

        await spool.adopt()

        assert spool.torn_count == 0
        assert (tmp_path / f"{name}.jsonl").read_bytes() == whole

    async def test_what_a_power_cut_left_behind_a_hole_is_put_aside(self, tmp_path: Path, spool: Spool) -> None:
        whole, late = a_record().to_line(), a_record().to_line()
        name = dead_segment(tmp_path, whole + bytes(4096) + late + bytes(100))

        await spool.adopt()

        assert spool.torn_count == 1
        assert (tmp_path / f"{name}.jsonl").read_bytes() == whole
        assert (tmp_path / f"{name}.torn").read_bytes() == late

    async def test_a_line_torn_at_its_very_first_record_leaves_only_what_was_torn(
        self, tmp_path: Path, spool: Spool
    ) -> None:
        name = dead_segment(tmp_path, b"x" * 200_000)

        adopted = await spool.adopt()

        assert adopted == 0
        assert spool.torn_count == 1
        assert len((tmp_path / f"{name}.torn").read_bytes()) == 200_000
        assert [left for left in names_in(tmp_path) if left.startswith(name[:36])] == [f"{name}.torn"]

    async def test_what_is_adopted_dies_with_its_adopter_and_is_adopted_again(self, tmp_path: Path) -> None:
        dead_segment(tmp_path, a_record().to_line())
        first, second = await a_spool(tmp_path), await a_spool(tmp_path)

        adoptions = [await first.adopt(), await second.adopt()]
        await leave(first)
        adoptions.append(await second.adopt())

        assert adoptions == [1, 0, 1]
        await leave(second)


def killed_after(count: int, *arguments: str) -> list[str]:
    """Start a writer, let it acknowledge so many records, kill it, and give all it acknowledged."""
    command = [sys.executable, "-m", "tests.audit.writer", *arguments]
    acknowledged = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            acknowledged.append(line.strip())
            if len(acknowledged) == count:
                writer.send_signal(signal.SIGKILL)
    return acknowledged


def run(module: str, *arguments: str) -> bytes:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, stdout=subprocess.PIPE, check=True
    ).stdout


def descriptor_of_first_segment(directory: Path) -> int:
    """Which of this process's descriptors is open on the segment being written."""
    path = next(directory.glob("*-00000001.jsonl.open"))
    for entry in Path("/proc/self/fd").iterdir():
        if entry.is_symlink() and str(entry.readlink()) == str(path):
            return int(entry.name)
    raise LookupError(path)


def remove_locks(directory: Path) -> None:
    for lock in directory.glob("*.lock"):
        lock.unlink()


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def read_all(directory: Path) -> list[bytes]:
    return [path.read_bytes() for path in directory.iterdir()]


def modes_in(directory: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in (directory, *directory.iterdir())}
