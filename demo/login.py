"""Guessing passwords is slow."""

import asyncio
import time
from collections.abc import Awaitable, Callable

FREE_TRIES, FORGET, SLOWEST, IN_LINE = 3, 900, 8.0, 8


class Tries:
    """Wrong passwords make the next try wait: 1, 2, 4, 8 seconds, one try at a time, whoever asks.

    Addresses are not told apart: behind a tunnel or proxy all visitors share one, or choose theirs in a header.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ):
        self._clock, self._sleep = clock, sleep
        self._wrong: list[float] = []
        self._turn = asyncio.Lock()
        self._waiting = 0

    def pause(self) -> float:
        """Seconds that the next try waits."""
        self._wrong = [when for when in self._wrong if self._clock() - when < FORGET]
        extra = len(self._wrong) - FREE_TRIES
        return 0.0 if extra < 0 else min(SLOWEST, 2.0**extra)

    async def attempt(self, check: Callable[[], Awaitable[int | None]]) -> bool:
        """Run `check()` (gives the status of the answer) in turn; False where too many wait already."""
        if self._waiting >= IN_LINE:
            return False
        self._waiting += 1
        try:
            async with self._turn:
                await self._sleep(self.pause())
                if await check() == 400:
                    self._wrong = [*self._wrong[-20:], self._clock()]
        finally:
            self._waiting -= 1
        return True
