"""`lungcnn adopt`: use a model of one's own."""

from pathlib import Path

import click

from lungcnn.cli.common import QUIET, SUSPICIOUS, ends_with_a_sentence, note
from lungcnn.cli.dataset_crops import crop_slices
from lungcnn.model.tensorflow_start import import_tensorflow


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--classes", required=True, help="What its outputs mean, in order: normal,benign,malignant.")
@SUSPICIOUS
@click.option(
    "--input-range",
    nargs=2,
    type=float,
    default=(0, 1),
    show_default=True,
    help="Grey levels that it expects, of an image of 128 x 128 x 1.",
)
@click.option(
    "--calibrate",
    type=click.Path(path_type=Path),
    help="Calibrate on this folder of slices that the model has not seen.  [default: uncalibrated]",
)
@click.option("--cases", type=click.Path(dir_okay=False, path_type=Path), help="Case list of that folder.")
@click.option(
    "--split", default="all", show_default=True, type=click.Choice(["dev", "test", "all"]), help="Which slices."
)
@click.option("--trained-on", help="In words, the data that it learnt from; shown with its results.")
@click.option("--force", is_flag=True, help="Replace a card that is there.")
@QUIET
@ends_with_a_sentence
def adopt(model, classes, suspicious, input_range, calibrate, cases, split, trained_on, force, quiet):
    """Write the card that MODEL, a Keras model of your own, needs beside it to be used with --model.

    Any Sequential or functional model is accepted that takes lung crops of 128 x 128 x 1 (grey 0 to 1), gives a
    softmax over two or more classes, and has a convolution. Without --calibrate its results say that it is
    uncalibrated, and no prediction set is made. A folder to --calibrate on has a folder for each class.
    """
    from lungcnn.classes import parse_classes
    from lungcnn.model.adopting import adopt_model, check_claims, open_foreign

    if not calibrate and (cases or split != "all"):
        raise click.UsageError("--cases and --split belong to --calibrate.")
    named = parse_classes(classes, suspicious)
    check_claims(model, input_range, force)
    held_out = source = None
    import_tensorflow()
    if calibrate:
        open_foreign(model, named)  # what is wrong with it is told before a folder is cropped
        crop_set = crop_slices(calibrate, cases, split, quiet, named, gate=True)
        held_out = crop_set.crops, crop_set.labels, crop_set.cases
        source = f"{len(crop_set.crops)} slices of {calibrate.name}"
        note("Calibration assumes that the model has not seen these slices, nor others of their patients.", quiet)
    card = adopt_model(model, named, held_out, trained_on, source)
    click.echo(str(card))
