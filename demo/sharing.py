"""What a shared link shows of the page: its title, what it is, and a picture of a phantom.

Gradio's own tags speak of Gradio; what its `head=` adds is added by a script, which those who make previews don't run.
"""

import re
from functools import lru_cache
from html import escape

from . import texts
from .catalogue import DIRECTION, in_language
from .outgoing import outgoing
from .routes import FILE

SIZE = (1200, 630)  # pixels, width and height: what previews are cut to
_THEIRS = re.compile(rb'<meta\s+(?:property|name)="(?:og|twitter):[^>]*>\s*', re.ASCII)


def with_tags(page: bytes, address: str, accepted: str = "", stranger: bool = False) -> bytes:
    """The page with our tags in the place of Gradio's.

    Args:
        address: under which the page was asked for, without a slash at its end. accepted: the Accept-Language header.
        stranger: whether Gradio answers with its page to log in, where none of our scripts run.
    """

    def say(text: str) -> str:
        return escape(in_language(text, accepted))

    picture = f"{address}{FILE}{_picture()}"
    said = {
        "og:type": "website",
        "og:title": say(texts.TITLE),
        "og:description": f"{say(texts.SUBTITLE)} {say(texts.DISCLAIMER)}",
        "og:url": escape(f"{address}/"),
        "og:image": escape(picture),
        "og:image:alt": say(texts.PREVIEW_ALT),
        "twitter:card": "summary_large_image",
    }
    tags = "".join(f'<meta property="{name}" content="{value}">\n' for name, value in said.items())
    tags += f'<meta name="description" content="{say(texts.SUBTITLE)}">\n<title>{say(texts.TITLE)}</title>\n'
    if stranger:
        page = page.replace(b"<html", f'<html dir="{say(DIRECTION)}"'.encode(), 1)
    return _THEIRS.sub(b"", page).replace(b"<head>", b"<head>\n" + tags.encode(), 1)


@lru_cache(1)
def _picture() -> str:
    """The name of a phantom's picture, drawn once."""
    import cv2

    from lungcnn import WINDOWS, encode_png, load_slice, render_slice, shipped_file

    ct_slice = load_slice(shipped_file("examples") / "arch-spiculated-mass.dcm")
    width, height = SIZE
    drawn = cv2.resize(render_slice(ct_slice, WINDOWS["lung"]), (height, height), interpolation=cv2.INTER_AREA)
    beside = (width - height) // 2
    return outgoing.keep(
        encode_png(cv2.copyMakeBorder(drawn, 0, 0, beside, beside, cv2.BORDER_CONSTANT, value=0)), "preview.png"
    )
