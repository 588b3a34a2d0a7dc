"""Which routes are open: those that the page and the API use. All routes of the installed Gradio are known here."""

import asyncio
import os
import re
from pathlib import Path

import gradio as gr
import pytest
from conftest import ROOT
from demo_process import API, file_data

from demo import routes, texts
from demo.incoming import Unacceptable, clean_call, clean_query
from demo.intake import intake
from demo.routes import OPEN
from demo.rules import Rules, make_rules
from demo.worker.process import WorkerError

EXAMPLE = ROOT / "examples" / "arch-spiculated-mass.dcm"
# Routes of Gradio that are shut. A release with another one fails `test_every_route_is_known`: read what it does, and
# name it here, or in `demo/routes.py` where the page needs it.
SHUT = {
    *("/manifest.json", "/monitoring", "/monitoring/summary", "/monitoring/{key}", "/pwa_icon", "/pwa_icon/{size}"),
    *("/svelte/{path:path}", "/robots.txt", API + "deep_link"),
    *(API + path for path in ("login_check", "user", "theme.css", "openapi.json")),
    *(
        API + path
        for path in ("api/{api_name}", "run/{api_name}", "call/v2/{api_name}", "call/v2/{api_name}/{event_id}")
    ),
    *(API + path for path in ("run-history/connect", "run-history/buckets", "run-history/records")),
    API + "run-history/records/{endpoint}/{record_id}/assets/{asset_id}",
    *(API + path for path in ("component_server", "custom_component/{id}/{environment}/{type}/{file_name}")),
    *(API + path for path in ("dev/reload", "file/{path:path}", "process_recording", "proxy={url_path:path}")),
    *(API + path for path in ("queue/status", "runs", "token", "undo-vibe-edit", "vibe-code", "vibe-edit")),
    *(API + path for path in ("vibe-starter-queries", "stream/{event_id}", "stream/{event_id}/close")),
    *(
        f"{API}stream/{{session_hash}}/{{run}}/{{component_id}}/{end}"
        for end in ("playlist.m3u8", "playlist-file", "{segment_id}.{ext}")
    ),
}
OURS = {"/slices/{name}/{name}/{name}"}  # which Gradio doesn't have
# The names that Gradio gives to what is open.
AS_GRADIO = {
    API + "call/{api_name}": API + "call/explain",
    API + "call/{api_name}/{event_id}": API + "call/explain/{name}",
    API + "heartbeat/{session_hash}": API + "heartbeat/{name}",
    API + "file={path_or_url:path}": API + "file={inside}",
    "/assets/{path:path}": "/assets/{inside}",
    "/static/{path:path}": "/static/{inside}",
}


def routes_of_gradio() -> set[str]:
    from gradio.routes import App

    with gr.Blocks() as page:
        gr.Button()
    app = App.create_app(page, app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None})
    found = []
    for route in app.routes:
        found += [route] if hasattr(route, "path") else route.original_router.routes
    return {route.path.rstrip("/") or "/" for route in found}


def test_every_route_is_known():
    assert {AS_GRADIO.get(path, path) for path in routes_of_gradio()} == SHUT | set(OPEN) - OURS


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", path) for path in sorted(SHUT)),
        *(("GET", path) for path in ("/docs", "/redoc", "/openapi.json", "/assets/../x", "/assets/.env", "/assets//x")),
        *(("GET", API + path) for path in ("call/from_upload/x", "mcp/sse", "queue/join", "heartbeat/" + "x" * 65)),
        *(("GET", API + path) for path in ("file=http://x/", "file=/etc/passwd", "file=x/../y", "file=.lock")),
        *(("POST", path) for path in ("/", "/config", API + "call/other", API + "file=x")),
        *(("OPTIONS", path) for path in ("/", API + "queue/join")),
    ],
)
def test_everything_else_is_shut(method, path):
    assert not routes.found(method, path)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"data": [{"path": "https://example.org/x.dcm"}]}', texts.NO_LINKS),
        (b' \n{"data": [{"path": " HTTP://10.0.0.1/", "meta": {}}]}', texts.NO_LINKS),
        ('{"data": [[{"path": "http://10.0.0.1/"}]]}'.encode("utf-16"), texts.NO_LINKS),
        (b'{"data": [{"url": "file:///etc/passwd"}]}', texts.NO_LINKS),
        (b'{"data": [{"path": "/tmp/lungcnn-demo-1-x/.lock"}]}', texts.NO_UPLOAD),
        (b'{"event_data": {"path": ["x"]}}', texts.NO_UPLOAD),
        (b'{"data": [{"path": "upload-../../x"}]}', texts.NO_UPLOAD),
        (b'{"session_hash": "%s"}' % (b"x" * 65), texts.BAD_CALL),
        (b'{"session_hash": ["x"]}', texts.BAD_CALL),
        (b'{"fn_index": "0"}', texts.BAD_CALL),
        (b'{"fn_index": true}', texts.BAD_CALL),
        (b'{"fn_index": -1}', texts.BAD_CALL),
        (b'{"fn_index": 1.0}', texts.BAD_CALL),
        (b'{"data": [NaN]}', texts.BAD_CALL),
        (b'{"data": ["\\ud800"]}', texts.BAD_CALL),
        (b'{"data": [1e999]}', texts.BAD_CALL),
        (b"[" * 100_000, texts.BAD_CALL),
        (b'{"data": ' + b"[" * 50 + b"]" * 50 + b"}", texts.BAD_CALL),
        (b"[1]", texts.BAD_CALL),
        (b"\xff\xfe\xff", texts.BAD_CALL),
    ],
)
def test_a_call_that_names_anything_but_an_upload_is_refused(body, said):
    with pytest.raises(Unacceptable, match=re.escape(said)) as told:
        clean_call(body, {0})
    assert told.value.status == 400


def test_a_call_is_written_anew_with_uploads_by_ticket_alone(monkeypatch):
    import json

    monkeypatch.setenv("GRADIO_TEMP_DIR", "/scratch")
    ticket = intake.put(b"x")
    given = {"path": ticket, "orig_name": "DOE^JOHN.dcm", "url": "http://x", "meta": {"_type": "gradio.FileData"}}
    call = json.loads(
        clean_call(json.dumps({"data": [[given], 1, None], "oauth_token": "x", "batched": 1}).encode(), {0})
    )
    meant = {"path": f"/scratch/{ticket}", "meta": {"_type": "gradio.FileData"}}
    assert call == {"data": [[meant], 1, None]}
    assert intake.take(ticket) == b"x"


def test_a_query_has_the_names_that_the_page_uses():
    assert clean_query(b"session_hash=ab-c&other=%00&__theme=dark") == b"session_hash=ab-c&__theme=dark"
    for query, status in ((b"deep%5flink=x", 404), (b"upload_id=" + b"x" * 65, 400), (b"session_hash=..%2f", 400)):
        with pytest.raises(Unacceptable) as told:
            clean_query(query)
        assert told.value.status == status


@pytest.mark.parametrize(
    ("origin", "host", "ours"),
    [
        ("", "127.0.0.1:7860", True),
        ("http://127.0.0.1:7860", "127.0.0.1:7860", True),
        ("https://ct.example", "127.0.0.1:7860", True),
        ("http://127.0.0.1:8888", "127.0.0.1:7860", False),
        ("https://evil.example", "127.0.0.1:7860", False),
        ("https://ct.example.evil.example", "ct.example", False),
        ("null", "127.0.0.1:7860", False),
        ("http://[", "127.0.0.1:7860", False),
    ],
)
def test_pages_of_other_sites_are_told_apart(origin, host, ours):
    assert make_rules("127.0.0.1", trusted=["ct.example"]).is_of_ours(origin, host) is ours


def test_what_a_proxy_says_is_believed_where_its_name_was_given():
    said = [(b"host", b"127.0.0.1"), (b"x-forwarded-host", b"ct.example"), (b"x-forwarded-proto", b"https")]
    assert Rules().clean_headers(said) == said[:1]
    named = make_rules("127.0.0.1", trusted=["ct.example"])
    for headers in (said, [(b"x-forwarded-host", b"evil.example"), *said]):
        assert sorted(named.clean_headers(headers)) == sorted(said)
    assert make_rules("127.0.0.1", trusted=["other.example"]).clean_headers(said) == said[:1]
    for scheme, taken in ((b"HTTPS, http", b"https"), (b"javascript", None), (b'"><script>', None)):
        kept = dict(named.clean_headers([*said[:2], (b"x-forwarded-proto", scheme)]))
        assert (kept.get(b"x-forwarded-proto"), kept[b"x-forwarded-host"]) == (taken, b"ct.example"), scheme


def test_no_route_fetches_serves_or_deletes_what_it_is_told_to(served):
    visitor = served.client()
    lock = served.scratch() / ".lock"
    for path in (served.url + "/x.html", served.url.replace("http", "HTTP"), str(lock), "/etc/passwd"):
        answer = visitor.get(f"{API}file={path}")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/plain; charset=utf-8"), path
        answer = visitor.post(API + "call/explain", json={"data": [file_data(path, "x"), "", ""]})
        assert answer.status_code == 400, path
    assert lock.exists()
    icons = re.findall(r'"url":"([^"]*example\.png)"', visitor.get("/config").text)
    assert len(icons) >= 6
    for icon in icons:
        answer = visitor.get(icon)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "inline" in answer.headers["content-disposition"]


def test_other_origins_get_nothing(served):
    visitor, evil = served.client(), {"Origin": "https://evil.example"}
    answer = visitor.post(API + "call/explain", json={"data": []}, headers=evil)
    assert (answer.status_code, answer.text) == (403, texts.FOREIGN_ORIGIN)
    answers = [answer, visitor.send("OPTIONS", API + "queue/join", headers=evil), visitor.get("/config", headers=evil)]
    assert [name for one in answers for name in one.headers if name.startswith("access-control")] == []


def test_no_answer_names_a_path_of_the_machine(served):
    visitor = served.client()
    visitor.explain(EXAMPLE.read_bytes())
    for path in ("/", "/config", API + "info"):
        visitor.get(path)
    places = [str(served.folder), str(ROOT), os.path.expanduser("~") + "/", str(Path(gr.__file__).parent)]
    assert [(path, place) for path, content in visitor.received for place in places if place.encode() in content] == []


def test_while_nothing_can_be_judged_that_can_be_seen_from_outside():
    import asyncio

    from demo.guard import Guard

    rules = Rules(trouble=lambda: WorkerError("the model at /somewhere is damaged"))
    said = []

    async def story():
        async def send(message):
            said.append(message)

        scope = {
            "type": "http",
            "method": "GET",
            "path": "/",
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
        }
        await Guard(None, rules)(scope, None, send)

    asyncio.run(story())
    assert (said[0]["status"], said[1]["body"]) == (503, texts.WORKER_GONE.encode())


@pytest.mark.parametrize(
    ("trouble", "ready", "said"),
    [(None, True, (200, b"ready")), (None, False, (503, b"loading")), (WorkerError(""), True, (503, b"unavailable"))],
)
def test_whoever_watches_the_demo_is_told_whether_it_can_judge(trouble, ready, said):
    from demo.guard import Guard

    sent = []

    async def send(message):
        sent.append(message)

    rules = make_rules("0.0.0.0", None, ("ct.example.org",), (), gr.Blocks())  # noqa: S104
    rules.trouble, rules.ready = lambda: trouble, lambda: ready
    for host, status in ((b"10.1.2.3:7860", said[0]), (b"ct.example.org", said[0]), (b"evil.example", 421)):
        sent.clear()
        scope = {"type": "http", "path": "/healthz", "method": "GET", "headers": [(b"host", host)]}
        asyncio.run(Guard(None, rules)(scope, None, send))
        assert sent[0]["status"] == status
        if status != 421:
            assert sent[1]["body"] == said[1]


def test_every_option_has_its_environment_variable(monkeypatch):
    from click.testing import CliRunner

    from demo.__main__ import main

    shown = re.sub(r"\s+", " ", CliRunner().invoke(main, ["--help"], terminal_width=200).output)
    for option in main.params:
        name = f"LUNGCNN_DEMO_{option.name.upper()}"
        assert option.name in ("version", "help") or name in shown
    monkeypatch.setenv("LUNGCNN_DEMO_TRUST_HOST", "a.example b.example")
    monkeypatch.setenv("GRADIO_SERVER_PORT", "7000")
    found = main.make_context("demo", []).params
    assert (found["trust_host"], found["port"]) == (("a.example", "b.example"), 7000)
