"""`python tools/load.py [--clients 64] [--seconds 60] [--hostile]`: many visitors at once against a running demo.

Every answer is compared with the known answer of its own slice, the demo's memory is watched, and the throughput is
compared with what one process reaches that calls the pipeline in a loop on the same slices, with the same checks. With
`--hostile` the same visitors come three times: alone, among clients who mean no good (`hostile.py`), and when those
have gone and the demo's memory is back; that takes thrice as long, and some minutes.
"""

import asyncio
import contextlib
import json
import os
import random
import re
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import click
import httpx

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import hostile
from demo_process import Demo, family
from measurements import publish

API = "/gradio_api/"
FULL = "Queue is full"
CALM_SECONDS = 240  # in which what nobody came for is forgotten, and processes that read files end
BACK_MIB = 96  # over what there was, which Python, the C library and the network keep: memory is back


@dataclass
class Tally:
    """What the visitors met.

    Attributes:
        seconds: from upload to answer, of each answer. wrong: answers that are not those of their slice.
        full: times that the queue was full, each with the length of the line. errors: anything else.
    """

    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    full: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def known_answers(files: list[Path]) -> tuple[list[tuple[bytes, dict]], float]:
    """Each file with its record, and slices per second of one process that does nothing else."""
    from lungcnn import Pipeline, encode_png, render_overlay

    pipeline = Pipeline.load()
    contents = [path.read_bytes() for path in files]

    def judge(content):
        report = next(pipeline.run_file(content))
        if report.explanation is not None:  # the answer of the demo holds the overlay, too
            encode_png(render_overlay(report))
        return report.to_json()

    records = [judge(content) for content in contents]
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < 5:
        judge(contents[count % len(contents)])
        count += 1
    return list(zip(contents, records, strict=True)), count / (time.perf_counter() - start)


async def visit(url: str, number: int, known: list, until: float, tally: Tally, pause: float) -> None:
    """One visitor who asks for one slice after the other, and looks at each for so many seconds."""
    async with hostile.client(url, number, net=1) as http:
        turn = number
        while time.perf_counter() < until:
            content, record = known[turn % len(known)]
            start = time.perf_counter()
            try:
                found = await ask(http, content)
            except (httpx.HTTPError, ValueError, KeyError, IndexError) as error:
                tally.errors.append(f"{type(error).__name__}: {error}"[:200])
                continue
            if isinstance(found, str) and FULL in found:
                tally.full.append(found)
                await asyncio.sleep(1)
                continue
            turn += 1
            if isinstance(found, str):
                tally.errors.append(found[:200])
            elif found != record:
                tally.wrong.append(json.dumps(found)[:200])
            else:
                tally.seconds.append(time.perf_counter() - start)
            await asyncio.sleep(pause * (0.5 + random.random()))


async def ask(http: httpx.AsyncClient, content: bytes):
    """The record of a slice as the public endpoint gives it, its overlay fetched; or an error's text."""
    answer = await http.post(API + "upload", files={"files": ("slice", content)})
    answer.raise_for_status()
    file = {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}
    answer = await http.post(API + "call/explain", json={"data": [file, "", "grad-cam"]})
    if answer.status_code != 200:
        return answer.text
    said = (await http.get(f"{API}call/explain/{answer.json()['event_id']}")).text
    kind, data = re.findall(r"event: (\w+)\ndata: (.*)\n", said)[-1]
    if kind != "complete":
        return f"{kind}: {data}"
    record, overlay = json.loads(data)
    if overlay:
        picture = await http.get(f"{API}file={overlay['path']}")
        if not picture.content.startswith(b"\x89PNG"):
            return f"no overlay ({picture.status_code})"
    return record


def resident(pid: int) -> dict[str, float]:
    """MiB of the demo's processes: the page's, the worker's, and those that read files, which others start."""
    found = {"page": 0.0, "worker": 0.0, "readers": 0.0}
    for one in family(pid):
        with contextlib.suppress(OSError):  # it has ended since
            about = Path(f"/proc/{one}/cmdline").read_bytes()
            name = "page" if one == pid else "worker" if b"demo.worker" in about else "readers"
            pages = int(Path(f"/proc/{one}/statm").read_text().split()[1])
            found[name] += pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return found


def held(pid: int) -> float:
    """MiB of the page's process and the worker's."""
    found = resident(pid)
    return found["page"] + found["worker"]


async def run(url: str, pid: int, clients: int, seconds: float, known: list, pause: float = 0) -> dict:
    """All visitors for a while; the figures."""
    warm = Tally()
    await asyncio.gather(
        *(visit(url, n, known, time.perf_counter() + min(10, seconds / 4), warm, pause) for n in range(clients))
    )
    tally, memory = Tally(), []
    start = time.perf_counter()
    watching = asyncio.create_task(watch(pid, memory))
    await asyncio.gather(*(visit(url, n, known, start + seconds, tally, pause) for n in range(clients)))
    took = time.perf_counter() - start
    watching.cancel()
    ordered = sorted(tally.seconds) or [float("nan")]
    return {
        "clients": clients,
        "seconds": round(took, 1),
        "answers": len(tally.seconds),
        "wrong": len(tally.wrong),
        "errors": sorted(set(tally.errors)),
        "queue_full": len(tally.full),
        "queue_full_says": tally.full[:1],
        "median_s": round(statistics.median(ordered), 2),
        "p95_s": round(ordered[int(0.95 * (len(ordered) - 1))], 2),
        "longest_s": round(ordered[-1], 2),
        "throughput": round(len(tally.seconds) / took, 2),
        "rss_mib": [round(memory[quarter * (len(memory) - 1) // 4]) for quarter in range(5)],
    }


async def beset(url: str, pid: int, clients: int, seconds: float, known: list, pause: float) -> dict:
    """Visitors alone, then among hostile clients, then alone again; the figures."""
    say("visitors alone")
    alone = await run(url, pid, clients, seconds, known, pause)
    before = resident(pid)
    say("visitors among hostile clients")
    attack = await hostile.elsewhere(url)
    await asyncio.sleep(3)
    among = await run(url, pid, clients, seconds, known, pause)
    counts, wrong = await attack.end()
    say(f"until memory is back, {CALM_SECONDS} seconds at most")
    calm = await until_back(pid, sum(before.values()) - before["readers"])
    left = resident(pid)
    say("visitors alone again")
    after = await run(url, pid, clients, min(10, seconds), known, pause)
    figures = ("answers", "wrong", "errors", "queue_full", "median_s", "p95_s", "longest_s")
    return {
        "clients": clients,
        "seconds": seconds,
        "pause_s": pause,
        **{
            name: {figure: one[figure] for figure in figures}
            for name, one in (("alone", alone), ("among", among), ("after", after))
        },
        "late_s": {figure: round(among[figure] - alone[figure], 2) for figure in figures if figure.endswith("_s")},
        "hostile": counts,
        "hostile_wrong": wrong,
        "rss_mib": {"before": rounded(before), "among": max(among["rss_mib"]), "after": rounded(left), "after_s": calm},
        "open_files": hostile.open_files(pid),
    }


def rounded(figures: dict[str, float]) -> dict[str, int]:
    return {name: round(value) for name, value in figures.items()}


async def until_back(pid: int, before: float) -> int:
    """Wait until the demo holds no more than it did; the seconds that took."""
    start = time.perf_counter()
    while (took := time.perf_counter() - start) < CALM_SECONDS and sum(resident(pid).values()) > before + BACK_MIB:
        await asyncio.sleep(1)
    return round(took)


def say(what: str) -> None:
    """On standard error: which part of a long run it is, and how busy the machine."""
    click.echo(f"{what} (load average {os.getloadavg()[0]:.1f})", err=True)


async def watch(pid: int, memory: list[float]) -> None:
    while True:
        memory.append(held(pid))
        await asyncio.sleep(1)


@click.command()
@click.option("--clients", default=64, show_default=True)
@click.option("--seconds", default=60.0, show_default=True)
@click.option("--pause", default=0.0, show_default=True, help="Seconds that a visitor looks at each answer.")
@click.option("--max-concurrency", default=2, show_default=True, help="As of the demo.")
@click.option("--hostile", "with_hostile", is_flag=True, help="Among clients who mean no good.")
@click.option("--json", "target", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here.")
def main(clients, seconds, pause, max_concurrency, with_hostile, target):
    """Start the demo, load it, print the figures as JSON."""
    files = sorted((ROOT / "examples").iterdir())
    known, before = known_answers(files)
    with (
        tempfile.TemporaryDirectory() as folder,
        Demo(Path(folder) / "home", "--max-concurrency", str(max_concurrency)) as demo,
    ):
        work = beset if with_hostile else run
        figures = asyncio.run(work(demo.url, demo.process.pid, clients, seconds, known, pause))
        log = demo.log.read_text()
    if with_hostile:
        publish(figures | {"log_lines": len(log.splitlines())}, target)
        return
    _, after = known_answers(files)  # the machine may have had other things to do: the loop is timed on both sides
    loop = (before + after) / 2
    figures |= {
        "loop_throughput": [round(before, 2), round(after, 2)],
        "over_loop": round(figures["throughput"] / loop, 3),
    }
    publish(figures, target)
    click.echo("\n".join(log.splitlines()[:5]), err=True)


if __name__ == "__main__":
    main()
