"""The crops of a dataset, for the commands that learn from one or measure on one."""

from lungcnn.classes import CLASSES, Classes
from lungcnn.cli.common import note
from lungcnn.cli.progress import progress_bar


def crop_slices(dataset, cases, split: str, quiet: bool, classes: Classes = CLASSES, gate: bool = False):
    """The lung crops of a dataset (with `gate`, of the slices that the product judges), having said what was found."""
    from lungcnn.dataset.crops import crop_dataset
    from lungcnn.dataset.folder import read_dataset
    from lungcnn.gate.examine import admit
    from lungcnn.preprocessing.anatomy import find_anatomy

    found = read_dataset(dataset, cases, split, classes)
    note(found.describe(), quiet)
    with progress_bar(found.slices, desc="cropping", unit="slice", quiet=quiet) as bar:
        crop_set = crop_dataset(found, lambda _: bar, admit if gate else find_anatomy)
    for file, why in crop_set.failed:
        note(f"left out: {file}: {why}", quiet=False)
    return crop_set
