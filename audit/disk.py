"""Who waits for the disk, so that the event loop never does: the kernel's queue, or threads of the disk's own."""

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Any, Self

Work = Callable[[], None]
Done = Callable[[OSError | None], None]

_MOST_AT_ONCE = 8
_TRIAL_SECONDS = 5.0


class KernelQueue:
    """Files that the kernel itself synchronises, telling the loop of each end (Linux's asynchronous I/O, by caio).

    No thread of ours is woken for it, nor waits for the interpreter that answers callers meanwhile.
    """

    @classmethod
    async def open(cls, loop: asyncio.AbstractEventLoop, descriptor: int) -> Self | None:
        """A queue proved on that file; None where the system has none, or denies it."""
        try:
            from caio import linux_aio  # whose import fails where the system has no such queue

            queue = cls(loop, linux_aio.Context(_MOST_AT_ONCE), linux_aio.Operation.fdsync)
        except (ImportError, OSError, SystemError):
            return None
        proved = loop.create_future()
        if queue.sync(descriptor, proved.set_result):
            with suppress(TimeoutError):
                async with asyncio.timeout(_TRIAL_SECONDS):
                    if await proved is None:
                        return queue
        queue.close()
        return None

    def __init__(self, loop: asyncio.AbstractEventLoop, context: Any, operation: Callable[[int], Any]) -> None:
        """See `open`. `operation` makes a synchronisation of a file for the context."""
        self._loop = loop
        self._context = context
        self._operation = operation
        self._loop.add_reader(context.fileno, self._look)

    def sync(self, descriptor: int, done: Done) -> bool:
        """Synchronise a file's content, then call `done` in the loop with the error met, if any.

        False where the kernel does not take it: nothing will happen then.
        """
        operation = self._operation(descriptor)
        operation.set_callback(partial(_ended, done))
        try:
            return bool(self._context.submit(operation))
        except (OSError, ValueError):
            return False

    def close(self) -> None:
        """Nothing may be under way."""
        self._loop.remove_reader(self._context.fileno)

    def _look(self) -> None:
        with suppress(BlockingIOError):
            self._context.poll()
        self._context.process_events(_MOST_AT_ONCE)


def _ended(done: Done, result: int) -> None:
    """`result` is the kernel's: nought, or the negative number of an error as unsigned 64 bits."""
    done(OSError(2**64 - result, os.strerror(2**64 - result)) if result else None)


class DiskThread:
    """Does one piece of work at a time, in the order given, and tells the loop of each end with one call.

    A thread and a queue instead of an executor: a hand-over costs a quarter, and there is one for each group of
    records.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str) -> None:
        """Start the thread; `loop` is told of what is done."""
        self._loop = loop
        self._queue: SimpleQueue[tuple[Work, Done] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Work, done: Done) -> None:
        """Do `work` in the thread, then call `done` in the loop with the error it met, if any."""
        self._queue.put((work, done))

    async def do(self, work: Work) -> None:
        """Do `work` in the thread and wait for its end; raises what it raised."""
        ended: asyncio.Future[None] = self._loop.create_future()

        def tell(error: OSError | None) -> None:
            if not ended.done():
                ended.set_result(None) if error is None else ended.set_exception(error)

        self.submit(work, tell)
        await ended

    async def close(self) -> None:
        """End the thread once everything submitted is done."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while (task := self._queue.get()) is not None:
            work, done = task
            error = None
            try:
                work()
            except OSError as met:
                error = met
            try:
                self._loop.call_soon_threadsafe(done, error)
            except RuntimeError:  # the loop was closed without closing the spool: nobody is left to be told
                return
