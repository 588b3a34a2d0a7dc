"""`lungcnn train`: make a model."""

from pathlib import Path

import click

from lungcnn.cli.common import QUIET, ends_with_a_sentence, note
from lungcnn.cli.dataset_crops import crop_slices
from lungcnn.cli.progress import progress_bar
from lungcnn.model.tensorflow_start import import_tensorflow


@click.command()
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
@QUIET
@ends_with_a_sentence
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
    crop_set = crop_slices(dataset, cases, "dev", quiet)

    from lungcnn.training_run import Plan, run_training

    import_tensorflow()
    recipe = replace(Recipe(), **({"epochs": epochs} if epochs else {}))
    plan = Plan(folds, tuple(range(seed, seed + seeds)), leaky, baselines, localization, outlines)
    with progress_bar(total=plan.epochs(recipe), desc="training", unit="epoch", quiet=quiet) as bar:

        def on_epoch(loss):
            bar.set_postfix(loss=f"{loss:.3f}")
            bar.update(1)

        path, figures = run_training(crop_set, out, recipe, plan, on_epoch, checkpoints)
    for name, title in (("blocked", "patients not seen"), ("random_leaky", "random folds, LEAKY")):
        if name in figures:
            note(f"{title}: {_headline(figures[name]['slice'])}", quiet)
    click.echo(str(path))


def _headline(figures: dict) -> str:
    shown = ((name.replace("_", " "), figures[name]) for name in ("balanced_accuracy", "auc_malignant", "ece"))
    return ", ".join(f"{name} {f['value']:.3f} ({f['low']:.3f} to {f['high']:.3f})" for name, f in shown)
