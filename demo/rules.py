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
from dataclasses import dataclass, field
from urllib.parse import urlparse

from demo.login import Tries


@dataclass
class Rules:
    """What one demo allows.

    Attributes:
        hosts: names that may stand in the Host header besides addresses and this machine's own names; "*.name" for
            all below a name.
        any_address: whether numeric addresses pass (the demo listens on all of them).
        embedders: origins of pages that may show the demo in a frame.
        evaluates: whether the page has scripts that Gradio evaluates (`js=` of an event).
        scripts: sources of inline scripts that Gradio adds in the browser (`head=` of the page).
    """

    hosts: set[str] = field(default_factory=set)
    any_address: bool = False
    embedders: tuple[str, ...] = ()
    evaluates: bool = False
    scripts: tuple[str, ...] = ()
    tries: Tries = field(default_factory=Tries)

    def __post_init__(self):
        self.hosts = {"localhost", "127.0.0.1", "::1", *map(str.lower, self.hosts)}
        if self.any_address:
            self.hosts |= {socket.gethostname().lower(), socket.getfqdn().lower()}

    def trusts(self, host: str) -> bool:
        """Whether a Host header names us: a page of another name must not reach us by rebinding it (DNS)."""
        name = (urlparse(f"//{host}").hostname or "").lower().rstrip(".")
        if name in self.hosts or any(name.endswith(h[1:]) for h in self.hosts if h.startswith("*.")):
            return True
        return self.any_address and _is_address(name)

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
    hosts = {*trusted, host}
    if root_path and urlparse(root_path).hostname:
        hosts.add(urlparse(root_path).hostname)
    if os.environ.get("SPACE_ID"):  # a Hugging Face Space: shown in a frame of its page
        hosts |= {"*.hf.space"}
        embedders = (*embedders, "https://huggingface.co", "https://*.hf.space")
    scripts = tuple(re.findall(r"<script>(.*?)</script>", head, re.DOTALL))
    everywhere = host in ("0.0.0.0", "::", "[::]")  # noqa: S104
    return Rules(hosts, everywhere, tuple(embedders), evaluates_scripts(page), scripts)


def evaluates_scripts(page) -> bool:
    """Whether a page has scripts that Gradio evaluates in the browser."""
    if page is None:
        return False
    config = page.get_config_file()
    parts = [*config["dependencies"], *(component["props"] for component in config["components"])]
    return bool(page.js) or any(part.get("js") or part.get("js_on_load") for part in parts)
