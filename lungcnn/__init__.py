"""Explainable classification of chest-CT slices: normal, benign or malignant. For research and teaching.

The main way, from file to picture:

    from lungcnn import Pipeline, load_slice, render_overlay

    ct_slice = load_slice("slice.dcm")
    report = Pipeline.load().run(ct_slice)
    picture = render_overlay(ct_slice, report)
"""

import os
from importlib import import_module

# Of networks this small oneDNN makes half the speed, and results that differ between processors.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

__version__ = "0.1.0"

# Names are imported when first used: TensorFlow and OpenCV take seconds, `--help` should not.
_HOMES = {
    "BUNDLED": "phantom",
    "CLASSES": "network",
    "COLOUR_MAPS": "rendering",
    "SIGNS": "rendering",
    "CTSlice": "loading",
    "Explanation": "report",
    "LungCNNError": "errors",
    "DEFAULT_METHOD": "explaining",
    "METHODS": "explaining",
    "ModelCard": "artefact",
    "PHANTOMS": "phantom",
    "Pipeline": "pipeline",
    "Reason": "errors",
    "RefusalError": "errors",
    "SliceFacts": "facts",
    "Reading": "series",
    "Series": "series",
    "SeriesReport": "series_report",
    "SeriesSlice": "series",
    "SliceReport": "report",
    "UnsupportedFileError": "errors",
    "DISCLAIMER": "report",
    "WINDOWS": "windowing",
    "Window": "windowing",
    "iter_slices": "loading",
    "load_slice": "loading",
    "read_series": "series",
    "default_model_path": "artefact",
    "load_card": "artefact",
    "colour_table": "rendering",
    "render_overlay": "rendering",
    "SHOWN_METRICS": "model_card",
    "sanity_sentence": "model_card",
    "shortcut_sentence": "model_card",
    "split_in_words": "model_card",
    "render_slice": "rendering",
    "encode_png": "rendering",
    "View": "export",
    "export_heatmap": "export",
    "export_overlay": "export",
    "export_record": "export",
    "export_report": "export",
    "dicom_files": "dicom_results",
    "downloaded_examples": "downloads",
}
__all__ = sorted([*_HOMES, "__version__"])


def __getattr__(name):
    if name in _HOMES:
        return getattr(import_module(f"lungcnn.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'lungcnn' has no attribute '{name}'")


def __dir__():
    return __all__
