"""Threads of the disk's own: what may wait for the disk is done there, so that the event loop never does."""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue

Work = Callable[[], None]
Done = Callable[[OSError | None], None]


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
