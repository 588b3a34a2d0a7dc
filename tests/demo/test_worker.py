"""The worker process: it gives what the pipeline gives, and what it can't survive is told, not waited for."""

import gc
import io
import os
import shutil
import signal
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import ROOT

from demo import texts
from demo.worker.client import PipelineProcess
from demo.worker.deposits import Deposits, NotKept, Upload
from demo.worker.process import WorkerError
from lungcnn import LungCNNError, load_slice, read_series
from lungcnn.model.card import card_path

EXAMPLE = ROOT / "examples" / "arch-spiculated-mass.dcm"
OTHER = ROOT / "examples" / "base-normal.dcm"


@pytest.fixture(scope="module")
def there(untrained):
    made = PipelineProcess(untrained, silence=2).wait()
    yield made
    made.close()


def in_the_middle(there, work, number=signal.SIGKILL):
    """What comes of `work` where the process is stopped before it and gets a signal in its midst."""
    pid = there.pid
    os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(work)
        while not there._worker.busy:
            time.sleep(0.01)
        os.kill(pid, number)
        return asked.result(120)


def test_it_gives_what_the_pipeline_gives(there, pipeline, phantom_slice):
    assert there.card == pipeline.card
    assert there.run(phantom_slice).to_json() == pipeline.run(phantom_slice).to_json()
    data = EXAMPLE.read_bytes()
    (one,), (other,) = list(there.run_file(data, checks=False)), list(pipeline.run_file(data, checks=False))
    assert one.to_json() == other.to_json()
    assert (one.ct_slice.hu == other.ct_slice.hu).all()
    with pytest.raises(LungCNNError, match="tumour"):
        there.run(phantom_slice, "tumour")
    with pytest.raises(LungCNNError, match="takes a CTSlice"):
        there.run("no slice")
    with pytest.raises(RuntimeError, match="TypeError"):
        there.run(phantom_slice, method=["no method"])


def test_a_stopped_process_is_noticed_by_its_silence_and_its_work_done_again(there, phantom_slice):
    pid = there.pid
    start = time.monotonic()
    assert in_the_middle(there, lambda: there.run(phantom_slice, checks=False), signal.SIGSTOP).status == "ok"
    assert there.pid != pid
    assert time.monotonic() - start > 2
    assert there.trouble is None


def test_what_kills_it_twice_is_told_and_not_tried_again_and_others_get_their_answers(there, monkeypatch, pipeline):
    """A slice that kills each process that reads it, and one of somebody else beside it."""
    deadly, data = b"deadly" + EXAMPLE.read_bytes(), OTHER.read_bytes()
    begin = type(there._worker).begin

    def and_kill(worker, name, args, options):
        found = begin(worker, name, args, options)
        if args[0] == deadly:
            os.kill(worker.pid, signal.SIGKILL)
        return found

    monkeypatch.setattr(type(there._worker), "begin", and_kill)
    os.kill(there.pid, signal.SIGSTOP)
    with ThreadPoolExecutor() as pool:
        innocent = [pool.submit(there.load_slice, data) for _ in range(2)]
        time.sleep(0.1)
        with pytest.raises(WorkerError, match="not tried again"):
            there.load_slice(deadly)
        assert [(one.result(60).hu == load_slice(data).hu).all() for one in innocent] == [True, True]
    pid = there.wait().pid
    with pytest.raises(WorkerError, match="not tried again"):
        there.load_slice(deadly)
    assert there.pid == pid, "it was not even asked"


def test_series_are_read_and_judged_there_told_slice_by_slice_and_stopped(there, pipeline, phantom):
    from test_page import SERIES, phantom_bytes

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for z in range(70):
            archive.writestr(f"{z}.dcm", phantom_bytes(phantom, float(z), **SERIES))
    for files in ([stream.getvalue()], [phantom_bytes(phantom, z, **SERIES) for z in (0.0, 5.0)]):
        upload = Upload(tuple(files))
        (series,), told = read_series(files).series, []
        (outline,) = there.read_series(upload).series
        assert (len(outline), outline.positions, outline.notes) == (len(series), series.positions, series.notes)
        assert {(one.name, one._file) for one in outline.slices} == {("", None)}
        report = there.run_series(upload, 0, told.append)
        assert report.to_json() == pipeline.run_series(series).to_json()
        assert [one.to_json() for one in told] == [one.to_json() for one in report.slices]
        ct_slice, content = there.read_slice(upload, 0, 1, with_file=True)
        assert (ct_slice.hu == series.slices[1].read().hu).all()
        assert content == series.slices[1].content()

        def enough(_):
            raise LookupError

        pid = there.pid
        with pytest.raises(LookupError):
            there.run_series(upload, 0, enough)
        assert there.run(ct_slice, checks=False).status == "ok"
        assert there.pid == pid
        assert not there._worker.busy
    # Another process knows nothing of it: it gets the files again, and tells nothing twice.
    told.clear()
    again = in_the_middle(there, lambda: there.run_series(upload, 0, told.append))
    assert (again.to_json(), len(told)) == (report.to_json(), 2)


def test_a_file_that_aborts_its_decoder_ends_in_a_sentence_and_the_rest_goes_on(there, faults):
    pid = there.pid
    upload = Upload(
        (faults("mutated_jpeg_lossless_abort.dcm"), faults("mutated_syntax_list.dcm"), EXAMPLE.read_bytes())
    )
    lengths = [len(one) for one in there.read_series(upload).series]
    outcomes = []
    for number, length in enumerate(lengths):
        for index in range(length):
            try:
                outcomes.append(there.read_slice(upload, number, index)[0].hu.shape)
            except LungCNNError as error:
                outcomes.append(type(error).__name__)
    assert outcomes.count((512, 512)) == 1
    assert len(set(outcomes)) > 1, "the others are told"
    assert there.pid == pid


def test_uploads_are_kept_within_a_limit_and_forgotten(monkeypatch):
    data = EXAMPLE.read_bytes()
    kept, uploads = Deposits(limit=2 * len(data)), [Upload((data,)) for _ in range(3)]
    for upload in uploads:
        kept.read(upload)
    with pytest.raises(NotKept):
        kept.series(Upload((), uploads[0].name), 0)
    assert len(kept.series(uploads[0], 0)) == 1, "with its files it is read again"
    kept.forget(uploads[0].name)
    with pytest.raises(NotKept):
        kept.series(Upload((), uploads[0].name), 0)


def test_an_upload_that_nobody_looks_at_is_forgotten_there(there):
    told = []
    upload = Upload((EXAMPLE.read_bytes(),))
    there.read_series(upload)
    there._worker.tell = lambda *what: told.append(what)
    name = upload.name
    del upload
    gc.collect()
    del there._worker.tell
    assert ("forget", name) in told


def test_a_model_that_was_damaged_and_mended_is_loaded_then(untrained, tmp_path, phantom_slice):
    for file in (untrained, card_path(untrained)):
        shutil.copy(file, tmp_path)
    model = tmp_path / untrained.name
    model.write_bytes(b"damaged")
    there = PipelineProcess(model)
    try:
        for ask in (there.wait, lambda: there.run(phantom_slice), lambda: there.load_slice(EXAMPLE.read_bytes())):
            with pytest.raises(WorkerError, match="can't be loaded") as told:
                ask()
            assert str(tmp_path) not in str(told.value)
        assert there.trouble
        shutil.copy(untrained, model)
        deadline = time.monotonic() + 60
        while there.trouble and time.monotonic() < deadline:
            time.sleep(0.1)
        assert there.run(phantom_slice, checks=False).status == "ok"
    finally:
        there.close()


def test_slices_are_read_while_the_model_loads_and_deaths_then_are_not_the_models_fault(untrained, tmp_path):
    data = EXAMPLE.read_bytes()
    for file in (untrained, card_path(untrained)):  # without its ONNX file it waits for TensorFlow
        shutil.copy(file, tmp_path)
    there = PipelineProcess(tmp_path / untrained.name)
    try:
        assert (there.load_slice(data).hu == load_slice(data).hu).all()
        assert not there._worker.ready.done(), "it waited for the model"
        for _ in range(3):
            pid = there.pid
            assert (in_the_middle(there, lambda: there.load_slice(data)).hu == load_slice(data).hu).all()
            assert there.pid != pid
        assert there.wait().card
    finally:
        there.close()


def test_three_deaths_while_it_loads_are_told_and_it_comes_back(untrained, monkeypatch):
    monkeypatch.setattr("demo.worker.keeping._LONGEST_PAUSE", 1)
    there = PipelineProcess(untrained)
    try:
        for _ in range(3):
            pid = there.pid
            os.kill(pid, signal.SIGKILL)
            while there.pid == pid and not there.trouble:
                time.sleep(0.01)
        with pytest.raises(WorkerError, match=texts.WORKER_GONE[:40]):
            there.wait()
        deadline = time.monotonic() + 60
        while there.trouble and time.monotonic() < deadline:
            time.sleep(0.1)
        assert there.wait().card
    finally:
        there.close()
