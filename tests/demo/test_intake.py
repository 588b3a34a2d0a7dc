"""Uploads wait in memory, within bounds, and who holds most makes way for others."""

import asyncio

import pytest

from demo import intake as intake_module
from demo.arrival import GRACE_SECONDS, IDLE_SECONDS, SLOWEST
from demo.gradio_internals import forget_progress
from demo.intake import _OVERHEAD, Intake
from lungcnn import LungCNNError


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_an_upload_can_be_taken_once():
    intake = Intake()
    one, two = intake.put(b"DICM the same slice"), intake.put(b"DICM the same slice")
    assert one != two, "visitors with the same slice must not share an upload"
    assert intake.take(one) == b"DICM the same slice"
    for gone in (one, "upload-" + "0" * 32, "/etc/passwd"):
        with pytest.raises(LungCNNError, match="used once"):
            intake.take(gone)
    assert intake.take(two) == b"DICM the same slice"
    assert (len(intake), intake._total) == (0, 0)


def test_uploads_that_nobody_takes_expire_and_memory_is_bounded(clock):
    intake = Intake(limit=2000, clock=clock)
    unasked, named = intake.put(b"x" * 90), intake.put(b"y")
    intake.claim(named)
    arrival = intake.begin()
    assert not intake.arrive(arrival, 20)
    intake.end(arrival)
    clock.now += intake.unasked + 1
    arrival = intake.begin()
    assert intake.arrive(arrival, 20)
    with pytest.raises(LungCNNError):
        intake.take(unasked)
    assert intake.take(named) == b"y"
    intake.end(arrival)
    assert (len(intake), intake._total, intake._held) == (0, 0, {})


def test_uploads_wait_no_longer_than_the_calls_that_asked_for_them(clock):
    intake = Intake(clock=clock)
    refused, asked = intake.put(b"x", "he"), intake.put(b"y", "she")
    clock.now += intake.unasked - 1
    for ticket in (refused, asked):
        intake.claim(ticket)
    clock.now += 2
    intake.drop_expired(asking={"she"})
    assert len(intake) == 2, "who was refused may ask again"
    clock.now += intake.unasked
    intake.drop_expired()
    assert len(intake) == 2, "calls may be under way"
    intake.drop_expired(asking={"she"})
    with pytest.raises(LungCNNError):
        intake.take(refused)
    assert intake.take(asked) == b"y"


def test_uploads_that_stand_still_make_way(clock):
    intake = Intake(limit=1000, clock=clock)
    stalled = [intake.begin() for _ in range(36)]
    for one in stalled:
        assert intake.arrive(one, 27)
    clock.now += 3
    new = intake.begin()
    assert intake.arrive(new, 100)
    assert sum(one.ousted for one in stalled) == 3
    assert not intake.arrive(next(one for one in stalled if one.ousted), 1)


def test_an_upload_that_stands_still_or_trickles_is_slow(clock):
    intake = Intake(clock=clock)
    arrival = intake.begin()
    assert not arrival.is_slow(0)
    assert arrival.is_slow(IDLE_SECONDS + 1)
    assert intake.arrive(arrival, 500 * 2**20)
    clock.now += GRACE_SECONDS + 1
    assert intake.arrive(arrival, int(SLOWEST * GRACE_SECONDS))
    assert not arrival.is_slow(clock.now), "it came quickly until now"
    for _ in range(5):
        clock.now += 10
        assert intake.arrive(arrival, 1)
    assert arrival.is_slow(clock.now), "a byte now and then, whatever came before"


def test_who_holds_most_makes_way(clock):
    intake = Intake(limit=20_000, clock=clock)
    greedy = [intake.put(bytes(1000), "greedy") for _ in range(3)]
    arriving = intake.begin("greedy")
    assert intake.arrive(arriving, 20_000 - 3 * (1000 + _OVERHEAD))
    assert not intake.arrive(arriving, 1), "he doesn't make room for himself"
    mine = intake.begin("me")
    assert intake.arrive(mine, 1000)
    assert intake.arrive(mine, 1000 + _OVERHEAD)
    assert [ticket in intake._waiting for ticket in greedy] == [False, False, True]
    assert intake.arrive(mine, 2000)
    assert not arriving.ousted
    assert intake.arrive(mine, 2000)
    assert arriving.ousted
    assert not intake.arrive(arriving, 1)
    intake.end(arriving)
    intake.end(mine)
    assert intake._total == 0


def test_many_small_uploads_push_out_none_of_others(clock):
    intake = Intake(most=10, clock=clock)
    mine, hers = intake.put(b"mine", "me"), intake.put(b"hers", "she")
    his = [intake.put(b"x", "he") for _ in range(50)]
    assert len(intake) == 10
    assert intake.take(mine) == b"mine"
    assert intake.take(hers) == b"hers"
    assert [ticket for ticket in his if ticket in intake._waiting] == his[-8:]


def test_how_far_an_upload_is_is_forgotten_when_it_has_been_told(monkeypatch):
    """By Gradio, which keeps it; whether anybody asked, nobody did, or somebody asked about what never was."""
    from gradio.routes import file_upload_statuses as progress
    from starlette.requests import Request

    monkeypatch.setattr(intake_module, "TOLD_SECONDS", 0)
    form = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nDICM\r\n--x--\r\n'
    headers = [(b"content-type", b"multipart/form-data; boundary=x"), (b"content-length", str(len(form)).encode())]

    async def body():
        return {"type": "http.request", "body": form, "more_body": False}

    async def upload(name):
        request = Request({"type": "http", "headers": headers}, body)
        await intake_module.receive(request, "", 100, name, True, progress)

    async def story():
        for name in ("asked", "never-was"):
            waiting = asyncio.create_task(progress.is_tracked(name))
            await asyncio.sleep(0)
            forget_progress(name)
            assert name in progress._signals, "somebody waits for it"
            if name == "asked":
                await upload(name)
                assert await waiting
                assert progress.is_done(name)
            waiting.cancel()
            await asyncio.sleep(0)
            forget_progress(name)
        await upload("silent")
        await asyncio.sleep(0.01)

    asyncio.run(story())
    assert not progress._statuses
    assert not progress._signals
