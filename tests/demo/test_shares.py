"""What one visitor may have going on, and results that nobody reads."""

import asyncio
import contextvars
import threading
import time

import pytest

from demo.answers import Answer
from demo.fair import VISITOR, Gate
from demo.gradio_internals import let_streams_end
from demo.guard import Guard
from demo.holding import Holding
from demo.line import Line
from demo.rules import Rules, make_rules
from demo.shares import AWAY, UNREAD, Shares
from demo.visit import Shown, Stack, Turn, Visit
from demo.worker.deposits import Upload
from lungcnn import LungCNNError, Reading, Series


def test_a_visitor_has_a_part_of_the_line():
    shares = Shares(line=8)
    for event in ("a", "b"):
        shares.note("he", b'{"event_id": "%s"}' % event.encode())
    shares.note("he", b"Queue is full")
    assert [shares.under_way(who, {"a", "b"}) for who in ("he", "she")] == [2, 0]
    assert (shares.asking({"a", "b"}), shares.under_way("he", {"b"})) == ({"he"}, 1), "one is over"
    assert shares.asking(set()) == set()
    assert [shares.room(his) for his in (0, 1)] == [8, 6]


def test_when_something_was_asked_last_is_known():
    shares = Shares(clock=iter([7.0, 9.0]).__next__)
    for asked in (7, 9):
        with shares.request("he"):
            assert shares.last == asked
    assert shares.last == 9


def test_pages_are_known_while_they_are_open_and_for_a_while_and_thousands_of_names_push_none_out():
    now = [0.0]
    shares = Shares(clock=lambda: now[0])
    with shares.page("open"), shares.page("twice"):
        for name in ("twice", "asleep", *map(str, range(9000))):
            with shares.page(name):
                assert not shares.has_page("never")
        shares.forget_pages({"open", "twice", "asleep"})
        assert [shares.has_page(name) for name in ("open", "twice", "asleep", "1")] == [True, True, True, False]
        now[0] = AWAY + 1
        assert [shares.has_page(name) for name in ("open", "twice", "asleep")] == [True, True, False]
    assert shares.has_page("open"), "just closed"
    shares.forget_pages({"asleep"})
    assert {**shares._pages, **shares._left} == {}


def test_results_are_dropped_where_nobody_reads_them():
    now = [0.0]
    shares = Shares(clock=lambda: now[0])
    shares.reading("read", 1)
    shares.reading("event", 1)
    over = {"read": {"x"}, "of an event": {"event"}, "unread": {"y"}}
    assert shares.unread(over) == []
    now[0] = UNREAD + 1
    assert shares.unread(over) == ["unread"]
    shares.reading("read", -1)
    assert shares.unread(over | {"new": set()}) == ["unread"]
    now[0] *= 2.1
    assert set(shares.unread(over)) == {"unread", "read"}


def test_a_stream_whose_session_has_gone_ends_and_is_no_fault(caplog):
    sent = []

    async def send(message):
        sent.append(message)

    async def gone(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"data: gone", "more_body": True})
        raise RuntimeError("Caught handled exception, but response already started.")

    async def broken(scope, receive, send):
        raise RuntimeError("before anything was said")

    rules = Rules()
    scope = {"query_string": b"session_hash=s"}
    asyncio.run(Guard(gone, rules)._read(scope, None, Answer(send, {}), "/gradio_api/queue/data"))
    assert [message.get("body") for message in sent] == [None, b"data: gone", b""]
    assert not sent[-1].get("more_body")
    with pytest.raises(RuntimeError):
        asyncio.run(Guard(broken, rules)._read(scope, None, Answer(send, {}), "/gradio_api/queue/data"))
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]
    assert not rules.shares._read


def test_results_that_two_streams_give_up_are_gone_after_the_first():
    import gradio as gr

    with gr.Blocks() as page:
        pass
    let_streams_end(page)
    results = page._queue.pending_messages_per_session
    results["session"] = "results"
    for _ in range(2):
        del results["session"]
    assert len(results) == 0
    for number in range(2001):
        results[number] = "results"
    assert len(results) == 2000, "as many as Gradio keeps"


@pytest.mark.parametrize(
    ("rules", "headers", "visitor"),
    [
        (Rules(), {b"x-forwarded-for": b"10.0.0.9"}, "127.0.0.1"),
        (make_rules("127.0.0.1", trusted=["ct.example"]), {b"host": b"localhost"}, "127.0.0.1"),
        (
            make_rules("127.0.0.1", trusted=["ct.example"]),
            {b"host": b"ct.example", b"x-forwarded-for": b"6.6.6.6, 10.0.0.9"},
            "10.0.0.9",
        ),
        (
            make_rules("127.0.0.1", trusted=["ct.example"]),
            {b"host": b"ct.example", b"x-forwarded-for": b"nonsense"},
            "127.0.0.1",
        ),
    ],
)
def test_a_visitor_is_known_by_his_address(rules, headers, visitor):
    assert rules.visitor({"headers": list(headers.items()), "client": ("127.0.0.1", 5)}) == visitor


def test_a_visitor_has_a_part_of_the_connections():
    shares = Shares(requests=2)
    with shares.request("he") as first, shares.request("he") as second:
        with shares.request("he") as third, shares.request("she") as hers:
            assert (first, second, third, hers) == (True, True, False, True)
        with shares.request("he") as again:
            assert not again
    with shares.request("he") as later:
        assert later
    assert not shares._requests


def test_sessions_hold_so_much_and_the_largest_go_first(phantom_slice, monkeypatch):
    size = 2 * phantom_slice.hu.nbytes
    monkeypatch.setattr("demo.visit.holding", Holding(limit=6 * size))
    small, series, *others = (Visit() for _ in range(8))
    small.show(small.begin(), Shown(phantom_slice))
    upload = Upload((bytes(3 * size),))
    series.show(series.begin(), Shown(stack=Stack(upload, 0, Reading(()), None, None, None)))
    for visit in others[:3]:
        visit.show(visit.begin(), Shown(phantom_slice))
    assert [visit.dropped for visit in (small, series, *others[:3])] == [False, True, False, False, False]
    with pytest.raises(LungCNNError, match="no longer here"):
        series.check_held()
    for visit in others:
        visit.show(visit.begin(), Shown(phantom_slice))
    assert small.dropped, "of those of a size the one that was not used for longest"
    assert [visit.dropped for visit in others] == [False] * 6
    series.show(series.begin(), Shown(stack=Stack(upload, 0, Reading(()), None, None, None)))
    assert not series.dropped, "the newest stays"
    assert sum(visit.dropped for visit in others) == 3


def test_many_small_sessions_of_one_visitor_push_out_no_large_one_of_another(phantom_slice, monkeypatch):
    size = 2 * phantom_slice.hu.nbytes
    monkeypatch.setattr("demo.visit.holding", Holding(limit=10 * size))

    def show(visitor, shown):
        visit, own = Visit(), contextvars.copy_context()
        own.run(VISITOR.set, visitor)
        own.run(visit.show, visit.begin(), shown)
        return visit

    series = show("she", Shown(stack=Stack(Upload((bytes(4 * size),)), 0, Reading(()), None, None, None)))
    sessions = [show("he", Shown(phantom_slice)) for _ in range(30)]
    assert not series.dropped
    assert [visit.dropped for visit in sessions] == [True] * 24 + [False] * 6


def test_what_is_known_of_thousands_of_slices_counts():
    reading = Reading((Series((None,) * 10_000, "dicom"),))
    assert Shown(stack=Stack(Upload((b"x",)), 0, reading, None, None, None)).size > 50 * 2**20


def at_the_gate(callers, most=None, places=1, **cost):
    """Visitors who come to a gate in this order and stay so many seconds; gives them in the order they were let in."""
    now, let, done = [0.0], threading.Event(), []
    gate = Gate(places, most, clock=lambda: now[0])

    def work(visitor):
        VISITOR.set(visitor)
        with gate.place():
            done.append(visitor)
            let.wait()
            now[0] += cost.get(visitor, 1)

    threads = [threading.Thread(target=work, args=(who,)) for who in callers]
    for number, thread in enumerate(threads, 1):
        thread.start()
        while sum(map(len, gate._waiting.values())) + len(done) < number:
            time.sleep(0.001)
    first = "".join(done)
    let.set()
    for thread in threads:
        thread.join()
    assert (gate._began, gate._waiting, gate._held, gate._had) == ({}, {}, {}, {})
    return first, "".join(done)


def test_the_visitor_comes_first_who_has_had_least_time():
    assert at_the_gate("aaaaabcc") == ("a", "abcacaaa")
    assert at_the_gate("sssqqqqq", s=3) == ("s", "sqqqsqqs")


def test_a_visitor_may_hold_part_of_the_places():
    first, _ = at_the_gate("aaaab", most=2, places=4)
    assert sorted(first) == ["a", "a", "b"]


def test_who_has_had_little_does_not_wait_for_what_takes_long():
    now, let, done = [0.0], threading.Event(), []
    gate = Gate(1, spare=1, clock=lambda: now[0])

    def work(visitor):
        VISITOR.set(visitor)
        with gate.place():
            done.append(visitor)
            let.wait()
            now[0] += 1

    def begin(visitor, waiting):
        thread = threading.Thread(target=work, args=(visitor,))
        thread.start()
        while len(done) + sum(map(len, gate._waiting.values())) < waiting:
            time.sleep(0.001)
        return thread

    threads = [begin("long", 1), begin("long", 2), begin("she", 3)]
    assert done == ["long"], "there is one place"
    now[0] = 5
    threads.append(begin("long", 4))
    while len(done) < 2:
        time.sleep(0.001)
    assert done == ["long", "she"]
    let.set()
    for thread in threads:
        thread.join()
    assert sorted(done) == ["long"] * 3 + ["she"]


def test_who_has_nothing_going_on_gets_a_place_at_once():
    async def story():
        line, done = Line(8), []

        def work(name):
            done.append(name)
            while not go.is_set():
                time.sleep(0.01)
            return VISITOR.get()

        many = [asyncio.ensure_future(line.call("many", work, "many")) for _ in range(20)]
        await asyncio.sleep(0.05)
        few = asyncio.ensure_future(line.call("few", work, "few"))
        await asyncio.sleep(0.05)
        started = list(done)
        go.set()
        assert await few == "few"
        assert set(await asyncio.gather(*many)) == {"many"}
        return started, line

    go = threading.Event()
    started, line = asyncio.run(story())
    assert started == ["many"] * 2 + ["few"]
    assert (line._places._free, dict(line._places._held), line._places._waiting) == (8, {}, [])


def test_what_is_called_off_holds_its_place_until_it_ends():
    """Else its threads would be others' and the line's places more than there are."""

    async def story():
        line = Line(1)

        def work():
            started.set()
            go.wait()

        called = asyncio.ensure_future(line.call("he", work))
        await asyncio.to_thread(started.wait)
        waiting = asyncio.ensure_future(line.call("he", work))
        await asyncio.sleep(0)
        for one in (called, waiting):
            one.cancel()
            with pytest.raises(asyncio.CancelledError):
                await one
        held = dict(line._places._held), line._places._waiting
        after = asyncio.ensure_future(line.call("she", lambda: "done"))
        go.set()
        assert await after == "done"
        await asyncio.sleep(0)
        return held, (line._places._free, dict(line._places._held))

    started, go = threading.Event(), threading.Event()
    assert asyncio.run(story()) == (({"he": 1}, []), (1, {}))


def test_steps_that_are_called_off_are_closed_when_the_one_under_way_has_ended():
    async def story():
        line, turn, closed = Line(1), Turn(), threading.Event()

        def steps():
            try:
                started.set()
                go.wait()
                yield {"outcome": turn.over}
            finally:
                closed.set()

        async def follow():
            return [changes async for changes in line.work(turn, steps(), "he")]

        called = asyncio.ensure_future(follow())
        await asyncio.to_thread(started.wait)
        called.cancel()
        with pytest.raises(asyncio.CancelledError):
            await called
        held = turn.over, closed.is_set(), dict(line._places._held)
        go.set()
        assert await line.call("she", closed.is_set)
        await asyncio.sleep(0)
        return held, (line._places._free, dict(line._places._held))

    started, go = threading.Event(), threading.Event()
    assert asyncio.run(story()) == ((True, False, {"he": 1}), (1, {}))


def test_who_leaves_just_as_his_turn_comes_gives_it_back():
    async def story():
        line, go = Line(1), threading.Event()
        at_work = asyncio.ensure_future(line.call("she", go.wait))
        await asyncio.sleep(0)
        follow = line.work(Turn(), (step for step in ()), "he")
        said = await anext(follow)  # he stands in line
        go.set()
        await at_work
        while line._places._waiting:
            await asyncio.sleep(0)
        await follow.aclose()
        return "in the line" in str(said), line._places._free, dict(line._places._held), line._places._waiting

    assert asyncio.run(story()) == (True, 1, {}, [])


def test_gradio_forgets_results_that_nobody_reads():
    import gradio as gr

    from demo.gradio_internals import events_of, forget_unread

    with gr.Blocks() as page:
        gr.Button()
    page.queue()
    queue = page._queue
    for name in ("one", "two", "three"):
        queue.pending_messages_per_session[name] = asyncio.Queue()
        queue.pending_event_ids_session[name] = {name + "-event"}

    class Event:
        session_hash = "three"

    queue.event_ids_to_events["three-event"] = Event
    assert events_of(page) == ({"three-event"}, {"one-event", "two-event", "three-event"})
    asked = []
    forget_unread(page, lambda over: asked.append(over) or ["one"])
    assert asked == [{"one": {"one-event"}, "two": {"two-event"}}]
    assert set(queue.pending_messages_per_session) == set(queue.pending_event_ids_session) == {"two", "three"}
