"""Where visitors' work is done: so much at a time, the rest in line, and none that its visitor waits for no longer."""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from . import views
from .fair import VISITOR, Places
from .visit import Turn

Changes = dict[str, object]
Steps = Generator[Changes, None, None]
_LOOK = 0.5  # seconds between looks at the line


class Line:
    """Runs visitors' work in threads. Who has little going on comes first, and three quarters of the places are kept
    for those who have nothing: who waits here isn't seen where the worker's time is shared out (`fair.Gate`).

    Args:
        at_once: turns that may be at work at the same time.
    """

    def __init__(self, at_once: int):
        self._places, self._pool = Places(at_once, kept=at_once * 3 // 4), ThreadPoolExecutor(at_once)

    async def work(self, turn: Turn, steps: Steps, visitor: str = "") -> AsyncIterator[Changes]:
        """Changes to the page, step by step, until there are no more or the turn is over."""
        loop = asyncio.get_running_loop()
        place = self._places.ask(visitor)
        try:
            await asyncio.wait({place}, timeout=0.05)
            while not place.done() and not turn.over:
                yield {"outcome": views.in_line(self._places.ahead_of(place))}
                await asyncio.wait({place}, timeout=_LOOK)
        except (GeneratorExit, asyncio.CancelledError):
            turn.over = True  # nobody waits for it
            self._places.leave(visitor, place)
            raise
        if turn.over:
            self._places.leave(visitor, place)
            return
        own, step = _context(visitor), None
        try:
            while not turn.over:
                step = self._pool.submit(own.run, _next, steps)
                changes = await asyncio.wrap_future(step)
                if changes is None or turn.over:
                    break
                yield changes
        except (GeneratorExit, asyncio.CancelledError):
            turn.over = True
            raise
        finally:

            def close(_: object) -> None:
                over = self._pool.submit(steps.close)
                over.add_done_callback(lambda _: loop.call_soon_threadsafe(self._places.leave, visitor, place))

            if step is None:
                close(None)
            else:
                step.add_done_callback(close)  # a step that is under way can't be closed

    async def call(self, visitor: str, function: Callable, *values: Any) -> Any:
        """What a function returns, called in a thread when its turn has come."""
        place, loop = await self._places.given(visitor), asyncio.get_running_loop()
        called = self._pool.submit(_context(visitor).run, function, *values)
        # Where who asked has gone, its thread is at work all the same.
        called.add_done_callback(lambda _: loop.call_soon_threadsafe(self._places.leave, visitor, place))
        return await asyncio.wrap_future(called)


def _context(visitor: str) -> contextvars.Context:
    """In which work for a visitor is done."""
    own = contextvars.copy_context()
    own.run(VISITOR.set, visitor)
    return own


def _next(steps: Steps) -> Changes | None:
    return next(steps, None)
