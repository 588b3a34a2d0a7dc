"""`lungcnn pacs`: judge a study of a PACS."""

import json
from pathlib import Path

import click

from lungcnn.cli.common import EXIT_SOME_FAILED, KINDS, MODEL, QUIET, ends_with_a_sentence, note
from lungcnn.cli.progress import progress_bar
from lungcnn.cli.sentences import series_sentence


@click.command()
@click.option("--url", required=True, help="DICOMweb address of the PACS, such as https://pacs.example/dicom-web.")
@click.option("--study", required=True, help="StudyInstanceUID of the study.")
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificates (PEM) to trust.  [default: the usual ones, or REQUESTS_CA_BUNDLE's]",
)
@click.option("--dry-run", is_flag=True, help="Do all but store the results.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per series and line, nothing else.")
@click.option("--again", is_flag=True, help="Store results even where the PACS holds some by this model already.")
@KINDS
@MODEL
@QUIET
@ends_with_a_sentence
def pacs(url, study, ca, dry_run, as_json, again, dicom_kinds, model, quiet):
    """Fetch a study's CT series from a PACS over DICOMweb, judge them, and store the results in the study.

    Who may enter is read from the environment: LUNGCNN_PACS_TOKEN, or LUNGCNN_PACS_USER and LUNGCNN_PACS_PASSWORD.

    Exit status: 0 when every series was judged, 3 when any was refused, 2 for wrong usage or a PACS that refuses.
    """
    from lungcnn.results.dicom.kinds import parse_kinds
    from lungcnn.results.slice_report import DISCLAIMER
    from lungcnn.serving.pacs.connection import connect
    from lungcnn.serving.pacs.study import ALREADY_STORED, find_study, run_study

    kinds = parse_kinds(dicom_kinds)
    found = find_study(connect(url, ca), study)  # a PACS that can't be reached is told before the model is loaded

    from lungcnn.pipeline import Pipeline

    pipeline = Pipeline.load(model)
    total = sum(count for _, count in found.series)
    with progress_bar(desc="fetching", total=total, unit="slice", quiet=quiet) as bar:
        done = run_study(found, pipeline, kinds, dry_run, again, lambda: bar.update(1))
    for one in done:
        click.echo(json.dumps(one.to_json(), ensure_ascii=False) if as_json else _sentence(one))
    note(DISCLAIMER, quiet or as_json)
    if any(one.report.status != "ok" or one.left_out not in (None, ALREADY_STORED) for one in done):
        raise click.exceptions.Exit(EXIT_SOME_FAILED)


def _sentence(one) -> str:
    objects = ", ".join(f"{count} {kind}" for kind, count in one.objects.items() if count) or "nothing"
    stored = f"{'stored' if one.stored else 'not stored'}: {objects}"
    if one.left_out:
        stored += f". {one.left_out.message}"
    return "\t".join([series_sentence(one.uid, one.report, one.instances), stored])
