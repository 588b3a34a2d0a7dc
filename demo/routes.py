"""Which of Gradio's routes are open: those that the page and `gradio_client` need. All others answer 404.

Proxies, deep links, run history, monitoring, component servers, recording and code assistants are shut, whatever the
installed release puts there; `tests/demo/test_routes.py` knows them all and fails where a release brings new ones.
"""

import re

API = "/gradio_api"
FILE = API + "/file="
UPLOAD = API + "/upload"
PROGRESS = UPLOAD + "_progress"
QUEUE = API + "/queue/"
HEARTBEAT = API + "/heartbeat/{name}"  # open for as long as a page is
SLICES = "/slices/"
# For whoever watches the demo; ours, not Gradio's.
HEALTH = "/healthz"
# Random names: of a session, an event, an upload's progress.
NAME = r"[\w-]{1,64}"
_INSIDE = r"(?:[\w@+-][\w@.+-]*/)*[\w@+-][\w@.+-]*"  # a path that doesn't climb, without hidden files
_PARTS = {"name": NAME, "inside": _INSIDE}

# Templates of paths, with the methods that are answered.
OPEN: dict[str, str] = {
    # the page itself
    "/": "GET HEAD",
    "/assets/{inside}": "GET",
    "/static/{inside}": "GET",
    "/theme.css": "GET",
    "/favicon.ico": "GET",
    "/config": "GET",
    # passwords
    "/login": "POST",
    "/logout": "GET",
    # what is asked, and what comes of it
    UPLOAD: "POST",
    PROGRESS: "GET",
    API + "/queue/join": "POST",
    API + "/queue/data": "GET",
    API + "/cancel": "POST",
    API + "/reset": "POST",
    HEARTBEAT: "GET",
    API + "/startup-events": "GET",  # Gradio asks itself
    API + "/app_id": "GET",  # asked when the connection comes back
    FILE + "{inside}": "GET HEAD",  # answered by the guard alone, never by Gradio
    SLICES + "{name}/{name}/{name}": "GET",  # of a series: answered by the guard, see `feed.py`
    # the HTTP API
    API + "/info": "GET",
    API + "/call/explain": "POST",
    API + "/call/explain/{name}": "GET",
}

# What is of no use while nothing can be judged: whoever watches the demo should see that from outside.
NEEDS_MODEL = ("/", "/config", UPLOAD, API + "/queue/join", API + "/call/explain")

# What puts something into the line, and what the results are read from.
ASKS = (API + "/queue/join", API + "/call/explain")
READS = (API + "/queue/data", API + "/call/explain/{name}")


def _compiled(template: str) -> re.Pattern:
    pattern = re.sub(r"\\{(\w+)\\}", lambda found: _PARTS[found[1]], re.escape(template))
    return re.compile(pattern + "/?", re.ASCII)


_COMPILED = {template: (_compiled(template), methods.split()) for template, methods in OPEN.items()}


def found(method: str, path: str) -> str | None:
    """The template of the open route that a request for a path (decoded, without the root path) fits; None: shut."""
    for template, (pattern, methods) in _COMPILED.items():
        if method in methods and pattern.fullmatch(path):
            return template
    return None
