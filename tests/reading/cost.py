"""What reading a file costs: this process's and the reading ones' processor time, and the larger peak of memory."""

import resource
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from conftest import dicom_bytes
from hostile_files import RAMP, jpeg2000

from lungcnn.errors import LungCNNError
from lungcnn.reading import reader_process
from lungcnn.reading.loading import load_slice
from lungcnn.reading.series_reader import read_series

READ_OF_A_SERIES = 2


@dataclass(frozen=True)
class Cost:
    """Processor time in s, peak memory in MB beyond what a good file takes, and what came of the file."""

    seconds: float
    megabytes: float
    outcome: str


def cost(content: bytes, as_series: bool) -> Cost:
    """Of reading a file alone, or among others with the first slices of each series found."""
    read = _as_series if as_series else _alone
    for good in (dicom_bytes(RAMP), jpeg2000(64, 64)):  # the other processes are there before anybody counts
        _alone(good)
        _as_series(good)
    start, memory = seconds(), {pid: forget(pid) for pid in processes()}
    outcome = read(content)
    more = [peak(pid) - memory[pid] for pid in processes() if pid in memory]
    return Cost(seconds() - start, max(more) / 1000, outcome)


def _alone(content: bytes) -> str:
    try:
        return str(load_slice(content).hu.shape)
    except LungCNNError as error:
        return str(error)


def _as_series(content: bytes) -> str:
    try:
        reading = read_series(content if content[:2] == b"PK" else [content, dicom_bytes(RAMP)])
    except LungCNNError as error:
        return str(error)
    for series in reading.series:
        for one in series.slices[:READ_OF_A_SERIES]:
            with suppress(LungCNNError):
                one.read()
    return f"{[len(series) for series in reading.series]} {[one.reason.message for one in reading.set_aside][:2]}."


def processes() -> list[str]:
    others = [reader._process for reader in reader_process._READERS.values()]
    return ["self", *(str(other.pid) for other in others if other)]


def seconds() -> float:
    """Processor time of this process, of its ended children, and of those that read."""
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    total = own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime
    for pid in processes()[1:]:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / 100
    return total


def forget(pid: str) -> int:
    """Let the peak count anew, and give it, in KiB."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return peak(pid)


def peak(pid: str) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0])
