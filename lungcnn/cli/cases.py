"""`lungcnn cases`: make a case list."""

from pathlib import Path

import click

from lungcnn.cli.common import CLASSES, QUIET, ends_with_a_sentence, note
from lungcnn.cli.progress import progress_bar


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The case list to write (CSV)."
)
@CLASSES
@QUIET
@ends_with_a_sentence
def cases(dataset, out, classes, quiet):
    """Infer which slices of DATASET belong to one case, and write them as a case list with case-blocked folds."""
    from lungcnn.classes import CLASSES as USUAL, parse_classes
    from lungcnn.dataset.case_groups import write_case_list
    from lungcnn.training.output_folder import check_output_file

    check_output_file(out)

    with progress_bar(desc="reading", unit="slice", quiet=quiet) as bar:

        def progress(images):
            bar.reset(len(images))
            for image in images:
                yield image
                bar.update(1)

        counts = write_case_list(dataset, out, progress, parse_classes(classes) if classes else USUAL)
    note(
        f"{counts['slices']} slices in {counts['groups']} case groups; {counts['kept_apart']} slices kept apart as a "
        f"test set; {counts['unreadable']} files could not be read",
        quiet,
    )
    if counts["copies"]:
        note(f"{counts['copies']} slices are mirrored or turned copies, and stand in their original's group", quiet)
    click.echo(str(out))
