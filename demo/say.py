"""Texts that know their key in the catalogue, and how they stand in the page's HTML.

The page is written in English, and each text carries its key and values; `language.js` puts another language in their
place. So one page serves all languages, and without a script it is still there.
"""

import json
from html import escape
from typing import Any


class Text(str):
    """A text of the catalogue, in English.

    Attributes:
        key: in the catalogue. values: what stands in its places, strings or texts themselves.
    """

    key: str
    values: dict[str, Any]

    def __new__(cls, english: str, key: str, values: dict[str, Any] | None = None) -> "Text":
        made = super().__new__(cls, english)
        made.key, made.values = key, values or {}
        return made

    def format(self, **values: Any) -> "Text":  # type: ignore[override]
        """The text with its places filled."""
        return Text(super().format(**values), self.key, values)

    def capitalize(self) -> "Text":
        """As it begins a sentence or a title."""
        return Text(super().capitalize(), self.key, self.values)

    def __reduce__(self):
        return Text, (str(self), self.key, self.values)


def keyed(name: str, value: Any) -> Any:
    """Strings in nested dicts and tuples as texts whose keys say where they stand."""
    if isinstance(value, str):
        return Text(value, name)
    if isinstance(value, dict):
        return {key: keyed(f"{name}.{key}", each) for key, each in value.items()}
    if isinstance(value, tuple):
        return tuple(keyed(f"{name}.{number}", each) for number, each in enumerate(value))
    return value


def leaves(value: Any) -> list[Text]:
    """All texts in nested dicts and tuples."""
    if isinstance(value, Text):
        return [value]
    if isinstance(value, dict):
        value = tuple(value.values())
    return [text for each in value for text in leaves(each)] if isinstance(value, tuple) else []


def say(text: str) -> str:
    """A text as HTML that can be translated; a plain string as HTML."""
    return f"<span{key_of(text)}>{escape(text)}</span>" if isinstance(text, Text) else escape(text)


def key_of(text: str) -> str:
    """The attributes, with a space before them, of an element that holds a text and nothing else."""
    if not isinstance(text, Text):
        return ""
    values = f' data-v="{escape(json.dumps(_plain(text.values)))}"' if text.values else ""
    return f' data-t="{text.key}"{values}'


def attribute(name: str, text: str) -> str:
    """An attribute that can be translated, such as `title="..."`, with a space before it."""
    plain = f' {name}="{escape(text)}"'
    if not isinstance(text, Text):
        return plain
    told = escape(json.dumps([text.key, _plain(text.values), str(text)], ensure_ascii=False))
    return f'{plain} data-t-{name}="{told}"'


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {"t": value.key, "v": _plain(value.values), "en": str(value)} if isinstance(value, Text) else str(value)
        for name, value in values.items()
    }
