"""`lungcnn predict`: judge files, or whole series."""

import json
import sys
from pathlib import Path

import click

from lungcnn.cli.common import EXIT_SOME_FAILED, KINDS, MODEL, QUIET, ends_with_a_sentence, note
from lungcnn.cli.progress import progress_bar
from lungcnn.cli.sentences import series_sentence, slice_sentence
from lungcnn.errors import UnreadableFileError
from lungcnn.explaining.methods import DEFAULT_METHOD, METHODS
from lungcnn.system import name_on_a_line, printable_name


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(readable=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object per slice and line, nothing else.")
@click.option("--overlay", type=click.Path(file_okay=False, path_type=Path), help="Write overlays (PNG) here.")
@click.option("--heatmap", type=click.Path(file_okay=False, path_type=Path), help="Write raw maps (.npy) here.")
@click.option("--method", default=DEFAULT_METHOD, show_default=True, help=f"Explanation method: {', '.join(METHODS)}.")
@click.option("--layer", help="Convolution to explain.  [default: the last one]")
@click.option("--signed", is_flag=True, help="Overlays also show what speaks against the class, in blue.")
@click.option("--contour", type=click.FloatRange(0, 1), help="Overlays as outlines at this share of the maximum.")
@click.option(
    "--explain-class",
    help="One of the model's classes, usually normal, benign, malignant.  [default: the predicted one]",
)
@click.option("--checks/--no-checks", default=True, show_default=True, help="Test each explanation (slower).")
@click.option(
    "--series", "by_series", is_flag=True, help="Judge whole series: one record each; zip files are read too."
)
@click.option(
    "--dicom-out", type=click.Path(file_okay=False, path_type=Path), help="Write results as DICOM objects here."
)
@KINDS
@MODEL
@QUIET
@ends_with_a_sentence
def predict(
    paths,
    as_json,
    overlay,
    heatmap,
    method,
    layer,
    signed,
    contour,
    explain_class,
    checks,
    by_series,
    dicom_out,
    dicom_kinds,
    model,
    quiet,
):
    """Judge the slices in PATHS: files, or folders whose slices are taken in order of name.

    A path may be a glob in quotes, or - for paths from standard input, one a line (or parted by NUL).

    With --series, slices are grouped and sorted by their headers; overlays, heatmaps and DICOM results are then made
    of the most suspicious ones.

    Exit status: 0 when every slice was judged, 3 when any was refused or could not be read, 2 for wrong usage.
    """
    from lungcnn.classes import class_index
    from lungcnn.explaining.methods import explanation_method
    from lungcnn.model.card import default_model_path, load_card
    from lungcnn.pipeline import Pipeline
    from lungcnn.results.dicom.kinds import parse_kinds
    from lungcnn.serving.inputs import find_files, given_paths
    from lungcnn.serving.many_files import predict_files
    from lungcnn.serving.outputs import Outputs

    if (signed or contour is not None) and not overlay:
        raise click.UsageError("--signed and --contour are looks of overlays: give --overlay FOLDER as well.")
    explanation_method(method)  # wrong names are told before the model is loaded
    if explain_class is not None:
        class_index(explain_class, load_card(model or default_model_path()).classes)
    given = given_paths(paths, sys.stdin.buffer)
    outputs = Outputs(overlay, heatmap, signed, contour, dicom_out, parse_kinds(dicom_kinds))
    options = {"explain_class": explain_class, "method": method, "checks": checks}
    if by_series:
        every = _predict_series(given, outputs, options, model, layer, as_json, quiet)
        _end_of_predict(outputs, every, quiet, as_json)
        return
    files = find_files(given)
    pipeline = Pipeline.load(model, layer)
    every = True
    with progress_bar(total=len(files), unit="file", quiet=quiet or len(files) < 2) as bar:
        for file, report, written in predict_files(pipeline, files, outputs, on_file=lambda: bar.update(1), **options):
            every &= report.status == "ok"
            line = slice_sentence(file, report)
            if as_json:
                record = report.to_json(str(file)) | {"written": [printable_name(str(path)) for path in written]}
                line = json.dumps(record, ensure_ascii=False)
            with bar.external_write_mode():
                click.echo(line)
    _end_of_predict(outputs, every, quiet, as_json)


def _predict_series(given, outputs, options, model, layer, as_json: bool, quiet: bool) -> bool:
    from lungcnn.pipeline import Pipeline
    from lungcnn.reading.series_reader import read_series
    from lungcnn.serving.many_files import aside_records, predict_series, series_name, series_record

    with progress_bar(desc="looking", unit="file", quiet=quiet) as bar:

        def looked(done: int, files: int) -> None:
            bar.total = files
            bar.update(done - bar.n)

        reading = read_series(given[0] if len(given) == 1 else given, looked)
    pipeline = Pipeline.load(model, layer)
    every = True
    with progress_bar(total=sum(map(len, reading.series)), unit="slice", quiet=quiet) as bar:
        for series, report, written in predict_series(pipeline, reading, outputs, lambda: bar.update(1), **options):
            every &= report.status == "ok"
            if as_json:
                line = json.dumps(series_record(series, report, written), ensure_ascii=False)
            else:
                line = series_sentence(series_name(series), report, [one.name for one in series.slices])
            with bar.external_write_mode():
                click.echo(line)
    every &= not any(one.reason.code == UnreadableFileError.code for one in reading.set_aside)
    for one in aside_records(reading.set_aside):
        note(f"set aside: {name_on_a_line(one['file'])}: {one['message']}", quiet)
    return every


def _end_of_predict(outputs, every: bool, quiet: bool, as_json: bool) -> None:
    from lungcnn.results.slice_report import DISCLAIMER

    for name, message in outputs.left_out:
        note(f"no DICOM result: {name}: {message}", quiet)
    note(DISCLAIMER, quiet or as_json)  # each result holds it
    for name, message in outputs.unwritten:
        note(f"not written: {name}: {message}", quiet=False)
    if not every or outputs.unwritten:
        raise click.exceptions.Exit(EXIT_SOME_FAILED)
