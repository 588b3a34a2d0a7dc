"""A study fetched from a real PACS, judged, and its results stored and found again; and a PACS that misbehaves."""

import json
import shutil
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import dicom_bytes, missing

from lungcnn.cli import main
from lungcnn.errors import UsageError
from lungcnn.phantoms.bundled import draw
from lungcnn.serving.pacs import connection
from lungcnn.serving.pacs.connection import PacsError, connect
from lungcnn.serving.pacs.study import find_study, run_study

USER, PASSWORD = "reader", "a-password"
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
SHOWN = ("PatientID", "PatientName", "StudyInstanceUID")


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory):
    """The DICOMweb address of an empty Orthanc on a loopback port."""
    program = shutil.which("Orthanc") or shutil.which("orthanc")
    if not program or not PLUGIN.exists():
        missing("Debian's orthanc and orthanc-dicomweb")
    folder = tmp_path_factory.mktemp("orthanc")
    web, dicom = free_port(8040, 8050), free_port(8050, 8060)
    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "Plugins": [str(PLUGIN)],
        "HttpPort": web,
        "DicomPort": dicom,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and server.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", web)) == 0:
                    break
            time.sleep(0.1)
        else:
            pytest.fail(f"Orthanc did not start:\n{(folder / 'log').read_text()[-2000:]}")
        yield f"http://127.0.0.1:{web}/dicom-web"
    finally:
        server.terminate()
        server.wait(30)


def free_port(first: int, end: int) -> int:
    for port in range(first, end):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    pytest.fail(f"No port from {first} to {end} is free.")


@pytest.fixture
def account(monkeypatch):
    monkeypatch.setenv("LUNGCNN_PACS_USER", USER)
    monkeypatch.setenv("LUNGCNN_PACS_PASSWORD", PASSWORD)


def store(client, files):
    import io

    import pydicom

    datasets = [pydicom.dcmread(io.BytesIO(one) if isinstance(one, bytes) else one) for one in files]
    for start in range(0, len(datasets), 40):
        client.store_instances(datasets[start : start + 40])
    return datasets


@pytest.mark.orthanc
@pytest.mark.data
def test_a_real_study_goes_there_and_back(orthanc, account, data, tmp_path):
    from lungcnn.model.card import default_model_path

    client = connect(orthanc)
    sources = store(client, sorted((data / "lidc-0001").glob("*.dcm")))
    study = sources[0].StudyInstanceUID
    arguments = ["pacs", "--url", orthanc, "--study", study, "--json", "--model", str(default_model_path())]

    dry = CliRunner().invoke(main, [*arguments, "--dry-run"])
    assert dry.exit_code == 0, dry.output
    (record,) = (json.loads(line) for line in dry.stdout.splitlines())
    assert (record["stored"], record["objects"]["sr"], len(record["slices"])) == (False, 1, 133)
    assert len(client.search_for_series(study)) == 1, "a dry run stores nothing"

    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    (record,) = (json.loads(line) for line in result.stdout.splitlines())
    assert record["stored"]
    assert sources[0].PatientID not in result.output, "nothing that names a patient is printed"
    assert record["slices"][0]["position_mm"] == -340

    found = client.search_for_series(study, fields=["Modality"])
    assert sorted(one["00080060"]["Value"][0] for one in found) == ["CT", "OT", "OT", "SR"]
    made = [ds for one in found if one["00080060"]["Value"][0] != "CT"
            for ds in client.retrieve_series(study, one["0020000E"]["Value"][0])]  # fmt: skip
    suspicious = record["suspicious"]
    assert sorted(ds.Modality for ds in made) == ["OT"] * (len(suspicious) + 1) + ["SR"]
    for ds in made:
        for keyword in SHOWN:
            assert ds[keyword].value == sources[0][keyword].value, keyword
    (report,) = (ds for ds in made if ds.Modality == "SR")
    numbers = values_of(report, "P_MALIGNANT")
    expected = [record["slices"][index]["probabilities"]["malignant"] for index in suspicious]
    assert numbers == pytest.approx(expected, abs=1e-4)
    by_place = {float(ds.ImagePositionPatient[2]): ds.SOPInstanceUID for ds in sources}
    captures = [ds for ds in made if "SourceImageSequence" in ds and "PixelData" in ds]
    places = {record["slices"][index]["position_mm"] for index in suspicious}
    assert {ds.SourceImageSequence[0].ReferencedSOPInstanceUID for ds in captures} == {by_place[z] for z in places}
    (heat,) = (ds for ds in made if "FloatPixelData" in ds)
    assert heat.FrameOfReferenceUID == sources[0].FrameOfReferenceUID
    assert heat.pixel_array.shape == (len(suspicious), 512, 512)

    # A second run judges the scanner's series alone, not the results of the first.
    again = CliRunner().invoke(main, [*arguments, "--dry-run", "--dicom-kinds", "sr"])
    assert len(again.stdout.splitlines()) == 1

    # Series and slices are named by the PACS' own UIDs.
    assert record["series_instance_uid"] == sources[0].SeriesInstanceUID
    assert [one["sop_instance_uid"] for one in record["slices"]] == [
        by_place[one["position_mm"]] for one in record["slices"]
    ]


def values_of(ds, code: str) -> list[float]:
    """Numbers under a code anywhere in a structured report, in order."""
    found = []
    for item in ds.get("ContentSequence", []):
        if item.ValueType == "NUM" and item.ConceptNameCodeSequence[0].CodeValue == code:
            found.append(float(item.MeasuredValueSequence[0].NumericValue))
        found += values_of(item, code)
    return found


@pytest.mark.orthanc
def test_a_study_of_phantoms_with_two_series(orthanc, account, pipeline):
    stored = (draw("carina-normal").hu + 1024).astype(np.int16)
    files = [
        dicom_bytes(stored, ImagePositionPatient=[0, 0, z], ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
                    StudyInstanceUID="1.2.840.1", SeriesInstanceUID=f"1.2.840.1.{z % 2 + 1}",
                    FrameOfReferenceUID="1.2.9", SliceThickness=1)
        for z in range(5)
    ]  # fmt: skip
    client = connect(orthanc)
    store(client, files)
    study, ticks = find_study(client, "1.2.840.1"), []
    done = run_study(study, pipeline, ("sr",), on_instance=lambda: ticks.append(1), checks=False)
    assert sorted(len(one.series) for one in done) == [2, 3]
    assert [one.objects for one in done] == [{"sr": 1}] * 2
    assert (sum(count for _, count in study.series), len(ticks)) == (5, 5)
    assert len(client.search_for_series("1.2.840.1", search_filters={"Modality": "SR"})) == 2
    # A second run finds its reports, and stores more only when asked to.
    second = run_study(study, pipeline, ("sr",), checks=False)
    assert [(one.stored, one.left_out.code) for one in second] == [(False, "already_stored")] * 2
    assert len(client.search_for_series("1.2.840.1", search_filters={"Modality": "SR"})) == 2
    assert all(one.stored for one in run_study(study, pipeline, ("sr",), again=True, checks=False))
    assert len(client.search_for_series("1.2.840.1", search_filters={"Modality": "SR"})) == 4


@pytest.mark.orthanc
@pytest.mark.parametrize("kind", ["sc", "pm"])
def test_results_of_every_kind_are_found_again(orthanc, account, pipeline, kind):
    stored, study = (draw("carina-normal").hu + 1024).astype(np.int16), f"1.2.840.2.{ord(kind[0])}"
    client = connect(orthanc)
    file = dicom_bytes(
        stored,
        ImagePositionPatient=[0, 0, 0],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        StudyInstanceUID=study,
        SeriesInstanceUID=f"{study}.1",
        FrameOfReferenceUID="1.2.9",
        SliceThickness=1 if kind == "pm" else None,
    )
    store(client, [file])
    found = find_study(client, study)
    (first,) = run_study(found, pipeline, (kind,), checks=False)
    (second,) = run_study(found, pipeline, (kind,), checks=False)
    assert (first.stored, second.stored, second.left_out.code) == (True, False, "already_stored")
    assert len(client.search_for_series(study, search_filters={"Modality": "OT"})) == 1
    if kind == "sc":
        (none,) = run_study(found, pipeline, ("pm",), again=True, checks=False)
        assert (none.stored, none.objects, none.left_out.code) == (False, {"pm": 0}, "no_place")


@pytest.mark.orthanc
def test_who_may_not_enter_and_what_is_not_there(orthanc, monkeypatch):
    for name in ("TOKEN", "USER", "PASSWORD"):
        monkeypatch.delenv(f"LUNGCNN_PACS_{name}", raising=False)
    with pytest.raises(PacsError, match=r"does not let us in \(HTTP 401\). Set LUNGCNN_PACS_TOKEN"):
        find_study(connect(orthanc), "1.2.3")
    monkeypatch.setenv("LUNGCNN_PACS_USER", USER)
    with pytest.raises(UsageError, match="Set both"):
        connect(orthanc)
    monkeypatch.setenv("LUNGCNN_PACS_PASSWORD", PASSWORD)
    with pytest.raises(PacsError, match="no CT series of that study"):
        find_study(connect(orthanc), "1.2.3.999")


# ---------------------------------------------------------------- a PACS that misbehaves


@pytest.fixture
def rude(monkeypatch):
    """A server that answers from a list of `(status, delay)`, and what it was asked."""
    monkeypatch.setattr(connection, "WAIT_MS", 1)
    answers, asked = [], []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(dict(self.headers))
            status, delay = answers.pop(0) if answers else (204, 0)
            time.sleep(delay)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/web", answers, asked
    server.shutdown()
    server.server_close()


def test_a_busy_server_is_asked_again(rude):
    url, answers, asked = rude
    answers[:] = [(503, 0), (503, 0), (204, 0)]
    with pytest.raises(PacsError, match="no CT series"):
        find_study(connect(url), "1.2")
    assert len(asked) == 3
    answers[:] = [(503, 0)] * 9
    with pytest.raises(PacsError, match="too busy on each of 4 attempts"):
        find_study(connect(url), "1.2")
    assert len(asked) == 3 + 4


@pytest.mark.parametrize(
    ("status", "message"), [(403, "does not let us in"), (404, "has nothing there"), (500, "answered HTTP 500")]
)
def test_refusals_are_told(rude, status, message):
    url, answers, _ = rude
    answers[:] = [(status, 0)]
    with pytest.raises(PacsError, match=message):
        find_study(connect(url), "1.2")


def test_a_server_that_does_not_answer_in_time(rude):
    url, answers, _ = rude
    answers[:] = [(204, 1)] * 2
    with pytest.raises(PacsError, match="did not answer in time"):
        find_study(connect(url, attempts=2, timeout=(1, 0.2)), "1.2")


def test_the_token_goes_along_and_is_not_told(rude, monkeypatch):
    url, answers, asked = rude
    monkeypatch.setenv("LUNGCNN_PACS_TOKEN", "a-secret-token")
    answers[:] = [(401, 0)]
    with pytest.raises(PacsError) as told:
        find_study(connect(url), "1.2")
    assert asked[0]["Authorization"] == "Bearer a-secret-token"
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("url", "study", "message"),
    [
        ("pacs.example", "1.2", "is no DICOMweb address"),
        ("https://me:word@pacs.example/web", "1.2", "not in the address"),
        ("http://127.0.0.1:1/web", "../1", "digits and points"),
        ("http://127.0.0.1:1/web", "1.2", "could not be searched"),
    ],
)
def test_wrong_usage_of_the_command(monkeypatch, untrained, url, study, message):
    monkeypatch.setattr(connection, "WAIT_MS", 1)
    arguments = ["pacs", "--url", url, "--study", study, "--model", str(untrained)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


# ---------------------------------------------------------------- answers that are no DICOMweb, and certificates


@pytest.fixture
def web(monkeypatch):
    """A server that answers paths by their end from a mapping to `(content type, body)`; what it was asked; its URL."""
    monkeypatch.setattr(connection, "WAIT_MS", 1)
    pages, asked = {}, []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(dict(self.headers))
            path = self.path.split("?")[0]
            kind, body = next((page for end, page in pages.items() if path.endswith(end)), ("text/html", b""))
            if "Modality=SR" in self.path or "Modality=OT" in self.path:
                kind, body = "application/json", b"[]"
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield pages, asked, server
    server.shutdown()
    server.server_close()


SERIES = json.dumps([{"0020000E": {"vr": "UI", "Value": ["1.2.9"]}, "00201209": {"vr": "IS", "Value": [1]}}]).encode()
LOGIN = ("text/html", b"<html><body>Log in, MARKER^NAME</body></html>")
MULTIPART = "multipart/related; type=application/dicom; boundary=x"


@pytest.mark.parametrize(
    "search",
    [LOGIN, ("application/json", b"[1, 2]"), ("application/json", b'{"error": "MARKER"}'), ("text/html", b"{")],
)
def test_a_search_answered_by_a_page(web, search):
    pages, _, server = web
    pages["/series"] = search
    with pytest.raises(PacsError, match="could not be searched: what it answered is not DICOMweb") as told:
        find_study(connect(f"http://127.0.0.1:{server.server_port}"), "1.2")
    assert "MARKER" not in str(told.value)


@pytest.mark.parametrize(
    "answer", [LOGIN, (MULTIPART, b"--x\r\nContent-Type: application/dicom\r\n\r\nMARKER^NAME\r\n--x--"),
               ("application/dicom", b"")]
)  # fmt: skip
def test_a_part_that_is_no_dicom(web, pipeline, answer):
    pages, _, server = web
    pages |= {"/series": ("application/json", SERIES), "/1.2.9": answer}
    study = find_study(connect(f"http://127.0.0.1:{server.server_port}"), "1.2")
    with pytest.raises(PacsError, match="could not be read: what it answered is not DICOMweb") as told:
        run_study(study, pipeline, ("sr",))
    assert "MARKER" not in str(told.value)


@pytest.fixture
def certificate(tmp_path):
    """A certificate for 127.0.0.1 that signs itself, with its key in the same file."""
    if not shutil.which("openssl"):
        missing("openssl")
    file = tmp_path / "ca.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=pacs",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", file, "-out", tmp_path / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    file.write_text((tmp_path / "cert.pem").read_text() + file.read_text())
    return file


def test_a_token_and_a_private_authority_together(web, certificate, monkeypatch, tmp_path):
    import ssl

    pages, asked, server = web
    pages["/series"] = ("application/json", SERIES)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = f"https://127.0.0.1:{server.server_port}"
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("LUNGCNN_PACS_TOKEN", "a-secret-token")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with pytest.raises(PacsError, match=r"its certificate was not accepted \(.*--ca FILE") as told:
        find_study(connect(url, attempts=1), "1.2")
    assert "secret" not in str(told.value)
    assert find_study(connect(url, certificate), "1.2").series == (("1.2.9", 1),)
    assert asked[-1]["Authorization"] == "Bearer a-secret-token"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert find_study(connect(url), "1.2").series == (("1.2.9", 1),)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", __import__("certifi").where())
    assert find_study(connect(url, certificate), "1.2").uid == "1.2"


@pytest.mark.parametrize(("when", "host", "said"), [("past", "127.0.0.1", "has expired"), ("now", "::1", "mismatch")])
def test_other_faults_of_a_certificate_are_told_apart(certificate, monkeypatch, when, host, said):
    import ssl

    import requests
    from urllib3.exceptions import MaxRetryError, SSLError

    fault = ssl.SSLCertVerificationError(1, "")
    fault.verify_code, fault.verify_message = (10, "certificate has expired") if when == "past" else (64, "IP mismatch")
    error = requests.exceptions.SSLError(MaxRetryError(None, host, SSLError(fault)))
    with pytest.raises(PacsError, match=said) as told, connection.told_as_pacs("searched"):
        raise error
    assert ("It must be renewed" in str(told.value)) is (when == "past")
    assert "--ca" not in str(told.value)


def test_a_server_without_tls(rude):
    url, _, _ = rude
    with pytest.raises(PacsError, match="doesn't answer by TLS"):
        find_study(connect(url.replace("http:", "https:"), attempts=1), "1.2")


def test_a_file_without_certificates(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(UsageError, match="holds no certificates"):
        connect("https://pacs.example", tmp_path / "ca.pem")


def test_network_errors_come_before_the_model_and_without_usage(monkeypatch, tmp_path):
    monkeypatch.setattr(connection, "WAIT_MS", 1)
    arguments = ["pacs", "--url", "http://127.0.0.1:1/web", "--study", "1.2", "--model", str(tmp_path / "none.keras")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert result.output.startswith("Error: The PACS could not be searched: there was no connection to it. Check host")
