"""`lungcnn evaluate`: measure a model."""

from pathlib import Path

import click

from lungcnn.cli.common import MODEL, QUIET, ends_with_a_sentence, note, write_figures_file
from lungcnn.cli.dataset_crops import crop_slices
from lungcnn.cli.progress import progress_bar


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@MODEL
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
@QUIET
@ends_with_a_sentence
def evaluate(dataset, model, cases, split, json_file, figures, leak_guard, localization, checkpoints, outlines, quiet):
    """Measure a model on DATASET (the IQ-OTH/NCCD folder): a Markdown report, by slice and by case.

    DATASET has a folder for each class of the model. Slices are judged as `predict` judges them: what it refuses is
    counted by reason, and has no part in the figures.
    Slices that the model was trained on don't count, nor do copies of them: resized, mirrored or turned. The figures
    of the model that ships, from case-blocked folds of its own training slices, stand in models/MODEL_CARD.md.
    """
    if (checkpoints or outlines) and not localization:
        raise click.UsageError("--checkpoints and --outlines belong to --localization.")
    if localization and (figures or not leak_guard):
        raise click.UsageError("--figures and --no-leak-guard have no part in --localization.")
    from lungcnn.model.card import default_model_path, verify_model
    from lungcnn.training.output_folder import check_output_file, check_room

    if json_file:
        check_output_file(json_file)
    if figures:
        check_room(figures)
    classes = verify_model(model or default_model_path()).classes
    crop_set = crop_slices(dataset, cases, split, quiet, classes, gate=not localization)

    from lungcnn.evaluation.evaluate import evaluate_localization, evaluate_model
    from lungcnn.pipeline import Pipeline

    pipeline = Pipeline.load(model)
    if localization:
        from lungcnn.evaluation.reports import localization_tables

        summary = evaluate_localization(pipeline, crop_set, checkpoints, outlines)
        if json_file:
            write_figures_file(json_file, {"localization": summary})
        click.echo(localization_tables(summary))
        return
    with progress_bar(crop_set.slices, desc="comparing with training", unit="slice", quiet=quiet) as bar:
        found = evaluate_model(pipeline, crop_set, leak_guard, progress=lambda _: bar)
    if json_file:
        write_figures_file(json_file, found.to_json())
    if figures:
        from lungcnn.evaluation.plots import write_figures

        for path in write_figures(found.predictions, figures):
            note(str(path), quiet)
    from lungcnn.evaluation.reports import evaluation_report

    click.echo(evaluation_report(found))
