"""Gradio's components for files, kept from files: an upload is a ticket (`intake`), a result a name (`outgoing`).

Gradio's own copy whatever path a request names into their folder, and read it. They are changed one by one: Gradio
writes a file beside the source of each class that is derived from one of its components.
"""

import os
from pathlib import PurePath
from typing import Any

import gradio as gr
from gradio.data_classes import FileData, ImageData

from .outgoing import outgoing
from .routes import FILE


def upload_box(**options: Any) -> gr.File:
    """A `gr.File` whose value is the ticket of an upload, or a list of them where it takes several."""

    def preprocess(payload):
        if payload is None:
            return None
        if isinstance(payload, FileData):
            ticket = PurePath(payload.path).name
            return ticket if box.file_count == "single" else [ticket]
        return [PurePath(file.path).name for file in payload]

    box = gr.File(**options)
    box.preprocess = preprocess  # type: ignore[method-assign]
    return _without_files(box)


def picture(**options: Any) -> gr.Image:
    """A `gr.Image` whose value is the name of a PNG that `outgoing` gives, or None."""

    def postprocess(name):
        return name and ImageData(path=os.path.join(os.environ["GRADIO_TEMP_DIR"], name), orig_name="overlay.png")

    shown = gr.Image(format="png", **options)
    shown.postprocess = postprocess  # type: ignore[method-assign]
    return _without_files(shown)


def numbers(**options: Any) -> gr.Dropdown:
    """A `gr.Dropdown` whose choices come later. Its value is to be looked at by who gets it: what its choices were is
    forgotten with the session, and Gradio would name the lack of them.
    """
    box = gr.Dropdown([], **options)
    box.preprocess = lambda payload: payload  # type: ignore[method-assign]
    return box


def icon(data: bytes, name: str) -> Any:
    """A picture that is part of the page, as the `icon` of a button: it comes from memory, and names no path."""
    path = outgoing.keep(data, name)
    return FileData(path=path, url=FILE + path).model_dump()


def _without_files(component):
    async def name_of_ours(path: str) -> str:
        """In the place of copying a file: what comes in stands for an upload, and what goes out has a name of ours."""
        return os.path.relpath(path, os.environ["GRADIO_TEMP_DIR"])

    component.async_move_resource_to_block_cache = name_of_ours
    return component
