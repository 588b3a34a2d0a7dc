"""What one visitor may have going on, and results that nobody reads."""

import asyncio
import threading
import time

import pytest

from demo.fair import VISITOR, Gate
from demo.holding import Holding
from demo.line import Line
from demo.rules import Rules, make_rules
from demo.shares import UNREAD, Shares
from demo.visit import Shown, Stack, Visit
from demo.worker.deposits import Upload
from lungcnn import LungCNNError


def test_a_visitor_has_a_part_of_the_line():
    shares = Shares(most=2)
    for event in ("a", "b"):
        assert shares.has_room("he", {"a", "b"})
        shares.note("he", b'{"event_id": "%s"}' % event.encode())
    shares.note("he", b"Queue is full")
    assert not shares.has_room("he", {"a", "b"})
    assert shares.has_room("she", {"a", "b"})
    assert shares.has_room("he", {"b"}), "one is over"


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


def test_sessions_hold_so_much_and_the_largest_go_first(phantom_slice, monkeypatch):
    size = 2 * phantom_slice.hu.nbytes
    monkeypatch.setattr("demo.visit.holding", Holding(limit=6 * size))
    small, series, *others = (Visit() for _ in range(8))
    small.show(small.begin(), Shown(phantom_slice))
    upload = Upload((bytes(3 * size),))
    series.show(series.begin(), Shown(stack=Stack(upload, 0, None, None, None, None)))
    for visit in others[:3]:
        visit.show(visit.begin(), Shown(phantom_slice))
    assert [visit.dropped for visit in (small, series, *others[:3])] == [False, True, False, False, False]
    with pytest.raises(LungCNNError, match="no longer here"):
        series.check_held()
    for visit in others:
        visit.show(visit.begin(), Shown(phantom_slice))
    assert small.dropped, "of those of a size the one that was not used for longest"
    assert [visit.dropped for visit in others] == [False] * 6
    series.show(series.begin(), Shown(stack=Stack(upload, 0, None, None, None, None)))
    assert not series.dropped, "the newest stays"
    assert sum(visit.dropped for visit in others) == 3


def test_threads_of_visitors_take_turns():
    gate, done, let = Gate(1), [], threading.Event()

    def work(visitor):
        VISITOR.set(visitor)
        with gate.place():
            let.wait()
            done.append(visitor)

    threads = [threading.Thread(target=work, args=(who,)) for who in (*"aaaaa", "b", "c", "c")]
    for thread in threads:
        thread.start()
        time.sleep(0.01)
    let.set()
    for thread in threads:
        thread.join()
    assert "".join(done) == "aabcacaa"
    assert gate._free == 1


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
    assert started == ["many"] * 6 + ["few"]
    assert (line._free, dict(line._held), line._waiting) == (8, {}, [])


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
    app = type("App", (), {"get_blocks": staticmethod(lambda: page)})
    assert events_of(app) == ({"three-event"}, {"one-event", "two-event", "three-event"})
    asked = []
    forget_unread(page, lambda over: asked.append(over) or ["one"])
    assert asked == [{"one": {"one-event"}, "two": {"two-event"}}]
    assert set(queue.pending_messages_per_session) == set(queue.pending_event_ids_session) == {"two", "three"}
