"""What reading a file costs, measured in a process of its own: `python tests/reading/cost.py PATH alone|series`.

Prints JSON: processor time in s and peak memory in MB beyond what a good file takes, of this process and of those that
it starts together, and the outcome.
"""

import json
import resource
import sys
from contextlib import suppress
from pathlib import Path

from conftest import dicom_bytes
from hostile_files import RAMP, jpeg2000

from lungcnn.errors import LungCNNError
from lungcnn.reading import reader_process
from lungcnn.reading.loading import load_slice
from lungcnn.reading.series_reader import read_series


def main(path: str, way: str) -> None:
    content = Path(path).read_bytes()
    load_slice(dicom_bytes(RAMP))
    load_slice(jpeg2000(64, 64))  # the other process is there before anybody counts
    read_series([dicom_bytes(RAMP)])
    start, memory = seconds(), [forget(pid) for pid in processes()]
    try:
        if way == "alone":
            outcome = str(load_slice(content).hu.shape)
        else:
            reading = read_series(content if content[:2] == b"PK" else [content, dicom_bytes(RAMP)])
            for one in reading.series:
                for ct_slice in one.slices[:2]:
                    with suppress(LungCNNError):
                        ct_slice.read()
            outcome = f"{[len(one) for one in reading.series]} {[one.reason.message for one in reading.set_aside][:2]}"
    except LungCNNError as error:
        outcome = str(error)
    more = [peak(pid) - before for pid, before in zip(processes(), memory, strict=False)]
    print(json.dumps({"seconds": seconds() - start, "megabytes": max(more) / 1000, "outcome": outcome}))


def processes() -> list[str]:
    other = reader_process._READER._process
    return ["self", str(other.pid)] if other else ["self"]


def seconds() -> float:
    """Processor time of this process, of its ended children, and of the one that reads."""
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


if __name__ == "__main__":
    main(*sys.argv[1:])
