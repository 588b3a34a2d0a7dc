"""Where visitors' work is done: so much at a time, the rest in line, and none that its visitor waits for no longer."""

import asyncio
from collections.abc import AsyncIterator, Generator
from concurrent.futures import ThreadPoolExecutor

from demo import views
from demo.visit import Turn

Changes = dict[str, object]
Steps = Generator[Changes, None, None]
_LOOK = 0.5  # seconds between looks at the line


class Line:
    """Runs the steps of visitors' turns in threads.

    Args:
        at_once: turns that may be at work at the same time.
    """

    def __init__(self, at_once: int):
        self._places = asyncio.Semaphore(at_once)
        self._pool = ThreadPoolExecutor(at_once)
        self._waiting: list[Turn] = []

    async def work(self, turn: Turn, steps: Steps) -> AsyncIterator[Changes]:
        """Changes to the page, step by step, until there are no more or the turn is over."""
        loop = asyncio.get_running_loop()
        async for word in self._wait(turn):
            yield word
        if turn.over:
            return
        try:
            while (changes := await loop.run_in_executor(self._pool, _next, steps)) is not None and not turn.over:
                yield changes
        finally:
            self._pool.submit(steps.close).add_done_callback(lambda _: loop.call_soon_threadsafe(self._places.release))

    async def _wait(self, turn: Turn) -> AsyncIterator[Changes]:
        """Take a place, saying how many are ahead; none where the turn is over first."""
        place = asyncio.ensure_future(self._places.acquire())
        self._waiting.append(turn)
        try:
            await asyncio.wait({place}, timeout=0.05)
            while not place.done() and not turn.over:
                yield {"outcome": views.in_line(self._waiting.index(turn))}
                await asyncio.wait({place}, timeout=_LOOK)
        finally:
            self._waiting.remove(turn)
            if not place.done():
                place.cancel()
            elif turn.over:
                self._places.release()


def _next(steps: Steps) -> Changes | None:
    return next(steps, None)
