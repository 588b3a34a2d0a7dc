"""Many visitors at once: nobody gets another's answer, and a full line says so. `tests/load.py` is the long form."""

import asyncio
import os
import signal

import pytest
from conftest import ROOT
from demo_process import API, file_data
from load import FULL, run

from demo import texts


@pytest.mark.slow
def test_every_visitor_gets_the_answer_of_his_own_slice(served, shipped):
    files = sorted((ROOT / "examples").glob("*.dcm"))
    known = [(file.read_bytes(), next(shipped.run_file(file.read_bytes())).to_json()) for file in files]
    assert len({str(record) for _, record in known}) == len(known)
    figures = asyncio.run(run(served.url, served.process.pid, 8, 10, known))
    assert (figures["wrong"], figures["errors"], figures["queue_full"]) == (0, [], 0)
    assert figures["answers"] > 8
    assert max(figures["rss_mib"]) - figures["rss_mib"][0] < 150, "memory grows under load"


def test_a_full_line_says_so_with_its_length_and_one_visitor_cannot_fill_it(served):
    visitors = [served.client(f"127.0.0.{n}") for n in (1, 2, 3)]
    assert visitors[0].explain((ROOT / "examples" / "base-normal.dcm").read_bytes())[0]["status"] == "ok"
    worker = served.worker()
    events, refused = [], []
    os.kill(worker, signal.SIGSTOP)
    try:
        for visitor in visitors:
            for _ in range(40):
                file = file_data(visitor.upload(b"a text file, which takes no time to refuse"), "x")
                answer = visitor.post(API + "call/explain", json={"data": [file, "", ""]})
                if answer.status_code != 200:
                    refused.append(answer)
                    break
                events.append((visitor, answer.json()["event_id"]))
    finally:
        os.kill(worker, signal.SIGCONT)
    assert [answer.status_code for answer in refused] == [429, 503, 503]
    assert refused[0].text == texts.TOO_MUCH.format(count=32)
    assert f"{FULL}. Max size is 64 and size is 49" in refused[2].text
    assert len(events) == 49, "a quarter is kept for those who have nothing in the line"
    for visitor, event in events:
        assert "This file is a text file" in visitor.get(f"{API}call/explain/{event}").text
    assert visitors[0].explain((ROOT / "examples" / "base-normal.dcm").read_bytes())[0]["status"] == "ok"
