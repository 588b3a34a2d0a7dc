"""The viewer's script: the ES modules in `scripts/`, joined into one that the page carries.

The page's policy allows scripts by their nonce, and a page behind a proxy knows no address for others. Names at the top
of the modules are therefore unique among all of them, and imports are one line each.
"""

import functools
import re
from pathlib import Path

FOLDER = Path(__file__).parent / "scripts"
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)


@functools.cache
def viewer_script() -> str:
    """All modules in one function, each behind those that it imports, `main.js` last."""
    texts: dict[str, str] = {}
    _visit("main", texts, set())
    return '"use strict";\n(() => {\n' + "\n".join(texts.values()) + "})();\n"


def _visit(name: str, texts: dict[str, str], begun: set[str]) -> None:
    if name in begun:
        return
    begun.add(name)
    text = (FOLDER / f"{name}.js").read_text(encoding="utf-8")
    for other in _IMPORT.findall(text):
        _visit(other, texts, begun)
    texts[name] = _EXPORT.sub("", _IMPORT.sub("", text))
