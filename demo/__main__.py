"""`python -m demo`: start the page, say where it is, and clean up at the end."""

import importlib.util
import os
import signal
import sys
import threading
from pathlib import Path

import click

from lungcnn import __version__

# Each option has its environment variable, LUNGCNN_DEMO_ and its name; where Gradio has one, that is heard as well.
_SMALL = {"help_option_names": ["-h", "--help"]}


def _option(*names, gradio: str | None = None, **more):
    own = f"LUNGCNN_DEMO_{names[0].removeprefix('--').replace('-', '_').upper()}"
    return click.option(*names, envvar=[own, gradio] if gradio else own, show_envvar=True, **more)


@click.command(context_settings=_SMALL)
@_option(
    "--host",
    gradio="GRADIO_SERVER_NAME",
    default="127.0.0.1",
    show_default=True,
    help="Address to serve; 0.0.0.0 for every network of this machine.",
)
@_option(
    "--port",
    gradio="GRADIO_SERVER_PORT",
    type=click.IntRange(1, 65535),
    help="[default: 7860 or the next]",
)
@_option(
    "--share",
    gradio="GRADIO_SHARE",
    is_flag=True,
    help="Also make a public link (needs the internet).",
)
@_option("--public", is_flag=True, help="With --share: anyone who has the link may use it, without a password.")
@_option(
    "--auth",
    metavar="USER:PASSWORD",
    help="Ask visitors for a name and a password. Other users of this machine can read it here: "
    "better set the environment variable LUNGCNN_DEMO_AUTH, or use --auth-file.",
)
@_option(
    "--auth-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Read USER:PASSWORD from here, one a line.",
)
@_option(
    "--dicom-results",
    is_flag=True,
    help="Offer results as DICOM objects of the uploaded study, which name its patient. Not with --share.",
)
@_option(
    "--root-path",
    gradio="GRADIO_ROOT_PATH",
    callback=lambda _context, _option, value: _root_path(value),
    help="Where a proxy serves the demo, such as /lung.",
)
@_option(
    "--trust-host",
    multiple=True,
    metavar="NAME",
    help="A name by which visitors reach the demo, such as ct.example.org; several in the environment with spaces.",
)
@_option("--embed-in", multiple=True, metavar="ORIGIN", help="A site (https://...) that may show it in a frame.")
@_option(
    "--max-concurrency",
    default=2,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Slices judged at the same time; the rest wait in line.",
)
@_option(
    "--max-queue",
    default=64,
    show_default=True,
    type=click.IntRange(min=1),
    help="Requests that may be under way, half of them of one visitor; the rest are told that the line is full.",
)
@_option(
    "--log-level",
    default="warning",
    show_default=True,
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="How much is logged; never anything of an upload.",
)
@_option("--model", type=click.Path(dir_okay=False, path_type=Path), help="Model file; default: the one that ships.")
@click.version_option(__version__, prog_name="demo")
def main(auth, auth_file, model, share, public, dicom_results, log_level, **options):
    """Show the demo in the browser: drop a chest-CT slice, see probabilities and where the model looked.

    For research and teaching only: not a medical device.
    """
    _need_gradio()
    from lungcnn import LungCNNError, default_model_path, verify_model

    from . import texts
    from .private_logs import hush
    from .scratch import make_scratch, remove_scratch
    from .worker.client import close_all

    users = _users(auth, auth_file)
    os.environ.pop("LUNGCNN_DEMO_AUTH", None)  # the worker process needs no passwords
    if dicom_results and (share or public or os.environ.get("SPACE_ID")):
        raise click.UsageError(texts.DICOM_NOT_PUBLIC)
    if share and not users and not public:
        raise click.UsageError(texts.SHARE_NEEDS_AUTH)
    try:
        card = verify_model(model or default_model_path())
    except LungCNNError as error:
        raise click.ClickException(str(error)) from None
    hush(log_level)
    try:
        scratch = make_scratch()
    except OSError as error:
        raise click.ClickException(texts.NO_SCRATCH.format(reason=error.strerror)) from None

    def end(*_):
        # Whatever Gradio's threads are in the middle of, nothing of it is worth waiting for.
        close_all()
        remove_scratch(scratch)
        sys.stdout.flush()
        os._exit(0)

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, end)
    try:
        _serve(users, model, share, dicom_results, card, **options)
        threading.Event().wait()
    except OSError as error:
        raise click.ClickException(texts.CANT_START.format(reason=error.strerror or type(error).__name__)) from None
    finally:
        close_all()
        remove_scratch(scratch)


def _need_gradio() -> None:
    """The wheel alone judges slices without it."""
    if importlib.util.find_spec("gradio") is None:
        raise click.ClickException(
            'The page needs Gradio: pip install ".[demo]", in a copy of the repository, brings it.'
        )


def _root_path(given: str | None) -> str | None:
    """`/lung`, however it was written; None for the root. A full address stays one."""
    path = (given or "").strip().rstrip("/")
    return path if not path or "://" in path else "/" + path.lstrip("/")


def _users(auth: str | None, auth_file: Path | None) -> list[tuple[str, str]]:
    """Names and passwords, from the command line or environment and from a file."""
    lines = [auth] if auth else []
    if auth_file:
        try:
            lines += auth_file.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise click.UsageError(f"--auth-file can't be read ({type(error).__name__}).") from None
    parts = [line.strip().partition(":") for line in lines if line.strip()]
    users = [(name, password) for name, _, password in parts]
    if not all(name and password for name, password in users):
        raise click.UsageError("A name and a password need a colon between them: USER:PASSWORD.")
    if auth_file and not users:
        raise click.UsageError("--auth-file names nobody. Write USER:PASSWORD into it, one a line.")
    return users


def _serve(
    users,
    model,
    share,
    dicom_results,
    card,
    *,
    host,
    port,
    root_path,
    trust_host,
    embed_in,
    max_concurrency,
    max_queue,
):
    # The model loads in a process of its own, while this one imports Gradio.
    from . import texts
    from .memory import keep_few_arenas
    from .waiting import judge_elsewhere

    keep_few_arenas()
    waiting = judge_elsewhere(model, max_concurrency)
    from .examples import find_examples
    from .gradio_internals import without_pyarrow

    with without_pyarrow():
        from .page import build_demo, look
    from .gradio_internals import let_streams_end
    from .rules import make_rules
    from .server import keep_tidy, launch_settings, open_tunnel

    page = build_demo(waiting, find_examples(), card, dicom_results)
    page.queue(default_concurrency_limit=max_concurrency)
    let_streams_end(page)
    appearance = look(card)
    rules = make_rules(host, root_path, trust_host, embed_in, page, appearance.get("head", ""))
    rules.trouble, rules.ready = waiting.trouble, lambda: waiting.ready
    rules.shares.line, rules.shares.most = max_queue, max(2, max_queue // 2)
    where = {"server_name": host, "server_port": port, "root_path": root_path, "auth": users or None}
    try:
        _, local, _ = page.launch(**where, **appearance, **launch_settings(rules))
    except OSError:
        ports = f"port {port}" if port else "ports 7860 to 7959"
        raise click.ClickException(
            f"The demo can't be served at {host}, {ports}: the address is taken or not this machine's. "
            "Choose another with --port or --host."
        ) from None
    click.echo(f"The demo is at {local} (Ctrl-C ends it).")
    waiting.start()
    keep_tidy(page, rules)
    if share:
        public = open_tunnel(page, rules)
        click.echo(texts.PUBLIC_LINK.format(link=public) if public else texts.NO_PUBLIC_LINK)


if __name__ == "__main__":
    main(prog_name=f"python -m {__package__}")
