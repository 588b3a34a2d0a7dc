"""Explainable classification of chest-CT slices: normal, benign or malignant. For research and teaching.

The main way, from file to picture:

    from lungcnn import Pipeline, load_slice, render_overlay

    ct_slice = load_slice("slice.dcm")
    report = Pipeline.load().run(ct_slice)
    picture = render_overlay(report)
"""

import os

import lazy_loader

# From 1.32 on onnxruntime tells Microsoft what it runs, and leaves a file in the temporary folder: not from here.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
# Names are listed in `__init__.pyi` and imported when first used: TensorFlow and OpenCV take seconds, which `--help`
# should not.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
