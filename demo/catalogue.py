"""All texts of the page by key, in every language: what Gradio's I18n and `language.js` are given.

English stands in `texts.py`; another language is a file `translations/<language>.json` with the same keys.
"""

import json
from functools import cache
from pathlib import Path

import gradio as gr
from gradio.i18n import I18nData

from . import examples, texts
from .say import Text, leaves

FOLDER = Path(__file__).parent / "translations"
# Gradio has keys of its own.
PREFIX = "lungcnn."
LANGUAGE = Text("en", "language")  # what a catalogue calls itself: by it the page knows which one Gradio chose


@cache
def english() -> dict[str, str]:
    """Every text of the page by its key."""
    named = [value for name, value in vars(texts).items() if name.isupper()]
    found = [LANGUAGE, *(text for value in (*named, examples.TITLES, examples.DRAWN) for text in leaves(value))]
    return {text.key: str(text) for text in found}


def translated() -> dict[str, dict[str, str]]:
    """The other languages, by their codes (BCP 47): the texts by key."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def i18n() -> gr.I18n:
    """The catalogue as Gradio takes it."""
    every = {"en": english(), **translated()}
    return gr.I18n(**{code: {PREFIX + key: text for key, text in known.items()} for code, known in every.items()})


def label(text: str) -> str | I18nData:
    """A text as a component's label or value, which Gradio translates."""
    return I18nData(PREFIX + text.key) if isinstance(text, Text) else text
