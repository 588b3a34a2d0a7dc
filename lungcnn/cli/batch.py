"""`lungcnn batch`: score an archive."""

from pathlib import Path

import click

from lungcnn.cli.common import MODEL, QUIET, ends_with_a_sentence, note
from lungcnn.cli.progress import progress_bar
from lungcnn.system import printable_name


@click.command()
@click.argument("source")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The table to write: .parquet, .csv or .jsonl.",
)
@click.option(
    "--engine", default="local", show_default=True, type=click.Choice(["local", "ray"]), help="What does the work."
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes that decode and judge (local) or actors that judge (ray).  [default: one a core]",
)
@click.option("--address", help="Of a Ray cluster, with --engine ray.  [default: one on this machine]")
@click.option("--retry-errors", is_flag=True, help="Try files again that could not be read in an earlier run.")
@MODEL
@QUIET
@ends_with_a_sentence
def batch(source, out, engine, workers, address, retry_errors, model, quiet):
    """Score an archive: a row for each slice of SOURCE in one table.

    SOURCE is a folder (searched through), a glob in quotes, a list of paths or URIs (.txt, one a line), or a URI of an
    object store such as s3://bucket/prefix. A run that was stopped goes on where it was when it is started again;
    files that can't be read are rows that say why.

    Exit status: 0 when the table is written, 2 for wrong usage.
    """
    from lungcnn.serving.archive.score import score_archive

    if address and engine != "ray":
        raise click.UsageError("--address belongs to --engine ray.")
    with progress_bar(desc="scoring", unit="file", quiet=quiet, lines=True) as bar:

        def on_start(files, done):
            bar.reset(files)
            bar.update(done)
            bar.initial = done  # the rate is that of this run

        scored = score_archive(
            source, out, model, engine, workers, on_start, lambda: bar.update(1), address, retry_errors
        )
    rows = ", ".join(f"{count} {status}" for status, count in sorted(scored.rows.items())) or "none"
    before = f" ({scored.before} done before)" if scored.before else ""
    note(f"{scored.files} files{before}; rows: {rows}", quiet)
    click.echo(printable_name(str(out)))
