"""`python -m demo.worker HANDLE BEAT THREADS MODEL`: started by `PipelineProcess`, of no use to a person."""

import contextlib
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path


def main() -> None:
    """Serve the pipe that is open under HANDLE."""
    from ..memory import keep_few_arenas
    from ..private_logs import hush
    from .server import serve

    handle, beat, threads, model = sys.argv[1:5]
    hush()
    keep_few_arenas()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that serves the page
    with contextlib.suppress(OSError):  # where memory runs out, the page should outlive this
        Path("/proc/self/oom_score_adj").write_text("500")
    serve(Connection(int(handle)), float(beat), int(threads), model or None)


if __name__ == "__main__":
    main()
