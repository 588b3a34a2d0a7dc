"""Work done in threads ahead of what needs it, within bounds, and in batches."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor


def ahead_of(pool: ThreadPoolExecutor, work: Callable, items: Iterable, limit: int) -> Iterator:
    """Results in order, at most `limit` of them worked out ahead of the one asked for: memory stays bounded."""
    waiting: deque = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) >= limit:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def batches(items: Iterable, size: int) -> Iterator[list]:
    """Items in lists of `size`, the last of them shorter."""
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
