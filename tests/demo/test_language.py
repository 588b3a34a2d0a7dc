import ast
import json
import re
from html import unescape

import pytest
from conftest import ROOT

from demo import texts
from demo.catalogue import english, i18n, in_language, label, translated
from demo.say import Text, attribute, keyed, leaves, say

PLACES = re.compile(r"\{(\w+)\}")
# Codes of the command line, of training, archives and DICOM results, which the page never shows.
ELSEWHERE = {"dataset", "download", "pacs", "already_stored", "finding"}


@pytest.mark.parametrize("language", translated())
def test_every_text_is_translated_with_its_places(language):
    known, theirs = english(), translated()[language]
    assert known.keys() - theirs.keys() == set(), "these lack a translation"
    assert theirs.keys() - known.keys() == set(), "these are translated, and said nowhere"
    for key, text in known.items():
        assert sorted(PLACES.findall(theirs[key])) == sorted(PLACES.findall(text)), key
    assert theirs["language"] == language


def test_places_are_plain_names():
    """`language.js` fills them by name alone."""
    for key, text in english().items():
        assert "{" not in PLACES.sub("", text), key


def codes() -> set[str]:
    """Every code of a reason, remark or error that the library writes."""
    found = set()
    for path in (ROOT / "lungcnn").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "code":
                found |= strings([node.value])
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                place = {"Reason": 0, "FileRule": 0, "aside": 0, "Bound": 3}.get(name)
                if place is not None:
                    found |= strings(node.args[place : place + 1])
    return found


def strings(nodes) -> set[str]:
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_reason_has_words_for_a_clinician():
    found = codes()
    assert {"no_lungs", "localizer", "lung_ends", "not_ct", "unlike_training", "blurred", "gap"} < found
    assert found - texts.REASONS.keys() - ELSEWHERE == set(), "give these words in reason_texts.py"


def test_a_text_keeps_its_key_and_values():
    said = keyed("greetings", {"hello": "Hello <{name}>", "both": ("a", "b")})
    filled = said["hello"].format(name=said["both"][0])
    assert (filled, filled.key) == ("Hello <a>", "greetings.hello")
    html = say(filled)
    assert html.endswith(">Hello &lt;a&gt;</span>")
    values = json.loads(unescape(re.search(r'data-v="([^"]*)"', html)[1]))
    assert values == {"name": {"t": "greetings.both.0", "v": {}, "en": "a"}}
    told = json.loads(unescape(re.search(r"data-t-title='?\"?([^\"]*)", attribute("title", filled))[1]))
    assert told == ["greetings.hello", values, "Hello <a>"]
    assert say("<plain>") == "&lt;plain&gt;"
    assert [text.key for text in leaves(said)] == ["greetings.hello", "greetings.both.0", "greetings.both.1"]


def test_gradio_gets_the_whole_catalogue():
    given = i18n().translations_dict
    assert set(given) == {"en", *translated()}
    assert label(texts.CANCEL).key in given["en"]
    assert given["ar"][label(texts.CANCEL).key] == "إلغاء"
    assert label("not ours") == "not ours"
    assert isinstance(texts.CANCEL, Text)
    assert given["ar"]["common.upload"] == "رفع", "of which Gradio has no translation"


@pytest.mark.parametrize(
    ("accepted", "said"),
    [
        ("ar-IQ,ar;q=0.9,en;q=0.8", "ar"),
        ("fr, AR;q=0.5", "ar"),
        ("en-GB,ar;q=0.1", "en"),
        ("", "en"),
        ("*", "en"),
        ("x" * 3000 + ";;,,", "en"),
    ],
)
def test_answers_are_in_a_language_that_the_browser_asks_for(accepted, said):
    known = {"en": english(), **translated()}[said]
    inner = texts.TOO_MUCH.format(count=texts.CANCEL)
    assert in_language(inner, accepted) == known["too_much"].format(count=known["cancel"])
    assert in_language("not ours", accepted) == "not ours"


def test_what_is_refused_is_refused_in_arabic(served):
    answer = served.client().get("/nothing", headers={"accept-language": "ar"})
    assert (answer.status_code, answer.text) == (404, translated()["ar"]["no_such_page"])
