"""`lungcnn pacs`: judge a study of a PACS."""

import json

import click

from lungcnn.cli.common import EXIT_SOME_FAILED, KINDS, MODEL, QUIET, ends_with_a_sentence, note, progress_bar
from lungcnn.cli.sentences import series_sentence


@click.command()
@click.option("--url", required=True, help="DICOMweb address of the PACS, such as https://pacs.example/dicom-web.")
@click.option("--study", required=True, help="StudyInstanceUID of the study.")
@click.option("--dry-run", is_flag=True, help="Do all but store the results.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per series and line, nothing else.")
@KINDS
@MODEL
@QUIET
@ends_with_a_sentence
def pacs(url, study, dry_run, as_json, dicom_kinds, model, quiet):
    """Fetch a study's CT series from a PACS over DICOMweb, judge them, and store the results in the study.

    Who may enter is read from the environment: LUNGCNN_PACS_TOKEN, or LUNGCNN_PACS_USER and LUNGCNN_PACS_PASSWORD.

    Exit status: 0 when every series was judged, 3 when any was refused, 2 for wrong usage or a PACS that refuses.
    """
    from lungcnn.pipeline import Pipeline
    from lungcnn.results.dicom.kinds import parse_kinds
    from lungcnn.results.slice_report import DISCLAIMER
    from lungcnn.serving.pacs import connect, run_study

    kinds = parse_kinds(dicom_kinds)
    client = connect(url)
    pipeline = Pipeline.load(model)
    with progress_bar(desc="fetching", unit="slice", quiet=quiet) as bar:
        done = run_study(client, study, pipeline, kinds, dry_run, bar.reset, lambda: bar.update(1))
    for one in done:
        objects = ", ".join(f"{count} {kind}" for kind, count in one.objects.items() if count) or "nothing"
        if as_json:
            record = {**one.report.to_json(), "objects": one.objects, "stored": one.stored}
            click.echo(json.dumps(record, ensure_ascii=False))
        else:
            words = series_sentence(one.series, one.report)
            click.echo(f"{words}\t{'stored' if one.stored else 'not stored'}: {objects}")
    note(DISCLAIMER, quiet or as_json)
    if any(one.report.status != "ok" for one in done):
        raise click.exceptions.Exit(EXIT_SOME_FAILED)
