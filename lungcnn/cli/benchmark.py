"""`lungcnn benchmark`: measure speed."""

from pathlib import Path

import click

from lungcnn.cli.common import MODEL, QUIET, ends_with_a_sentence, write_figures_file
from lungcnn.cli.progress import progress_bar
from lungcnn.model.tensorflow_start import import_tensorflow


@click.command()
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here.")
@click.option("--runs", default=50, show_default=True, type=click.IntRange(min=5), help="Repetitions of each step.")
@click.option(
    "--memory-calls",
    default=10_000,
    show_default=True,
    type=click.IntRange(min=1),
    help="Calls over which the growth of memory is measured.",
)
@click.option(
    "--cold-starts",
    default=3,
    show_default=True,
    type=click.IntRange(min=0),
    help="Times that the demo is started afresh; 0: leave it out.",
)
@MODEL
@QUIET
@ends_with_a_sentence
def benchmark(json_file, runs, memory_calls, cold_starts, model, quiet):
    """Measure speed on one core: medians of each step from file to overlay, and ratios in one run."""
    from lungcnn.benchmark.speed import describe, run_benchmark
    from lungcnn.training.output_folder import check_output_file

    if json_file:
        check_output_file(json_file)
    import_tensorflow()
    with progress_bar(desc="measuring", unit="step", quiet=quiet) as bar:
        figures = run_benchmark(model, runs, lambda: bar.update(1), memory_calls, cold_starts)
    if json_file:
        write_figures_file(json_file, figures)
    click.echo(describe(figures))
