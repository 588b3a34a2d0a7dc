"""Does the heatmap point at the lesion? Pointing game and share of the map inside known lesions."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lungcnn.anatomy import CROP_SIZE, Anatomy
from lungcnn.dataset import CropSet
from lungcnn.errors import DatasetError, LungCNNError
from lungcnn.explaining import DEFAULT_METHOD, METHODS, Explainer
from lungcnn.faithfulness import deletion_insertion
from lungcnn.gate import admit
from lungcnn.lesions import boxes_mask, insert_lesion
from lungcnn.loading import CTSlice, load_slice
from lungcnn.metrics import RESAMPLES
from lungcnn.network import CLASSES

MALIGNANT = CLASSES.index("malignant")
# Score-CAM and occlusion take seconds a slice.
COMPARED = ("grad-cam", "hires-cam", "grad-cam++", "layer-cam")
TITLES = {
    "boxes": "Real lesions of development slices (boxes drawn by eye, surely seen), out of fold",
    "second_look": "The same on the malignant slices that the first list leaves out (a second look)",
    "inserted": "Lesions drawn into development slices (10 mm and more), out of fold",
    "phantoms": "Phantoms with a lesion",
    "outlines": "Slices with readers' outlines",
}
# A lung crop spans some 300 mm, so that 10 mm are about 4 of its pixels.
SMALLEST_INSERTED = 4


@dataclass(frozen=True, eq=False)
class Target:
    """A crop with a lesion whose place is known.

    Attributes:
        crop: float32 `[128, 128]`. lungs, lesion: bool of the same shape. case: whose it is. kind: of `TITLES`.
    """

    kind: str
    case: str
    crop: np.ndarray
    lungs: np.ndarray
    lesion: np.ndarray


@dataclass(frozen=True)
class Finding:
    """What the maps of one target did.

    Attributes:
        called: the network calls it malignant. chance: the lesion's share of the lungs' area.
        hit: by method, whether the peak cell touches the lesion. inside: by method, share of the positive map in it.
        better_than_random: of the default method, by deletion and insertion.
    """

    kind: str
    case: str
    called: bool
    chance: float
    hit: dict[str, bool]
    inside: dict[str, float]
    better_than_random: bool


def dataset_targets(crop_set: CropSet, seed: int = 0) -> list[Target]:
    """Malignant slices with a lesion surely seen, and other slices with one lesion drawn into each."""
    rng = np.random.default_rng(seed)
    targets = []
    known = {"boxes": crop_set.boxes, "second_look": crop_set.second_look}
    for index, (item, crop, lungs) in enumerate(zip(crop_set.slices, crop_set.crops, crop_set.lungs, strict=True)):
        if item.label == MALIGNANT:
            for kind, found in known.items():
                if found[index] is not None and found[index][1].any():
                    lesion = boxes_mask(found[index][0], CROP_SIZE) > 0
                    targets.append(Target(kind, item.case, crop, lungs, lesion))
            continue
        drawn, alpha = insert_lesion(crop, lungs, rng)
        lesion = alpha > 0.5
        if lesion.any() and np.sqrt(lesion.sum() * 4 / np.pi) >= SMALLEST_INSERTED:
            targets.append(Target("inserted", item.case, drawn, lungs, lesion))
    return targets


def phantom_targets() -> list[Target]:
    """The bundled phantoms that have a lesion."""
    from lungcnn.phantom import PHANTOMS, draw

    found = []
    for name, spec in PHANTOMS.items():
        if spec.lesion is not None:
            phantom = draw(name)
            anatomy = admit(CTSlice(phantom.hu, phantom.spacing))
            found.append(_target("phantoms", name, anatomy, phantom.lesion_mask))
    return found


def outline_targets(folder: Path) -> list[Target]:
    """Slices of a DICOM series with the LIDC readers' outlines in an XML file beside them.

    A pixel belongs to the nodule where at least two readers put it. Slices that the gate refuses are left out.

    Raises `DatasetError` where the folder holds no outlines of its slices.
    """
    outlined = _series(folder, every=False)
    return [_target("outlines", folder.name, anatomy, lesion) for anatomy, lesion in outlined if lesion.any()]


def series_calls(classifier, folder: Path) -> dict:
    """How often a network calls slices of another scanner malignant: through the outlined nodule, and away from it.

    Args:
        classifier: `Classifier`. folder: as `outline_targets`.

    Returns:
        `{"through": {"slices", "called"}, "away": {...}}`; slices that the gate refuses don't count.
    """
    counts = {"through": {"slices": 0, "called": 0}, "away": {"slices": 0, "called": 0}}
    for anatomy, lesion in _series(folder, every=True):
        entry = counts["through" if lesion.any() else "away"]
        entry["slices"] += 1
        entry["called"] += int(classifier(anatomy.crop[None]).probabilities[0].argmax() == MALIGNANT)
    return counts


def _series(folder: Path, every: bool) -> Iterator[tuple[Anatomy, np.ndarray]]:
    """Anatomy and nodule mask (bool, of the slice's shape) of the admitted slices: all, or those with outlines."""
    votes, outlined = _outlines(folder), False
    for path in sorted(folder.glob("*.dcm")):
        curves = votes.get(_instance(path), ())
        if not curves and not every:
            continue
        ct_slice = load_slice(path)
        readers = np.zeros(ct_slice.hu.shape, np.uint8)
        for curve in curves:
            one = np.zeros_like(readers)
            cv2.fillPoly(one, [curve], 1)
            readers += one
        outlined |= bool((readers >= 2).any())
        try:
            yield admit(ct_slice), readers >= 2
        except LungCNNError:
            continue
    if not outlined:
        raise DatasetError(f"The folder {folder} holds no DICOM slices with LIDC readers' outlines (XML).")


def _outlines(folder: Path) -> dict[str, list[np.ndarray]]:
    from xml.etree import ElementTree

    space = "{http://www.nih.gov}"
    votes: dict[str, list[np.ndarray]] = {}
    for path in folder.glob("*.xml"):
        try:
            root = ElementTree.parse(path).getroot()  # noqa: S314 - expat itself limits the expansion of entities
        except ElementTree.ParseError:
            raise DatasetError(f"The file {path.name} is not XML, or is cut short.") from None
        for region in root.iter(f"{space}roi"):
            points = [
                (int(edge.findtext(f"{space}xCoord")), int(edge.findtext(f"{space}yCoord")))
                for edge in region.iter(f"{space}edgeMap")
            ]
            if len(points) > 2:
                name = region.findtext(f"{space}imageSOP_UID").strip()
                votes.setdefault(name, []).append(np.array(points, np.int32))
    return votes


def _instance(path: Path) -> str:
    import pydicom

    return str(pydicom.dcmread(path, specific_tags=["SOPInstanceUID"], stop_before_pixels=True).SOPInstanceUID)


def _target(kind: str, case: str, anatomy: Anatomy, lesion: np.ndarray) -> Target:
    cut = anatomy.box.cut(lesion.astype(np.float32), fill=0.0)
    small = cv2.resize(cut, (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_AREA)
    # A nodule smaller than a pixel of the crop still has its place.
    return Target(kind, case, anatomy.crop, anatomy.crop_lungs, small >= min(0.5, small.max()))


def locate(
    explainer: Explainer, targets: Iterable[Target], methods: Sequence[str] = COMPARED, threshold: float | None = None
) -> list[Finding]:
    """Explain "malignant" on each target by each method, and compare with where the lesion is.

    Args:
        threshold: malignant probability from which a target counts as called; None: the most probable class decides.
    """
    findings = []
    for target in targets:
        found = explainer.classifier(target.crop[None])
        p = found.probabilities[0]
        called = p.argmax() == MALIGNANT if threshold is None else p[MALIGNANT] >= threshold
        maps = {name: explainer.maps(name, target.crop, found)[MALIGNANT] for name in methods}
        default = maps[DEFAULT_METHOD]
        checked = default.max() > 0 and deletion_insertion(
            explainer.classifier, target.crop, target.lungs, default, MALIGNANT
        )
        findings.append(
            Finding(
                kind=target.kind,
                case=target.case,
                called=bool(called),
                chance=float((target.lesion & target.lungs).sum() / max(1, target.lungs.sum())),
                hit={name: _hits(cells, target.lesion) for name, cells in maps.items()},
                inside={name: _inside(cells, target.lesion) for name, cells in maps.items()},
                better_than_random=bool(checked and checked.areas["better_than_random"]),
            )
        )
    return findings


def _hits(cells: np.ndarray, lesion: np.ndarray) -> bool:
    """Whether the map's highest cell touches the lesion; a map without positive cells hits nothing."""
    if cells.max() <= 0:
        return False
    row, column = np.unravel_index(np.argmax(cells), cells.shape)
    height, width = (full / part for full, part in zip(lesion.shape, cells.shape, strict=True))
    rows = slice(int(row * height), int(np.ceil((row + 1) * height)))
    columns = slice(int(column * width), int(np.ceil((column + 1) * width)))
    return bool(lesion[rows, columns].any())


def _inside(cells: np.ndarray, lesion: np.ndarray) -> float:
    heat = np.maximum(cv2.resize(cells, lesion.shape[::-1], interpolation=cv2.INTER_LINEAR), 0)
    return float(heat[lesion].sum() / max(float(heat.sum()), 1e-12))


def summarise_findings(findings: Sequence[Finding], resamples: int = RESAMPLES) -> dict:
    """By kind: figures over the targets that the network calls malignant, with 95 % intervals over cases.

    Returns:
        `{kind: {"slices", "called", "chance", "better_than_random", "methods": {name: {"hit", "inside"}}}}`, each
        figure as `{"value", "low", "high"}`; `chance` is the lesion's mean share of the lungs.
    """
    summary = {}
    for kind in TITLES:
        every = [finding for finding in findings if finding.kind == kind]
        called = [finding for finding in every if finding.called]
        if not every:
            continue
        summary[kind] = {"slices": len(every), "called": len(called)}
        if not called:
            continue
        cases = np.array([finding.case for finding in called])

        def figure(values, cases=cases):
            return mean_by_case(np.array(values, float), cases, resamples)

        summary[kind] |= {
            "chance": figure([finding.chance for finding in called]),
            "better_than_random": figure([finding.better_than_random for finding in called]),
            "methods": {
                name: {
                    "hit": figure([finding.hit[name] for finding in called]),
                    "inside": figure([finding.inside[name] for finding in called]),
                }
                for name in called[0].hit
            },
        }
    return summary


def mean_by_case(values: np.ndarray, cases: np.ndarray, resamples: int = RESAMPLES) -> dict[str, float]:
    """The mean of values `[n]` as `{"value", "low", "high"}`: percentile bootstrap over cases; a point for one case."""
    from scipy.stats import bootstrap

    names, which = np.unique(cases, return_inverse=True)
    sums, counts = np.bincount(which, values), np.bincount(which)
    value = low = high = float(values.mean())
    if len(names) > 1:

        def mean(drawn_sums, drawn_counts, axis=-1):
            return drawn_sums.sum(axis=axis) / drawn_counts.sum(axis=axis)

        rng = np.random.default_rng(0)
        interval = bootstrap(
            (sums, counts), mean, paired=True, vectorized=True, n_resamples=resamples, method="percentile", rng=rng
        ).confidence_interval
        low, high = float(interval.low), float(interval.high)
    return {"value": round(value, 4), "low": round(low, 4), "high": round(high, 4)}


def method_titles(summary: dict) -> list[tuple[str, str]]:
    """Name and title of the methods in a summary, in the order of `METHODS`."""
    named = {name for entry in summary.values() for name in entry.get("methods", ())}
    return [(name, method.title) for name, method in METHODS.items() if name in named]
