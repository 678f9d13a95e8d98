"""Who waits for the disk: the kernel's queue where there is one, a thread elsewhere."""

import asyncio
import errno
import os
import sys
from pathlib import Path

import pytest

from audit.disk import KernelQueue, _ended
from audit.spool import Spool
from config.clock import system_clock
from tests.audit.builders import a_record
from tests.audit.test_spool import lines_of

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such a queue")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"written")
    return path


async def queue_on(file: Path) -> KernelQueue:
    descriptor = os.open(file, os.O_WRONLY)
    queue = await KernelQueue.open(asyncio.get_running_loop(), descriptor)
    os.close(descriptor)
    if queue is None:
        pytest.skip("this system denies asynchronous I/O")
    return queue


@linux
class TestTheKernelsQueue:
    async def test_tells_of_each_synchronisation_once(self, file: Path) -> None:
        queue, told = await queue_on(file), asyncio.Queue[OSError | None]()
        descriptors = [os.open(file, os.O_WRONLY) for _ in range(3)]

        taken = [queue.sync(descriptor, told.put_nowait) for descriptor in descriptors]
        async with asyncio.timeout(10):
            ends = [await told.get() for _ in descriptors]

        assert taken == [True] * 3
        assert ends == [None] * 3
        await asyncio.sleep(0.05)
        assert told.empty()
        queue.close()

    async def test_does_not_take_what_cannot_be_synchronised(self, file: Path) -> None:
        queue, told = await queue_on(file), asyncio.Queue[OSError | None]()
        null = os.open(os.devnull, os.O_WRONLY)

        taken = [queue.sync(null, told.put_nowait), queue.sync(10_000, told.put_nowait)]

        assert taken == [False, False]
        assert told.empty()
        os.close(null)
        queue.close()

    async def test_is_none_on_a_file_that_it_does_not_take(self) -> None:
        null = os.open(os.devnull, os.O_WRONLY)

        assert await KernelQueue.open(asyncio.get_running_loop(), null) is None

        os.close(null)


def test_an_error_of_the_kernel_is_told_by_its_number() -> None:
    told: list[OSError | None] = []

    _ended(told.append, 0)
    _ended(told.append, 2**64 - errno.EIO)

    assert [None if error is None else error.errno for error in told] == [None, errno.EIO]


async def test_a_system_without_a_queue_has_its_records_synchronised_by_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "caio.linux_aio", None)  # as where its import fails
    monkeypatch.setitem(sys.modules, "caio", None)
    spool = Spool(tmp_path, "disk", 4 * 1024 * 1024, system_clock)
    await spool.open()

    await asyncio.gather(*(spool.append(a_record().to_line()) for _ in range(40)))

    assert spool._queue is None
    await spool.finish()
    assert len(lines_of(tmp_path)) == 40
    await spool.close()
