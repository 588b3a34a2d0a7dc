"""Logs that say what went wrong and where, never what a visitor sent.

The text of an exception or a warning often quotes its input: a header's value, a path. Gradio and uvicorn print
both. In the demo's processes they are told by kind and place.
"""

import logging
import os
import sys
import threading
import time
import traceback
import warnings
from collections import Counter


def hush(level: str = "warning") -> None:
    """Set up logging to standard error at `level`, without texts of exceptions and warnings, for this process."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=level.upper(), format=form)
    for handler in logging.getLogger().handlers:
        handler.addFilter(_NotTooOften())
    make = logging.getLogRecordFactory()

    def record(*args, **kwargs):
        made = make(*args, **kwargs)
        if made.exc_info:
            made.msg, made.args = f"{_first_line(made)} ({kind_and_place(made.exc_info[1])})", None
            made.exc_info = made.exc_text = None
        elif made.name == "asyncio":  # it prints objects, exceptions and all, from the second line on
            made.msg, made.args = _first_line(made), None
        return made

    logging.setLogRecordFactory(record)
    # These write URLs, headers or whole forms when they are asked for details.
    for name in ("python_multipart", "httpx", "httpcore", "asyncio", "urllib3", "matplotlib", "PIL", "h5py"):
        logging.getLogger(name).setLevel(logging.WARNING)
    log = logging.getLogger("demo")
    traceback.print_exc = lambda *_, **__: log.error("unexpected %s", kind_and_place(sys.exception()))
    warnings.showwarning = lambda _, category, filename, lineno, *__: log.info(
        "%s in %s:%d", category.__name__, os.path.basename(filename), lineno
    )
    threading.excepthook = lambda args: log.error("a thread ended by %s", kind_and_place(args.exc_value))
    sys.excepthook = lambda _, error, __: log.critical("ended by %s", kind_and_place(error))


def kind_and_place(error: BaseException | None) -> str:
    """`ValueError in loading.py:10`."""
    if error is None:
        return "error"
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    place = f" in {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + place


def _first_line(record: logging.LogRecord) -> str:
    return record.getMessage().partition("\n")[0]


class _NotTooOften(logging.Filter):
    """Lets the same line through so many times a minute: what anybody can cause must not fill a disk."""

    def __init__(self, most: int = 20, clock=time.monotonic):
        super().__init__()
        self._most, self._clock = most, clock
        self._minute, self._seen = 0.0, Counter[tuple]()

    def filter(self, record: logging.LogRecord) -> bool:
        minute = self._clock() // 60
        if minute != self._minute:
            self._minute, self._seen = minute, Counter()
        about = (record.name, record.module, record.lineno)
        self._seen[about] += 1
        if self._seen[about] == self._most:
            record.msg, record.args = f"{record.getMessage()} (said no more for a minute)", None
        return self._seen[about] <= self._most or record.levelno <= logging.DEBUG
