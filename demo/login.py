"""Guessing passwords is slow; knowing one is not."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from .fair import Places

FREE_TRIES, FORGET, SLOWEST, AT_ONCE, KEPT, IN_LINE = 3, 900, 8.0, 10, 2, 200


class Tries:
    """Wrong passwords are answered late: after 1, 2, 4, 8 seconds, during which they hold one of a few places.

    So a guesser who asks many times at once stands in line, while a right password is answered as soon as it has a
    place. Who holds fewest gets the next, and two are kept for who holds none. The pause is the same for all: a
    guesser may have many addresses.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ):
        self._clock, self._sleep = clock, sleep
        self._wrong: list[float] = []
        self._places = Places(AT_ONCE, KEPT)
        self._held: set[asyncio.Future] = set()

    def pause(self) -> float:
        """Seconds that a wrong try takes now."""
        self._wrong = [when for when in self._wrong if self._clock() - when < FORGET]
        extra = len(self._wrong) - FREE_TRIES
        return 0.0 if extra < 0 else min(SLOWEST, 2.0**extra)

    async def attempt(self, check: Callable[[], Awaitable[bool]], visitor: str = "") -> bool:
        """Run `check()` (gives whether the password was right) in turn; False where too many of his wait already.

        It returns late where it was wrong, also where who asked has gone.
        """
        if self._places.waiting_of(visitor) >= IN_LINE:
            return False
        place = await self._places.given(visitor)
        wrong = True
        try:
            wrong = not await check()
        finally:
            # A task of its own: who hangs up holds the place all the same.
            held = asyncio.ensure_future(self._hold(wrong, visitor, place))
            self._held.add(held)
            held.add_done_callback(self._held.discard)
        await asyncio.shield(held)
        return True

    async def _hold(self, wrong: bool, visitor: str, place: asyncio.Future[None]) -> None:
        """Give the place back: late, where the try was wrong."""
        if wrong:
            pause = self.pause()
            self._wrong = [*self._wrong[-20:], self._clock()]
            await self._sleep(pause)
        self._places.leave(visitor, place)
