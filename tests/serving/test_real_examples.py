"""Real slices on request, from a local server that stands for the archive."""

import hashlib
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import dicom_bytes

from lungcnn.cli import main
from lungcnn.reading.loading import load_slice
from lungcnn.serving import real_examples as downloads
from lungcnn.serving.real_examples import REAL_SLICES, RealSlice, cache_folder, download_examples, downloaded_examples


@pytest.fixture
def archive(monkeypatch, tmp_path):
    """A server, what it holds by (series, instance), statuses to answer before, and what it was asked."""
    monkeypatch.setenv("LUNGCNN_CACHE", str(tmp_path / "cache"))
    held, statuses, asked = {}, [], []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            query = parse_qs(urlsplit(self.path).query)
            key = (query["SeriesInstanceUID"][0], query["SOPInstanceUID"][0])
            asked.append(key)
            status = statuses.pop(0) if statuses else (200 if key in held else 404)
            body = held.get(key, b"") if status == 200 else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setattr(downloads, "ADDRESS", f"http://127.0.0.1:{server.server_port}/getSingleImage")
    yield held, statuses, asked
    server.shutdown()
    server.server_close()


@pytest.fixture
def pinned(monkeypatch):
    """Two slices of our own in place of the real ones, by name."""
    files = {name: dicom_bytes(np.full((40, 40), level, np.uint16)) for name, level in (("one", 900), ("two", 1000))}

    def pin(name, data):
        ct_slice = load_slice(data)
        picture = hashlib.sha256(ct_slice.hu.tobytes() + repr(ct_slice.spacing).encode()).hexdigest()
        return RealSlice(name, name, name, "1.2", f"1.2.{name}", hashlib.sha256(data).hexdigest(), picture)

    monkeypatch.setattr(downloads, "REAL_SLICES", tuple(pin(name, data) for name, data in files.items()))
    return files


def fill(held, files):
    held.update({("1.2", f"1.2.{name}"): data for name, data in files.items()})


def test_slices_are_fetched_once_with_their_licence(archive, pinned):
    held, _, asked = archive
    fill(held, pinned)
    assert downloaded_examples() == []
    ticks = []
    files = download_examples(on_file=lambda: ticks.append(1))
    assert [path.read_bytes() for path in files] == list(pinned.values())
    assert (len(asked), len(ticks)) == (2, 2)
    notice = (cache_folder() / "LICENCE.txt").read_text()
    assert "Creative Commons Attribution 3.0" in notice
    assert "10.7937/K9/TCIA.2015.LO9QL9SX" in notice
    assert [(one.name, path.name) for one, path in downloaded_examples()] == [("one", "one.dcm"), ("two", "two.dcm")]
    assert download_examples() == files
    assert len(asked) == 2, "what is there is not fetched again"
    files[0].write_bytes(b"changed")
    assert [one.name for one, _ in downloaded_examples()] == ["two"], "what was changed is not offered"
    download_examples()
    assert files[0].read_bytes() == pinned["one"]


def test_a_rewritten_header_is_accepted_and_another_picture_is_not(archive, pinned):
    held, _, _ = archive
    fill(held, pinned)
    rewritten = dicom_bytes(np.full((40, 40), 900, np.uint16), ImageComments="written anew")
    assert rewritten != pinned["one"]
    held["1.2", "1.2.one"] = rewritten
    assert download_examples()[0].read_bytes() == rewritten
    held["1.2", "1.2.two"] = pinned["one"]
    (cache_folder() / "two.dcm").unlink()
    with pytest.raises(downloads.DownloadError, match="two is not the slice that is pinned"):
        download_examples()
    assert [one.name for one, _ in downloaded_examples()] == ["one"]
    assert not list(cache_folder().glob(".*"))


@pytest.mark.parametrize("body", [b"", b"<html>log in</html>", bytes(5 * 2**20)])
def test_anything_else_is_not_kept(archive, pinned, body):
    held, _, _ = archive
    fill(held, pinned)
    held["1.2", "1.2.one"] = body
    with pytest.raises(downloads.DownloadError, match="not the slice that is pinned"):
        download_examples()
    assert downloaded_examples() == []


def test_a_busy_archive_is_asked_again_and_an_error_is_told(archive, pinned):
    held, statuses, asked = archive
    fill(held, pinned)
    statuses[:] = [503]
    assert len(download_examples()) == 2
    assert len(asked) == 3
    (cache_folder() / "one.dcm").unlink()
    statuses[:] = [500]
    with pytest.raises(downloads.DownloadError, match="answered HTTP 500; try again later"):
        download_examples()


def test_the_command(archive, pinned):
    held, _, _ = archive
    fill(held, pinned)
    result = CliRunner().invoke(main, ["examples", "--download"])
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [str(cache_folder() / "one.dcm"), str(cache_folder() / "two.dcm")]
    assert "LIDC-IDRI" in result.stderr
    both = CliRunner().invoke(main, ["examples", "--download", "--out", "x"])
    assert both.exit_code == 2
    assert "--out belongs to the phantoms" in both.output


def test_offline_it_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("LUNGCNN_CACHE", str(tmp_path))
    monkeypatch.setattr(downloads, "ADDRESS", "http://127.0.0.1:1/getSingleImage")
    monkeypatch.setattr(downloads, "ATTEMPTS", 1)
    result = CliRunner().invoke(main, ["examples", "--download"])
    assert result.exit_code == 2
    (line,) = [" ".join(part.split()) for part in result.output.split("Error: ")[1:]]
    assert line.startswith("The Cancer Imaging Archive can't be reached from here:")
    assert line.count(". ") == 0
    assert "Traceback" not in result.output


def test_a_cache_that_can_not_be_written_is_told(archive, pinned, tmp_path, monkeypatch):
    fill(archive[0], pinned)
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("LUNGCNN_CACHE", str(tmp_path / "file"))
    result = CliRunner().invoke(main, ["examples", "--download"])
    assert result.exit_code == 2
    assert "Set LUNGCNN_CACHE" in result.output


@pytest.mark.data
def test_what_is_pinned_is_what_the_archive_holds(archive, data, shipped):
    """The pins are those of the real series, which the server hands out as the archive would."""
    import pydicom

    held, _, _ = archive
    for path in (data / "lidc-0001").glob("*.dcm"):
        ds = pydicom.dcmread(path, stop_before_pixels=True)
        held[ds.SeriesInstanceUID, ds.SOPInstanceUID] = path.read_bytes()
    files = download_examples()
    assert len(files) == len(REAL_SLICES) == 3
    for one, path in zip(REAL_SLICES, files, strict=True):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == one.sha256
        assert replace(one, sha256="").matches(path.read_bytes())
        assert shipped.run(load_slice(path), checks=False).status == "ok"
