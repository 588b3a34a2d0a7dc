"""`python -m demo`: start the page, say where it is, and clean up at the end."""

import os
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path

import click

from lungcnn import __version__


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--host", envvar="GRADIO_SERVER_NAME", default="127.0.0.1", show_default=True, help="Address to serve.")
@click.option("--port", envvar="GRADIO_SERVER_PORT", type=click.IntRange(1, 65535), help="[default: 7860 or the next]")
@click.option("--share", is_flag=True, help="Also make a public link (needs the internet).")
@click.option("--auth", metavar="USER:PASSWORD", help="Ask visitors for a name and a password.")
@click.option(
    "--model", type=click.Path(dir_okay=False, path_type=Path), help="Model file; default: the one that ships."
)
@click.version_option(__version__, prog_name="demo")
def main(host, port, share, auth, model):
    """Show the demo in the browser: drop a chest-CT slice, see probabilities and where the model looked.

    For research and teaching only: not a medical device.
    """
    from lungcnn import LungCNNError, default_model_path, load_card

    try:
        card = load_card(model or default_model_path())
    except LungCNNError as error:
        raise click.ClickException(str(error)) from None
    if auth is not None and not all(auth.partition(":")[::2]):
        raise click.UsageError("--auth takes a name and a password with a colon between: USER:PASSWORD.")
    scratch = _private_folder()
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    try:
        page = _serve(scratch, host, port, share, tuple(auth.split(":", 1)) if auth else None, model, card)
        stop.wait()
        page.close(verbose=False)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    # Gradio's and TensorFlow's threads may be in the middle of something: nothing of it is worth waiting for.
    sys.stdout.flush()
    os._exit(0)


def _private_folder() -> Path:
    """A folder of our own (mode 0700) for what Gradio writes; set before Gradio is imported."""
    scratch = Path(tempfile.mkdtemp(prefix="lungcnn-demo-"))
    os.environ["GRADIO_TEMP_DIR"] = str(scratch)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    return scratch


def _serve(scratch, host, port, share, auth, model, card):
    from demo.app import PipelineInWaiting, build_demo, find_examples, look
    from demo.server import launch_settings
    from lungcnn.quiet import import_tensorflow

    def load():
        import_tensorflow()
        from lungcnn import Pipeline

        return Pipeline.load(model)

    waiting = PipelineInWaiting(load)
    page = build_demo(waiting, find_examples(scratch), card)
    try:
        where = {"server_name": host, "server_port": port, "share": share, "auth": auth}
        _, local, public = page.launch(**where, **look(), **launch_settings())
    except OSError:
        where = f"port {port}" if port else "ports 7860 to 7959"
        raise click.ClickException(
            f"The demo can't be served at {host}, {where}: the address is taken or not this machine's. "
            "Choose another with --port or --host."
        ) from None
    click.echo(f"The demo is at {local} (Ctrl-C ends it).")
    waiting.start()  # only now: nobody waits for TensorFlow to see the page
    if share:
        click.echo(
            f"Public link: {public}" if public else "No public link could be made (no internet?); going on here."
        )
    return page


if __name__ == "__main__":
    main(prog_name="python -m demo")
