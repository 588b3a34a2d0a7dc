"""The commands of `python -m lungcnn`; no logic of their own, and nothing heavy is imported before it is needed."""

import sys

import click

from lungcnn import __version__
from lungcnn.cli.adopt import adopt
from lungcnn.cli.batch import batch
from lungcnn.cli.benchmark import benchmark
from lungcnn.cli.cases import cases
from lungcnn.cli.common import CommandError, unwritable
from lungcnn.cli.evaluate import evaluate
from lungcnn.cli.examples import examples
from lungcnn.cli.pacs import pacs
from lungcnn.cli.predict import predict
from lungcnn.cli.train import train


class _Commands(click.Group):
    """The commands; what Click itself says (help, version) ends with a sentence, too, where it can't be written."""

    def main(self, *args, **kwargs):
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            unwritable(error).show()
            sys.exit(CommandError.exit_code)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    commands=[predict, pacs, batch, train, adopt, evaluate, cases, examples, benchmark],
)
@click.version_option(__version__, prog_name="lungcnn")
def main():
    """Classify chest-CT slices as normal, benign or malignant, and show where the model looked.

    For research and teaching only: not a medical device.
    """
