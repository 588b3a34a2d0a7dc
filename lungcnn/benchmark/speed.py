"""Speed, measured: medians of each step on one core, and ratios between steps of the same run."""

import gc
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lungcnn.model.tensorflow_start import import_tensorflow

STEPS = ("read_dicom", "read_png", "crop", "model", "render")
MEMORY_CALLS, SETTLING_CALLS = 10_000, 500
SERIES_SLICES, SERIES_RUNS = 300, 3
_WAY = ("read_dicom", "crop", "model", "render")


def run_benchmark(
    model: Path | None = None,
    runs: int = 50,
    on_step: Callable[[], None] = lambda: None,
    memory_calls: int = MEMORY_CALLS,
    cold_starts: int = 0,
) -> dict:
    """Measure in this process, on one core; cold starts in processes of their own, on all of them.

    Args:
        model: model file; None for the one that ships. runs: repetitions of each step.
        on_step: called after each repetition. memory_calls: calls over which the growth of memory is measured.
        cold_starts: rounds of starting the demo afresh (`cold_start.measure_cold_starts`); 0 for none.

    Returns:
        `{"ratios", "spread", "medians_ms", "seconds", "shares", "rss_growth_mib"}`; what isn't measured is absent.
    """
    from lungcnn.benchmark.cold_start import measure_cold_starts

    nothing: dict[str, dict] = {"ratios": {}, "spread": {}, "seconds": {}}
    fresh = measure_cold_starts(cold_starts, model, on_step) if cold_starts else nothing
    _use_one_core()
    from lungcnn.explaining.cam import grad_cam, hires_cam
    from lungcnn.gate.examine import admit
    from lungcnn.phantoms.bundled import PHANTOMS, draw, to_dicom, to_png
    from lungcnn.pipeline import Pipeline
    from lungcnn.reading.loading import load_slice
    from lungcnn.results.png import encode_png
    from lungcnn.results.rendering import render_overlay

    pipeline = Pipeline.load(model, threads=1)
    phantom = draw(next(name for name in PHANTOMS if "mass" in name))
    dicom, png = to_dicom(phantom), to_png(phantom)
    ct_slice = load_slice(dicom)
    anatomy = admit(ct_slice)
    report = pipeline.run(ct_slice, checks=False)
    crop = anatomy.crop[None]
    in_keras = _forward_in_keras(model)

    def explain():
        """Probabilities, Grad-CAM and HiResCAM of every class."""
        found = pipeline.classifier(crop)
        return grad_cam(found.activations, found.gradients), hires_cam(found.activations, found.gradients)

    def file_to_overlay():
        loaded = load_slice(dicom)
        return encode_png(render_overlay(pipeline.run(loaded, checks=False)))

    actions = {
        "read_dicom": lambda: load_slice(dicom),
        "read_png": lambda: load_slice(png),
        "crop": lambda: admit(ct_slice),
        "model": explain,
        "render": lambda: encode_png(render_overlay(report)),
        "file_to_overlay": file_to_overlay,
        "forward": lambda: pipeline.classifier.logits(crop),
        "in_keras": lambda: in_keras(crop),
        "checked": lambda: pipeline.run(ct_slice),
        "unchecked": lambda: pipeline.run(ct_slice, checks=False),
        "tf_keras_vis": _tf_keras_vis(model, crop),
    }
    medians = _medians(actions, runs, on_step)
    way = sum(medians[name] for name in _WAY)
    series_over_floor = _series_over_floor(pipeline, min(runs, SERIES_RUNS), on_step)
    return {
        "ratios": {
            "explain_over_forward": round(medians["model"] / medians["forward"], 3),
            "checks_over_forward": round((medians["checked"] - medians["unchecked"]) / medians["forward"], 2),
            "forward_over_tensorflow": round(medians["forward"] / medians["in_keras"], 3),
            "tf_keras_vis_over_explain": round(medians["tf_keras_vis"] / medians["model"], 2),
            "series_over_floor": round(series_over_floor, 3),
            **fresh["ratios"],
        },
        "spread": fresh["spread"],
        "medians_ms": {
            **{name: round(1000 * medians[name], 2) for name in (*STEPS, "file_to_overlay")},
            "checks": round(1000 * (medians["checked"] - medians["unchecked"]), 2),
        },
        "seconds": fresh["seconds"],
        "shares": {name: round(medians[name] / way, 3) for name in _WAY},
        "rss_growth_mib": _rss_growth(explain, memory_calls),
    }


def _series_over_floor(pipeline, runs: int, on_step) -> float:
    """Time of a series over the sum of what it can't do without: files to lung crops, and crops in full batches.

    300 slices of 512 x 512, as DICOM in memory; the floor does one after the other, without reports or threads.
    """
    from lungcnn.gate.prepared import prepare
    from lungcnn.phantoms.bundled import PHANTOMS, draw
    from lungcnn.pipeline import BATCH
    from lungcnn.reading.series_reader import read_series

    (series,) = read_series(_stack(draw(next(iter(PHANTOMS))), SERIES_SLICES)).series

    def floor():
        crops = [crop for one in series.slices if (crop := prepare(one.read).crop) is not None]
        for start in range(0, len(crops), BATCH):
            pipeline.classifier.probabilities(np.stack(crops[start : start + BATCH]))

    medians = _medians({"floor": floor, "series": lambda: pipeline.run_series(series)}, runs, on_step)
    return medians["series"] / medians["floor"]


def _stack(phantom, count: int) -> list[bytes]:
    """The phantom `count` times over as DICOM files of one series, 1 mm apart."""
    import io

    import pydicom

    from lungcnn.phantoms.bundled import to_dicom

    ds = pydicom.dcmread(io.BytesIO(to_dicom(phantom)))
    first, files = ds.SOPInstanceUID, []
    for index in range(count):
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.UID(f"{first[:50]}.{index}")
        ds.ImagePositionPatient = [*ds.ImagePositionPatient[:2], str(index)]
        stream = io.BytesIO()
        pydicom.dcmwrite(stream, ds)
        files.append(stream.getvalue())
    return files


def describe(figures: dict) -> str:
    """The figures as a small table for a terminal."""
    lines = ["step              median ms   share of the way"]
    for name, milliseconds in figures["medians_ms"].items():
        share = figures["shares"].get(name)
        lines.append(f"{name:<16} {milliseconds:>10.2f}   " + (f"{share:>6.0%}" if share is not None else ""))
    for name, value in figures["ratios"].items():
        low, high = figures["spread"].get(name, ("", ""))
        lines.append(f"{name:<26} {value:>8}" + (f"   {low} to {high} round by round" if low else ""))
    lines += [f"{name:<26} {value:>8}" for name, value in figures["seconds"].items()]
    lines.append(f"{'rss_growth_mib':<26} {figures['rss_growth_mib']:>8}")
    return "\n".join(lines)


def _use_one_core() -> None:
    import cv2

    import_tensorflow()
    import tensorflow as tf

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _forward_in_keras(model: Path | None):
    """The compiled forward pass of TensorFlow, alone."""
    import tensorflow as tf

    from lungcnn.model.card import load_model

    network, _ = load_model(model)
    compiled = tf.function(
        lambda x: network(x, training=False), input_signature=[tf.TensorSpec((None, *network.input_shape[1:]))]
    )
    return lambda crops: compiled(crops[..., None]).numpy()


def _tf_keras_vis(model: Path | None, crop: np.ndarray):
    """Grad-CAM as tf-keras-vis computes it, on a reused object."""
    import keras
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.utils.scores import CategoricalScore

    from lungcnn.model.card import load_model
    from lungcnn.model.network import LAST_CONVOLUTION, LOGITS

    network, _ = load_model(model)
    gradcam = Gradcam(keras.Model(network.inputs, network.get_layer(LOGITS).output))
    score = CategoricalScore([2])
    return lambda: gradcam(score, crop[..., None], penultimate_layer=LAST_CONVOLUTION, expand_cam=False)


def _medians(actions: dict, runs: int, on_step) -> dict[str, float]:
    """Seconds a call; the actions take turns, so that a slow moment of the machine falls on all of them."""
    for action in actions.values():
        action()
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(runs):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            seconds[name].append(time.perf_counter() - start)
        on_step()
    return {name: statistics.median(values) for name, values in seconds.items()}


def _rss_growth(action, calls: int) -> float:
    """Growth of resident memory in MiB over many calls, after some to settle; 0 where it can't be read."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return 0.0

    def resident():
        gc.collect()
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    for _ in range(SETTLING_CALLS):
        action()
    before = resident()
    for _ in range(calls):
        action()
    return round(resident() - before, 2)
