"""`lungcnn train`: make a model."""

from pathlib import Path

import click

from lungcnn.cli.common import CLASSES, QUIET, SUSPICIOUS, ends_with_a_sentence, note
from lungcnn.cli.dataset_crops import crop_slices
from lungcnn.model.tensorflow_start import import_tensorflow

# As shells have it for SIGINT.
STOPPED = 130


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the model.")
@click.option("--cases", type=click.Path(dir_okay=False, path_type=Path), help="Case list; default: the built-in one.")
@CLASSES
@SUSPICIOUS
@click.option(
    "--recipe",
    type=click.Path(dir_okay=False, path_type=Path),
    help="JSON file with the recipe's numbers, or a model's card.  [default: the built-in recipe]",
)
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
@click.option(
    "--also",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Also learn from slices of other scanners (slices.csv) and nodules (*nodules*.npz) in this folder.",
)
@click.option(
    "--tensorboard",
    type=click.Path(file_okay=False, path_type=Path),
    help="Also write the losses for TensorBoard.",
)
@click.option("--force", is_flag=True, help="Write even over the model that ships.")
@QUIET
@ends_with_a_sentence
def train(
    dataset,
    out,
    cases,
    classes,
    suspicious,
    recipe,
    epochs,
    seed,
    seeds,
    folds,
    leaky,
    baselines,
    localization,
    outlines,
    checkpoints,
    also,
    tensorboard,
    force,
    quiet,
):
    """Train on DATASET (the IQ-OTH/NCCD folder), calibrate, and write the model and its card.

    Cross-validation runs first and its figures go into the card; the final network then learns from every slice.
    """
    from dataclasses import replace

    from lungcnn.classes import CLASSES as USUAL, parse_classes
    from lungcnn.gate.examine import admit
    from lungcnn.training.additional import Additional, read_additional
    from lungcnn.training.output_folder import check_output_folder
    from lungcnn.training.recipe_file import read_recipe
    from lungcnn.training.train import Recipe

    if folds == 1:
        raise click.UsageError("One fold leaves nothing to train on; give 0, or 2 and more.")
    if (leaky or baselines or localization) and not folds:
        raise click.UsageError("--leaky, --baselines and --localization measure on folds; give --folds as well.")
    named = parse_classes(classes or ",".join(USUAL), suspicious)
    recipe = read_recipe(recipe) if recipe else Recipe()
    recipe = replace(recipe, epochs=epochs) if epochs else recipe
    for folder in (out, checkpoints, tensorboard):
        if folder:
            check_output_folder(folder, force)
    additional = Additional()
    if also:
        if named != USUAL:
            raise click.UsageError(f"What --also brings shows the classes {', '.join(USUAL)}; leave --classes out.")
        note("reading what is learnt from beside the dataset ...", quiet)
        additional = read_additional(also, admit)
        note(additional.describe(), quiet)
    crop_set = crop_slices(dataset, cases, "dev", quiet, named)

    from lungcnn.cli.training_progress import TrainingProgress, stopped
    from lungcnn.training.tensorboard import EventFiles
    from lungcnn.training_run import Plan, run_training

    plan = Plan(folds, tuple(range(seed, seed + seeds)), leaky, baselines, localization, outlines)
    with TrainingProgress(plan.epochs(recipe), quiet) as progress:
        try:
            import_tensorflow()
            events = EventFiles(tensorboard) if tensorboard else None

            def on_epoch(epoch):
                progress(epoch)
                if events:
                    events(epoch)

            path, figures = run_training(crop_set, out, recipe, plan, on_epoch, checkpoints, force, additional)
        except KeyboardInterrupt:
            note(stopped(progress, checkpoints), quiet=False)
            raise click.exceptions.Exit(STOPPED) from None
    for name, title in (("blocked", "patients not seen"), ("random_leaky", "random folds, LEAKY")):
        if name in figures:
            note(f"{title}: {_headline(figures[name])}", quiet)
    click.echo(str(path))


def _headline(summary: dict) -> str:
    suspicious, figures = summary["suspicious"], summary["slice"]
    names = ("balanced_accuracy", *([f"auc_{suspicious}"] if suspicious else []), "ece")
    shown = ((name.replace("_", " "), figures[name]) for name in names)
    return ", ".join(f"{name} {f['value']:.3f} ({f['low']:.3f} to {f['high']:.3f})" for name, f in shown)
