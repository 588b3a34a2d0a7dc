"""How an upload comes in: one that stands still, or so slowly that it is there to hold a place, is given up."""

IDLE_SECONDS, GRACE_SECONDS, SLOWEST = 15.0, 30.0, 16 * 2**10


class Arrival:
    """An upload on its way in. Attributes: received: bytes so far; since, last: times; ousted: give it up."""

    def __init__(self, visitor: str, now: float) -> None:
        self.visitor, self.received, self.ousted = visitor, 0, False
        self.since = self.last = now
        self._mark = now, 0  # when its pace was looked at last, and what had come by then
        self._paced = True

    def note(self, size: int, now: float) -> None:
        """So many bytes of it came."""
        self.received += size
        self.last = now
        before, received = self._mark
        if now - before > GRACE_SECONDS:
            self._paced = self.received - received >= SLOWEST * (now - before)
            self._mark = now, self.received

    def is_slow(self, now: float) -> bool:
        """Whether it only holds a place."""
        return now - self.last > IDLE_SECONDS or not self._paced

    def in_the_way(self, now: float) -> bool:
        """Whether it goes first where there is no room for others."""
        return now - self.last > 2 or (now - self.since > 10 and self.received < 16 * SLOWEST * (now - self.since))
