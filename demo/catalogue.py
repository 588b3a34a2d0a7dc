"""All texts of the page by key, in every language: what Gradio's I18n and `language.js` are given.

English stands in `texts.py`; another language is a file `translations/<language>.json` with the same keys.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.i18n import I18nData

from . import examples, texts
from .say import Text, leaves

FOLDER = Path(__file__).parent / "translations"
# Gradio has keys of its own.
PREFIX = "lungcnn."
LANGUAGE = Text("en", "language")  # what a catalogue calls itself: by it the page knows which one Gradio chose
DIRECTION = Text("ltr", "direction")  # in which the language is read, as HTML says it


@cache
def english() -> dict[str, str]:
    """Every text of the page by its key."""
    named = [value for name, value in vars(texts).items() if name.isupper()]
    found = [
        LANGUAGE,
        DIRECTION,
        *(text for value in (*named, examples.TITLES, examples.DRAWN) for text in leaves(value)),
    ]
    return {text.key: str(text) for text in found}


@cache
def translated() -> dict[str, dict[str, str]]:
    """The other languages, by their codes (BCP 47): the texts by key."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def i18n() -> gr.I18n:
    """The catalogue as Gradio takes it."""
    every = {"en": english(), **translated()}
    own = {text.key.partition(".")[2]: text.key for text in leaves(texts.OF_GRADIO)}
    return gr.I18n(
        **{
            code: {PREFIX + key: text for key, text in known.items()} | {key: known[ours] for key, ours in own.items()}
            for code, known in every.items()
        }
    )


def in_language(text: str, accepted: str) -> str:
    """A text in the first language of an Accept-Language header that there is; in English where there is none."""
    for wanted in accepted.split(","):
        code = wanted.partition(";")[0].partition("-")[0].strip().lower()
        if code == "en":
            break
        if code in translated():
            return _filled(text, translated()[code])
    return str(text)


def _filled(text: Any, known: dict[str, str]) -> str:
    if not isinstance(text, Text):
        return str(text)
    return known[text.key].format(**{name: _filled(value, known) for name, value in text.values.items()})


def label(text: str) -> str | I18nData:
    """A text as a component's label or value, which Gradio translates."""
    return I18nData(PREFIX + text.key) if isinstance(text, Text) else text
