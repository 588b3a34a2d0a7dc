"""Nothing that an upload says about a person leaves memory: marked files go every way through the demo."""

import base64
import contextlib
import io
import re
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest
from conftest import ROOT, dicom_bytes
from demo_process import API, Demo, file_data

MARK, DATE, ROOT_UID, WEIGHT = "ZQXMARKERQXZ", "18770613", "1.2.826.0.1.3680043.9.77777", "77.1234567"
FILE_NAME = f"{MARK}^DOE^JOHN {DATE}.dcm"
TEXT = ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT")
# What a CT slice must say to be read as one; in a file that is to be refused these are marked, too.
NEEDED = ("Modality", "PhotometricInterpretation", "RescaleType", "ImageType", "SpecificCharacterSet", "SOPClassUID")
# Groups that are no part of a data set: commands, file meta, directories, icons and trailing padding.
LEFT_OUT = (0x0000, 0x0002, 0x0004, 0x0088, 0x7FE0, 0xFFFC, 0xFFFE, 0xFFFA)


def marked(stored, needed: bool = True) -> bytes:
    """A CT object with a mark in every text element of the dictionary, in private ones and in its file meta."""
    from pydicom import config, dcmread, dcmwrite
    from pydicom.datadict import DicomDictionary, keyword_for_tag
    from pydicom.dataelem import DataElement

    ds = dcmread(io.BytesIO(dicom_bytes(stored, bits=16)))
    count = 0
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items():
        if tag >> 16 in LEFT_OUT or not keyword or (needed and keyword in NEEDED):
            continue
        value = {"DA": DATE, "DT": f"{DATE}010203", "UI": f"{ROOT_UID}.{tag}"}.get(vr)
        if vr in TEXT:
            value = MARK
        if value is not None and keyword not in ("SOPClassUID", "SpecificCharacterSet"):
            ds[tag] = DataElement(tag, vr, value, validation_mode=config.IGNORE)
            count += 1
    assert count > 1500, count
    ds.PatientWeight = WEIGHT
    block = ds.private_block(0x0009, f"{MARK} CREATOR", create=True)
    block.add_new(1, "LO", f"{MARK} private")
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.SourceApplicationEntityTitle = MARK
    assert keyword_for_tag(0x00100010) in ds
    stream = io.BytesIO()
    dcmwrite(stream, ds, enforce_file_format=True)
    return stream.getvalue()


@pytest.fixture(scope="module")
def files(phantom) -> dict[str, bytes]:
    """Marked files: one for each way that an upload can go."""
    import numpy as np

    stored = (phantom.hu + 1024).round().clip(0, 4095).astype(np.uint16)
    good = marked(stored)
    noise = np.random.default_rng(0).integers(0, 2000, (256, 256)).astype(np.uint16)
    return {
        "good": good,
        "refused by the picture": marked(noise),
        "refused by the header": marked(stored, needed=False),
        "cut short": good[: len(good) // 2],
        "cut in the header": good[:60_000],
        "no DICOM": f"{MARK} {DATE} is a text".encode(),
        "empty": b"",
    }


def encodings() -> list[bytes]:
    """What to look for: the marks as they are, in lower case, UTF-16, and in base64 at any offset."""
    found = [MARK, MARK.lower(), DATE, ROOT_UID.removeprefix("1.2.826.0.1."), WEIGHT]
    packed = [
        base64.b64encode(b"\0" * pad + MARK.encode())[4 * (pad > 0) : 4 * ((pad + len(MARK)) // 3)] for pad in range(3)
    ]
    return [*(text.encode() for text in found), MARK.encode("utf-16-le"), *packed]


def clean(content: bytes) -> bool:
    return not any(mark in content for mark in encodings())


def assert_disk_is_clean(demo, since: float) -> None:
    """No mark in the demo's temporary folder, home and log, nor in any file of the project changed since."""
    files = [path for path in demo.folder.rglob("*") if path.is_file()] + [demo.log]
    for path in ROOT.rglob("*"):
        inside = path.relative_to(ROOT).parts
        if inside[0] not in (".git", "tests", "demo", "lungcnn") and path.is_file() and path.stat().st_mtime > since:
            files.append(path)
    for path in files:
        assert clean(path.read_bytes()), path
        assert clean(str(path).encode())


def test_the_marks_are_there_and_would_be_found(files):
    assert files["good"].count(MARK.encode()) > 1000
    assert all(not clean(content) for name, content in files.items() if name != "empty")
    assert not clean(base64.b64encode(b"x" + files["no DICOM"]))
    assert not clean(f'"{DATE}"'.encode())
    assert clean(b"nothing")


def test_nothing_of_an_upload_in_any_answer_log_or_file(served, files):
    since = time.time()
    visitor = served.client()
    outcomes = {}
    for name, content in files.items():
        outcomes[name] = visitor.explain(content, FILE_NAME)[0]
    visitor.explain(files["good"], FILE_NAME, "no such class", "no such method")
    assert outcomes["good"]["status"] == "ok"
    for name in ("refused by the picture", "refused by the header", "cut short", "no DICOM", "empty"):
        assert outcomes[name]["status"] in ("refused", "error"), name

    config = visitor.get("/config").json()
    components = {component["id"]: component for component in config["components"]}
    own = [d for d in config["dependencies"] if d["api_visibility"] == "private"]
    asks_for_file = [d for d in own if any(components[i]["type"] == "file" for i in d["inputs"])]
    assert asks_for_file

    def values(dependency, path=None):
        for number in dependency["inputs"]:
            props = components[number]["props"]
            if components[number]["type"] == "file":
                one = path and file_data(path, FILE_NAME)
                yield [one] if path and props.get("file_count") == "multiple" else one
            else:
                yield props.get("value")

    for name, content in files.items():
        for dependency in asks_for_file:
            visitor.press(dependency["id"], list(values(dependency, visitor.upload(content, FILE_NAME))))
        if name not in ("good", "refused by the picture"):
            continue
        for dependency in own:  # what the page can do with that slice: explain, scroll, every download
            if dependency not in asks_for_file:
                visitor.press(dependency["id"], list(values(dependency)))

    # A path is no ticket of an upload: the guard refuses the call.
    made_up = str(served.scratch() / FILE_NAME)
    for path in (made_up, f"/nowhere/{FILE_NAME}", f"../{MARK}"):
        with pytest.raises(httpx.HTTPStatusError, match="400"):
            visitor.call("explain", [file_data(path, FILE_NAME), "", ""])
        with pytest.raises(httpx.HTTPStatusError, match="400"):
            visitor.press(asks_for_file[0]["id"], list(values(asks_for_file[0], path)))
        visitor.get(f"{API}file={path}")
    visitor.post(API + "upload", files={"wrong": (FILE_NAME, files["good"])})
    visitor.post(API + "call/explain", json={"data": "nothing"})

    # A call that is refused for its own form (422) is answered with a quotation of itself; files are none of that.
    for address, content in visitor.received:
        assert clean(content) or f"{API}file=" in address, (address, content[:300])
    assert_disk_is_clean(served, since)


def test_sigterm_in_the_middle_leaves_nothing_and_takes_less_than_two_seconds(files, tmp_path):
    since = time.time()
    folder = tmp_path / "home"
    with Demo(folder, "--log-level", "debug") as killed:
        ticket = killed.client().upload(files["good"], FILE_NAME)
        killed.stop(signal.SIGKILL)
        left = killed.scratch()
        assert ticket.startswith("upload-"), "uploads have no place on the disk"
        assert_disk_is_clean(killed, since)
    with Demo(folder, "--log-level", "debug") as demo:
        assert not left.exists(), "the folder of a killed demo goes at the next start"
        assert demo.client().explain(files["good"], FILE_NAME)[0]["status"] == "ok"
        worker = demo.worker()

        def ask():
            with contextlib.suppress(httpx.HTTPError, IndexError):  # the connection breaks, or the answer ends early
                demo.client().explain(files["good"], FILE_NAME)

        asking = [threading.Thread(target=ask) for _ in range(3)]
        for thread in asking:
            thread.start()
        time.sleep(0.1)
        start = time.monotonic()
        assert demo.stop() == 0
        assert time.monotonic() - start < 2
        for thread in asking:
            thread.join(10)
        assert list(folder.glob("lungcnn-demo-*")) == []
        assert not Path(f"/proc/{worker}/exe").exists()
        assert_disk_is_clean(demo, since)


@pytest.mark.browser
def test_nothing_of_an_upload_in_the_page_its_storage_or_its_downloads(served, files, tmp_path):
    from playwright.sync_api import sync_playwright
    from test_browser import CHROMIUM, FLAGS, WAIT

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(accept_downloads=True)
        page = context.new_page()
        page.goto(served.url + "/?example=none")
        page.wait_for_selector(".examples button")
        for name, content in files.items():
            if name == "empty":
                continue
            source = {"name": FILE_NAME, "mimeType": "application/dicom", "buffer": content}
            page.set_input_files("#upload input[type=file]", [source])
            page.wait_for_function(
                "() => document.querySelector('#prediction, #message') && !document.querySelector('.generating')",
                timeout=WAIT,
            )
            page.wait_for_function("mark => !document.documentElement.outerHTML.includes(mark)", arg=MARK, timeout=WAIT)
            assert clean(page.content().encode()), name
            assert clean(page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])").encode())
            assert page.evaluate("indexedDB.databases().then(all => all.length)") == 0
            assert page.evaluate("window.caches ? caches.keys().then(all => all.length) : 0") == 0
            for button in page.query_selector_all(".exports button"):
                if not button.is_visible():
                    continue
                with page.expect_download(timeout=WAIT) as waiting:
                    button.click()
                file = tmp_path / waiting.value.suggested_filename
                waiting.value.save_as(file)
                assert clean(file.read_bytes())
                assert clean(file.name.encode())
                assert not re.search(r"DOE|\d{8}", file.name)
        assert context.cookies() == []
        browser.close()
