"""What commands share: options, notes, and how they end."""

import errno
import json
import os
import sys
from functools import wraps
from pathlib import Path

import click

from lungcnn.errors import LungCNNError, UsageError
from lungcnn.system import printable_name, write_whole

EXIT_SOME_FAILED = 3
QUIET = click.option("--quiet", is_flag=True, help="No progress bar and no notes; results and errors only.")
MODEL = click.option(
    "--model",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Model file.  [default: LUNGCNN_MODEL's, or the one that ships]",
)
CLASSES = click.option(
    "--classes",
    help="The folders of DATASET that are classes, in order, with commas.  [default: normal,benign,malignant]",
)
SUSPICIOUS = click.option(
    "--suspicious",
    help="The class that slices are searched for: it gets an operating point.  [default: malignant, if there is one]",
)
KINDS = click.option(
    "--dicom-kinds",
    default="sc,sr,pm",
    show_default=True,
    help="DICOM results: sc (overlay as Secondary Capture), sr (structured report), pm (heatmap as Parametric Map).",
)


class CommandError(click.ClickException):
    """Ends a command with a sentence and status 2, without the usage text, which would not help."""

    exit_code = 2


def ends_with_a_sentence(command):
    """Our own errors end a command with their sentence and status 2, never with a traceback."""

    @wraps(command)
    def run(*args, **kwargs):
        try:
            return command(*args, **kwargs)
        except UsageError as error:
            raise click.UsageError(printable_name(str(error))) from None
        except LungCNNError as error:
            raise CommandError(printable_name(str(error))) from None
        except BrokenPipeError:
            _drop_output()  # of `predict ... | head`
            raise click.exceptions.Exit(1) from None
        except OSError as error:
            raise unwritable(error) from None

    return run


def unwritable(error: OSError) -> CommandError:
    """The sentence for output that has no room; raises any other error again."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        raise error
    _drop_output()
    return CommandError(f"Results can't be written: {error.strerror}. Make room, and start again.")


def _drop_output() -> None:
    """Point our output elsewhere, so that what is left in its buffer raises nothing at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_figures_file(path: Path, figures: dict) -> None:
    """Write figures as JSON, whole or not at all, into a folder that is made where it isn't there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(figures, indent=1) + "\n"
    write_whole(path, lambda draft: draft.write_text(text, encoding="utf-8"))


def note(text: str, quiet: bool) -> None:
    """Say something beside the results, on standard error."""
    if not quiet:
        click.echo(printable_name(text), err=True)
