"""`lungcnn examples`: phantoms, or real slices."""

from pathlib import Path

import click

from lungcnn.cli.common import QUIET, ends_with_a_sentence, note
from lungcnn.cli.progress import progress_bar


@click.command()
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for the phantoms.  [default: examples]"
)
@click.option("--download", is_flag=True, help="Fetch a few real slices into the user's cache instead.")
@QUIET
@ends_with_a_sentence
def examples(out, download, quiet):
    """Write the bundled phantoms again, byte for byte; or, with --download, fetch real example slices.

    The real slices are public, from LIDC-IDRI at The Cancer Imaging Archive (CC BY 3.0); they go into the user's cache
    with their licence and citation, never into this project, and the demo then offers them beside the phantoms.
    """
    from lungcnn.phantoms.bundled import write_examples

    if not download:
        for path in write_examples(out or Path("examples")):
            note(str(path), quiet)
        return
    if out:
        raise click.UsageError("--out belongs to the phantoms; real slices go to the cache (LUNGCNN_CACHE moves it).")
    from lungcnn.serving.real_examples import CITATION, LICENCE, REAL_SLICES, download_examples

    with progress_bar(total=len(REAL_SLICES), desc="fetching", unit="file", quiet=quiet) as bar:
        files = download_examples(on_file=lambda: bar.update(1))
    for path in files:
        click.echo(str(path))
    note(f"{LICENCE}. Cite: {CITATION}", quiet)
