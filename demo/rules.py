"""What one demo allows: by which names it is known, who may frame it, which scripts run, and the headers that say so.

Starlette's TrustedHostMiddleware and the package `secure` were tried. The first knows names that are fixed at the
start, no numeric addresses, and not the tunnel's name that comes later; the second says the same in more lines.
"""

import base64
import hashlib
import ipaddress
import os
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlparse

from .login import Tries
from .shares import Shares

_OWN = ("localhost", "127.0.0.1", "::1")
_FORWARDED_HOST, _FORWARDED_PROTO = b"x-forwarded-host", b"x-forwarded-proto"


@dataclass
class Rules:
    """What one demo allows.

    Attributes:
        hosts: names that were given: they may stand in the Host header, in the Origin header, and in what a proxy
            says of the host, as this machine's own names may in the first alone; "*.name" for all below a name.
        any_address: whether numeric addresses pass (the demo listens on all of them).
        embedders: origins of pages that may show the demo in a frame.
        evaluates: whether the page has scripts that Gradio evaluates (`js=` of an event).
        scripts: sources of inline scripts that Gradio adds in the browser (`head=` of the page).
        trouble: gives why nothing can be judged at the moment, or None. ready: whether the model has been loaded.
    """

    hosts: set[str] = field(default_factory=set)
    any_address: bool = False
    embedders: tuple[str, ...] = ()
    evaluates: bool = False
    scripts: tuple[str, ...] = ()
    trouble: Callable[[], Exception | None] = lambda: None
    ready: Callable[[], bool] = lambda: True
    tries: Tries = field(default_factory=Tries)
    shares: Shares = field(default_factory=Shares)

    def __post_init__(self):
        self.hosts = {*map(str.lower, self.hosts)}
        self._own = {*_OWN}
        if self.any_address:
            self._own |= {socket.gethostname().lower(), socket.getfqdn().lower()}

    def trusts(self, host: str) -> bool:
        """Whether a Host header names us: a page of another name must not reach us by rebinding it (DNS)."""
        name = _name(f"//{host}")
        return name in self._own or self._is_given(name) or (self.any_address and _is_address(name))

    def _is_given(self, name: str) -> bool:
        return name in self.hosts or any(name.endswith(h[1:]) for h in self.hosts if h.startswith("*."))

    def is_of_ours(self, origin: str, host: str) -> bool:
        """Whether a request comes from a page of ours, as its Origin header says; what is no browser sends none."""
        if not origin:
            return True
        return origin.partition("://")[2].lower() == host.lower() or self._is_given(_name(origin))

    def visitor(self, scope) -> str:
        """Where a request comes from; behind a proxy whose name was given, what the last one says of it."""
        given, peer = dict(scope["headers"]), (scope.get("client") or ("",))[0]
        said = given.get(b"x-forwarded-for", b"").decode("latin-1").rpartition(",")[2].strip()
        return said if _is_address(said) and self._behind(given) else peer

    def _behind(self, given: dict[bytes, bytes]) -> bool:
        """Whether a proxy of a given name may be in between."""
        return any(
            self._is_given(_name("//" + given.get(name, b"").decode("latin-1"))) for name in (b"host", _FORWARDED_HOST)
        )

    def clean_headers(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Without what claims that a proxy of another name forwarded it: Gradio would build addresses of it."""
        given = dict(headers)
        kept = []
        scheme = given.get(_FORWARDED_PROTO, b"").partition(b",")[0].strip().lower()  # of the first of several proxies
        if scheme in (b"http", b"https") and self._behind(given):
            kept.append((_FORWARDED_PROTO, scheme))
        if self._is_given(_name("//" + given.get(_FORWARDED_HOST, b"").decode("latin-1"))):
            kept.append((_FORWARDED_HOST, given[_FORWARDED_HOST]))
        others = [item for item in headers if not (item[0].startswith(b"x-forwarded-") or item[0] == b"forwarded")]
        return others + kept  # each once: what was checked

    def headers(self, nonce: str) -> dict[str, str]:
        """Of every answer."""
        scripts = ["'self'", f"'nonce-{nonce}'", *map(_hashed, self.scripts)]
        if self.evaluates:
            scripts.append("'unsafe-eval'")
        policy = {
            "default-src": "'none'",
            "script-src": " ".join(scripts),
            "style-src": "'self' 'unsafe-inline'",
            "img-src": "'self' data: blob:",
            "font-src": "'self' data:",
            "connect-src": "'self'",
            "manifest-src": "'self'",
            "worker-src": "'self' blob:",
            "base-uri": "'self'",
            "form-action": "'self'",
            "frame-ancestors": " ".join(self.embedders) or "'none'",
        }
        found = {
            "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "permissions-policy": "camera=(), microphone=(), geolocation=(), display-capture=(), usb=(), payment=()",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
        }
        return found if self.embedders else found | {"x-frame-options": "DENY"}


def _name(address: str) -> str:
    """The host in an address; "" where there is none, or nothing that could be one."""
    try:
        return (urlparse(address).hostname or "").lower().rstrip(".")
    except ValueError:
        return ""


def _hashed(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def make_rules(host: str, root_path: str | None = None, trusted=(), embedders=(), page=None, head="") -> Rules:
    """Rules for a demo at `host`.

    Args:
        root_path: the address behind a proxy; where it is a full one, its host is trusted.
        trusted: further host names. embedders: origins whose pages may show the demo in a frame.
        page: the `gr.Blocks`, asked whether it needs scripts evaluated. head: what it adds to the head of the page.
    """
    everywhere = host in ("0.0.0.0", "::", "[::]")  # noqa: S104
    hosts = {*trusted, *([] if everywhere or host.strip("[]") in _OWN else [host.strip("[]")])}
    if root_path and _name(root_path):
        hosts.add(_name(root_path))
    if os.environ.get("SPACE_ID"):  # a Hugging Face Space: shown in a frame of its page
        hosts |= {"*.hf.space"}
        embedders = (*embedders, "https://huggingface.co", "https://*.hf.space")
    scripts = tuple(re.findall(r"<script>(.*?)</script>", head, re.DOTALL))
    return Rules(hosts, everywhere, tuple(embedders), evaluates_scripts(page), scripts)


def evaluates_scripts(page) -> bool:
    """Whether a page has scripts that Gradio evaluates in the browser."""
    if page is None:
        return False
    config = page.get_config_file()
    parts = [*config["dependencies"], *(component["props"] for component in config["components"])]
    return bool(page.js) or any(part.get("js") or part.get("js_on_load") for part in parts)
