"""The commands of `python -m lungcnn`; no logic of its own."""

import json
import os
import sys
from functools import wraps
from pathlib import Path

import click

from lungcnn import __version__
from lungcnn.errors import LungCNNError
from lungcnn.explaining.methods import DEFAULT_METHOD, METHODS
from lungcnn.model.tensorflow_start import import_tensorflow

EXIT_SOME_FAILED = 3
_QUIET = click.option("--quiet", is_flag=True, help="No progress bar and no notes; results and errors only.")
_MODEL = click.option(
    "--model", type=click.Path(dir_okay=False, path_type=Path), help="Model file; default: the one that ships."
)
_KINDS = click.option(
    "--dicom-kinds",
    default="sc,sr,pm",
    show_default=True,
    help="DICOM results: sc (overlay as Secondary Capture), sr (structured report), pm (heatmap as Parametric Map).",
)


def _errors_for_people(command):
    """Our own errors end a command with their sentence and status 2, never with a traceback."""

    @wraps(command)
    def run(*args, **kwargs):
        try:
            return command(*args, **kwargs)
        except LungCNNError as error:
            raise click.UsageError(str(error)) from None
        except BrokenPipeError:
            # `predict ... | head` closes our output: point it elsewhere so that exit stays quiet.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(1) from None

    return run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lungcnn")
def main():
    """Classify chest-CT slices as normal, benign or malignant, and show where the model looked.

    For research and teaching only: not a medical device.
    """


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object per slice and line, nothing else.")
@click.option("--overlay", type=click.Path(file_okay=False, path_type=Path), help="Write overlays (PNG) here.")
@click.option("--heatmap", type=click.Path(file_okay=False, path_type=Path), help="Write raw maps (.npy) here.")
@click.option("--method", default=DEFAULT_METHOD, show_default=True, help=f"Explanation method: {', '.join(METHODS)}.")
@click.option("--layer", help="Convolution to explain.  [default: the last one]")
@click.option("--signed", is_flag=True, help="Overlays also show what speaks against the class, in blue.")
@click.option("--contour", type=click.FloatRange(0, 1), help="Overlays as outlines at this share of the maximum.")
@click.option("--explain-class", help="Class to explain: normal, benign or malignant.  [default: the predicted one]")
@click.option("--checks/--no-checks", default=True, show_default=True, help="Test each explanation (slower).")
@click.option(
    "--series", "by_series", is_flag=True, help="Judge whole series: one record each; zip files are read too."
)
@click.option(
    "--dicom-out", type=click.Path(file_okay=False, path_type=Path), help="Write results as DICOM objects here."
)
@_KINDS
@_MODEL
@_QUIET
@_errors_for_people
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

    With --series, slices are grouped and sorted by their headers; overlays, heatmaps and DICOM results are then made
    of the most suspicious ones.

    Exit status: 0 when every slice was judged, 3 when any was refused or could not be read, 2 for wrong usage.
    """
    from lungcnn.classes import class_index
    from lungcnn.explaining.methods import explanation_method
    from lungcnn.pipeline import Pipeline
    from lungcnn.results.dicom.kinds import parse_kinds
    from lungcnn.serving.many_files import find_files, predict_files
    from lungcnn.serving.outputs import Outputs

    explanation_method(method)  # wrong names are told before TensorFlow is loaded
    if explain_class is not None:
        class_index(explain_class)
    outputs = Outputs(overlay, heatmap, signed, contour, dicom_out, parse_kinds(dicom_kinds))
    options = {"explain_class": explain_class, "method": method, "checks": checks}
    if by_series:
        every = _predict_series(paths, outputs, options, model, layer, as_json, quiet)
        _end_of_predict(outputs, every, quiet or as_json)
        return
    files = find_files(paths)
    import_tensorflow()
    pipeline = Pipeline.load(model, layer)
    every = True
    with _bar(total=len(files), unit="file", quiet=quiet or len(files) < 2) as bar:
        for file, report in predict_files(pipeline, files, outputs, on_file=lambda: bar.update(1), **options):
            every &= report.status == "ok"
            line = json.dumps(report.to_json(str(file)), ensure_ascii=False) if as_json else _sentence(file, report)
            with bar.external_write_mode():
                click.echo(line)
    _end_of_predict(outputs, every, quiet or as_json)


def _predict_series(paths, outputs, options, model, layer, as_json: bool, quiet: bool) -> bool:
    from lungcnn.pipeline import Pipeline
    from lungcnn.reading.series_reader import read_series
    from lungcnn.serving.many_files import aside_records, predict_series, series_record

    reading = read_series(paths[0] if len(paths) == 1 else paths)
    import_tensorflow()
    pipeline = Pipeline.load(model, layer)
    every = True
    with _bar(total=sum(map(len, reading.series)), unit="slice", quiet=quiet) as bar:
        for series, report in predict_series(pipeline, reading, outputs, lambda: bar.update(1), **options):
            every &= report.status == "ok"
            if as_json:
                line = json.dumps(series_record(series, report), ensure_ascii=False)
            else:
                line = _series_sentence(series, report)
            with bar.external_write_mode():
                click.echo(line)
    for one in aside_records(reading.set_aside):
        _note(f"set aside: {one['file']}: {one['message']}", quiet)
    return every


def _series_sentence(series, report) -> str:
    judged = sum(one.status == "ok" for one in report.slices)
    words = [report.result.sentence] if report.result else []
    words += [reason.message for reason in report.reasons]
    if report.suspicious:
        words.append(f"Look first at {', '.join(series.slices[index].name for index in report.suspicious)}.")
    words += [note.message for note in report.notes]
    return f"{len(series)} slices, {judged} judged\t" + " ".join(words)


def _end_of_predict(outputs, every: bool, silent: bool) -> None:
    from lungcnn.results.slice_report import DISCLAIMER

    for name, message in outputs.left_out:
        _note(f"no DICOM result: {name}: {message}", silent)
    _note(DISCLAIMER, silent)
    if not every:
        raise click.exceptions.Exit(EXIT_SOME_FAILED)


@main.command()
@click.option("--url", required=True, help="DICOMweb address of the PACS, such as https://pacs.example/dicom-web.")
@click.option("--study", required=True, help="StudyInstanceUID of the study.")
@click.option("--dry-run", is_flag=True, help="Do all but store the results.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per series and line, nothing else.")
@_KINDS
@_MODEL
@_QUIET
@_errors_for_people
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
    import_tensorflow()
    pipeline = Pipeline.load(model)
    with _bar(desc="fetching", unit="slice", quiet=quiet) as bar:
        done = run_study(client, study, pipeline, kinds, dry_run, bar.reset, lambda: bar.update(1))
    for one in done:
        objects = ", ".join(f"{count} {kind}" for kind, count in one.objects.items() if count) or "nothing"
        if as_json:
            record = {**one.report.to_json(), "objects": one.objects, "stored": one.stored}
            click.echo(json.dumps(record, ensure_ascii=False))
        else:
            click.echo(_pacs_sentence(one.report) + f"\t{'stored' if one.stored else 'not stored'}: {objects}")
    _note(DISCLAIMER, quiet or as_json)
    if any(one.report.status != "ok" for one in done):
        raise click.exceptions.Exit(EXIT_SOME_FAILED)


def _pacs_sentence(report) -> str:
    judged = sum(one.status == "ok" for one in report.slices)
    words = [report.result.sentence] if report.result else [reason.message for reason in report.reasons]
    return f"{len(report.slices)} slices, {judged} judged\t" + " ".join(words)


@main.command()
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
    help="Processes that decode (local) or actors that judge (ray).  [default: one a core]",
)
@click.option("--address", help="Of a Ray cluster, with --engine ray.  [default: one on this machine]")
@_MODEL
@_QUIET
@_errors_for_people
def batch(source, out, engine, workers, address, model, quiet):
    """Score an archive: a row for each slice of SOURCE in one table.

    SOURCE is a folder (searched through), a glob in quotes, a list of paths or URIs (.txt, one a line), or a URI of an
    object store such as s3://bucket/prefix. A run that was stopped goes on where it was when it is started again;
    files that can't be read are rows that say why.

    Exit status: 0 when the table is written, 2 for wrong usage.
    """
    from lungcnn.serving.archive.score import score_archive

    if address and engine != "ray":
        raise click.UsageError("--address belongs to --engine ray.")
    with _bar(desc="scoring", unit="file", quiet=quiet) as bar:

        def on_start(files, done):
            bar.reset(files)
            bar.update(done)
            bar.initial = done  # the rate is that of this run
            if engine == "local" and done < files:
                import_tensorflow()

        scored = score_archive(source, out, model, engine, workers, on_start, lambda: bar.update(1), address)
    rows = ", ".join(f"{count} {status}" for status, count in sorted(scored.rows.items())) or "none"
    before = f" ({scored.before} done before)" if scored.before else ""
    _note(f"{scored.files} files{before}; rows: {rows}", quiet)
    click.echo(str(out))


@main.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Where the model goes.")
@click.option("--cases", type=click.Path(dir_okay=False, path_type=Path), help="Case list; default: the built-in one.")
@click.option("--epochs", type=click.IntRange(min=1), help="Passes over the slices.  [default: the recipe's]")
@click.option("--seed", default=0, show_default=True, help="The same seed repeats a run.")
@click.option(
    "--seeds", default=1, show_default=True, type=click.IntRange(min=1), help="Networks a fold; figures are means."
)
@click.option("--folds", default=5, show_default=True, type=click.IntRange(min=0), help="Case-blocked folds; 0: none.")
@click.option("--leaky", is_flag=True, help="Also measure on random folds, where cases leak, for comparison.")
@click.option("--baselines", is_flag=True, help="Also measure simpler models on the same folds.")
@click.option("--localization", is_flag=True, help="Also measure whether heatmaps point at lesions.")
@click.option(
    "--outlines",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Also measure on this DICOM series of another scanner with LIDC readers' outlines (XML).",
)
@click.option("--checkpoints", type=click.Path(file_okay=False, path_type=Path), help="Keep finished folds; resume.")
@_QUIET
@_errors_for_people
def train(
    dataset, out, cases, epochs, seed, seeds, folds, leaky, baselines, localization, outlines, checkpoints, quiet
):
    """Train on DATASET (the IQ-OTH/NCCD folder), calibrate, and write the model and its card.

    Cross-validation runs first and its figures go into the card; the final network then learns from every slice.
    """
    from dataclasses import replace

    from lungcnn.training.train import Recipe

    if folds == 1:
        raise click.UsageError("One fold leaves nothing to train on; give 0, or 2 and more.")
    if (leaky or baselines or localization) and not folds:
        raise click.UsageError("--leaky, --baselines and --localization measure on folds; give --folds as well.")
    crop_set = _crops(dataset, cases, "dev", quiet)

    from lungcnn.training_run import Plan, run_training

    import_tensorflow()
    recipe = replace(Recipe(), **({"epochs": epochs} if epochs else {}))
    plan = Plan(folds, tuple(range(seed, seed + seeds)), leaky, baselines, localization, outlines)
    with _bar(total=plan.epochs(recipe), desc="training", unit="epoch", quiet=quiet) as bar:

        def on_epoch(loss):
            bar.set_postfix(loss=f"{loss:.3f}")
            bar.update(1)

        path, figures = run_training(crop_set, out, recipe, plan, on_epoch, checkpoints)
    for name, title in (("blocked", "patients not seen"), ("random_leaky", "random folds, LEAKY")):
        if name in figures:
            _note(f"{title}: {_headline(figures[name]['slice'])}", quiet)
    click.echo(str(path))


@main.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@_MODEL
@click.option("--cases", type=click.Path(dir_okay=False, path_type=Path), help="Case list; default: the built-in one.")
@click.option(
    "--split", default="all", show_default=True, type=click.Choice(["dev", "test", "all"]), help="Which slices."
)
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here.")
@click.option(
    "--figures", type=click.Path(file_okay=False, path_type=Path), help="Draw ROC, reliability and more here."
)
@click.option(
    "--leak-guard/--no-leak-guard", default=True, show_default=True, help="Leave out the model's training slices."
)
@click.option("--localization", is_flag=True, help="Measure instead whether heatmaps point at lesions.")
@click.option(
    "--checkpoints",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="With --localization: the training run's fold networks, to explain training slices out of fold.",
)
@click.option(
    "--outlines",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="With --localization: a DICOM series with LIDC readers' outlines (XML).",
)
@_QUIET
@_errors_for_people
def evaluate(dataset, model, cases, split, json_file, figures, leak_guard, localization, checkpoints, outlines, quiet):
    """Measure a model on DATASET (the IQ-OTH/NCCD folder): a Markdown report, by slice and by case.

    Slices are judged as `predict` judges them: what it refuses is counted by reason, and has no part in the figures.
    Slices that the model was trained on, and near-duplicates of them, don't count. The figures of the model that
    ships, from case-blocked folds of its own training slices, stand in models/MODEL_CARD.md.
    """
    if (checkpoints or outlines) and not localization:
        raise click.UsageError("--checkpoints and --outlines belong to --localization.")
    crop_set = _crops(dataset, cases, split, quiet, gate=not localization)

    from lungcnn.evaluation.evaluate import evaluate_localization, evaluate_model
    from lungcnn.pipeline import Pipeline

    if localization:
        from lungcnn.evaluation.reports import localization_tables

        summary = evaluate_localization(Pipeline.load(model), crop_set, checkpoints, outlines)
        if json_file:
            json_file.write_text(json.dumps({"localization": summary}, indent=1) + "\n", encoding="utf-8")
        click.echo(localization_tables(summary))
        return
    found = evaluate_model(Pipeline.load(model), crop_set, leak_guard)
    if json_file:
        json_file.write_text(json.dumps(found.to_json(), indent=1) + "\n", encoding="utf-8")
    if figures:
        from lungcnn.evaluation.plots import write_figures

        for path in write_figures(found.predictions, figures):
            _note(str(path), quiet)
    from lungcnn.evaluation.reports import evaluation_report

    click.echo(evaluation_report(found))


@main.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The case list to write (CSV)."
)
@_QUIET
@_errors_for_people
def cases(dataset, out, quiet):
    """Infer which slices of DATASET belong to one case, and write them as a case list with case-blocked folds."""
    from lungcnn.dataset.case_groups import write_case_list

    with _bar(desc="reading", unit="slice", quiet=quiet) as bar:

        def progress(images):
            bar.reset(len(images))
            for image in images:
                yield image
                bar.update(1)

        counts = write_case_list(dataset, out, progress)
    _note(
        f"{counts['slices']} slices in {counts['groups']} case groups; {counts['kept_apart']} slices kept apart as a "
        f"test set; {counts['unreadable']} files could not be read",
        quiet,
    )
    click.echo(str(out))


@main.command()
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for the phantoms.  [default: examples]"
)
@click.option("--download", is_flag=True, help="Fetch a few real slices into the user's cache instead.")
@_QUIET
@_errors_for_people
def examples(out, download, quiet):
    """Write the bundled phantoms again, byte for byte; or, with --download, fetch real example slices.

    The real slices are public, from LIDC-IDRI at The Cancer Imaging Archive (CC BY 3.0); they go into the user's cache
    with their licence and citation, never into this project, and the demo then offers them beside the phantoms.
    """
    from lungcnn.phantoms.bundled import write_examples

    if not download:
        for path in write_examples(out or Path("examples")):
            _note(str(path), quiet)
        return
    if out:
        raise click.UsageError("--out belongs to the phantoms; real slices go to the cache (LUNGCNN_CACHE moves it).")
    from lungcnn.serving.real_examples import CITATION, LICENCE, REAL_SLICES, download_examples

    with _bar(total=len(REAL_SLICES), desc="fetching", unit="file", quiet=quiet) as bar:
        files = download_examples(on_file=lambda: bar.update(1))
    for path in files:
        click.echo(str(path))
    _note(f"{LICENCE}. Cite: {CITATION}", quiet)


@main.command()
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
@_MODEL
@_QUIET
@_errors_for_people
def benchmark(json_file, runs, memory_calls, cold_starts, model, quiet):
    """Measure speed on one core: medians of each step from file to overlay, and ratios in one run."""
    from lungcnn.benchmark.speed import describe, run_benchmark

    import_tensorflow()
    with _bar(desc="measuring", unit="step", quiet=quiet) as bar:
        figures = run_benchmark(model, runs, lambda: bar.update(1), memory_calls, cold_starts)
    if json_file:
        json_file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    click.echo(describe(figures))


def _crops(dataset, cases, split: str, quiet: bool, gate: bool = False):
    """The lung crops of a dataset (with `gate`, of the slices that the product judges), having said what was found."""
    from lungcnn.dataset.crops import crop_dataset
    from lungcnn.dataset.folder import read_dataset
    from lungcnn.gate.examine import admit
    from lungcnn.preprocessing.anatomy import find_anatomy

    found = read_dataset(dataset, cases, split)
    _note(found.describe(), quiet)
    with _bar(found.slices, desc="cropping", unit="slice", quiet=quiet) as bar:
        crop_set = crop_dataset(found, lambda _: bar, admit if gate else find_anatomy)
    for file, why in crop_set.failed:
        _note(f"left out: {file}: {why}", quiet=False)
    return crop_set


def _headline(figures: dict) -> str:
    shown = ((name.replace("_", " "), figures[name]) for name in ("balanced_accuracy", "auc_malignant", "ece"))
    return ", ".join(f"{name} {f['value']:.3f} ({f['low']:.3f} to {f['high']:.3f})" for name, f in shown)


def _sentence(file, report) -> str:
    if report.status != "ok":
        return f"{file}\t{report.status}\t" + " ".join(reason.message for reason in report.reasons)
    shares = ", ".join(f"{name} {share:.2f}" for name, share in report.probabilities.items())
    columns = [str(file), report.prediction, shares]
    if report.set_in_words:
        columns.append(report.set_in_words)
    return "\t".join(columns)


def _note(text: str, quiet: bool) -> None:
    if not quiet:
        click.echo(text, err=True)


def _bar(*args, quiet: bool, **kwargs):
    """A progress bar on standard error, silent where that is no terminal."""
    from tqdm import tqdm

    return tqdm(*args, disable=True if quiet else None, dynamic_ncols=True, **kwargs)
