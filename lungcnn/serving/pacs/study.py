"""A study from a PACS, judged, and the results stored beside it: QIDO-RS, WADO-RS and STOW-RS (PS3.18)."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from lungcnn.errors import LungCNNError, Reason, UsageError
from lungcnn.pipeline import Pipeline
from lungcnn.reading.series import Series
from lungcnn.reading.series_reader import read_series
from lungcnn.results.dicom.results import DicomResults
from lungcnn.results.dicom.source import Judged
from lungcnn.results.series_report import SeriesReport
from lungcnn.serving.many_files import UID, look_at
from lungcnn.serving.pacs.connection import PacsError, told_as_pacs

if TYPE_CHECKING:
    from dicomweb_client.api import DICOMwebClient
    from pydicom import Dataset

ALREADY_STORED = Reason(
    "already_stored", "The study holds results of this model on the series already; --again stores them once more."
)
SERIES_DESCRIPTION, SERIES_UID, INSTANCES = "0008103E", "0020000E", "00201209"
OWN_MODALITIES = ("SR", "OT")  # of the results of every kind


@dataclass(frozen=True, eq=False)
class Study:
    """A study in a PACS: its UID, and those of its CT series with the number of instances in each."""

    client: DICOMwebClient
    uid: str
    series: tuple[tuple[str, int], ...]


@dataclass(frozen=True, eq=False)
class PacsSeries:
    """What was made of one series.

    Attributes:
        uid: SeriesInstanceUID. instances: SOPInstanceUID of each slice of `series`.
        objects: how many were made, by kind. stored: whether the PACS has them.
        left_out: why nothing was made or stored, where it wasn't for a dry run.
    """

    uid: str
    series: Series
    instances: tuple[str, ...]
    report: SeriesReport
    objects: dict[str, int]
    stored: bool
    left_out: Reason | None = None

    def to_json(self) -> dict:
        """As plain Python values: the record of `pacs --json`."""
        record = self.report.to_json()
        for one, instance in zip(record["slices"], self.instances, strict=True):
            one["sop_instance_uid"] = instance
        left_out = self.left_out and asdict(self.left_out)
        more = {"objects": self.objects, "stored": self.stored, "left_out": left_out}
        return {"series_instance_uid": self.uid, **record, **more}


def find_study(client: DICOMwebClient, uid: str) -> Study:
    """Look for the CT series of a study.

    Args:
        client: of `connect`. uid: StudyInstanceUID.

    Raises `PacsError` where the PACS can't be reached, refuses, or has no CT series of that study, and `UsageError`
    for what isn't a UID.
    """
    if not UID.fullmatch(uid) or len(uid) > 64:
        raise UsageError("The study must be given by its StudyInstanceUID: digits and points, at most 64.")
    with told_as_pacs("searched"):
        found = client.search_for_series(study_instance_uid=uid, search_filters={"Modality": "CT"})
        series = tuple((one[SERIES_UID]["Value"][0], int(_value(one, INSTANCES, 0))) for one in found)
    if not series:
        raise PacsError("The PACS holds no CT series of that study. Check the study's UID.")
    return Study(client, uid, series)


def run_study(
    study: Study,
    pipeline: Pipeline,
    kinds: tuple[str, ...],
    dry_run: bool = False,
    again: bool = False,
    on_instance: Callable[[], None] = lambda: None,
    **options,
) -> list[PacsSeries]:
    """Fetch the series of a study, judge them, and store the results in the study.

    Args:
        kinds: of `results.dicom.kinds.KINDS`. dry_run: do all but store.
        again: also store results of series that have some by this model already.
        on_instance: called after each instance. options: as `Pipeline.run`.

    Raises `PacsError` where the PACS can't be reached or refuses.
    """
    results, done = DicomResults(kinds), []
    judged = set() if again else _judged_instances(study, pipeline.card.sha256)
    for uid, _ in study.series:
        fetched = _fetch(study, uid, on_instance)
        for series in read_series([file for _, file in fetched]).series if fetched else ():
            report = pipeline.run_series(series)
            looked_at, _ = look_at(pipeline, series, report, **options)
            made, left_out = _made(results, looked_at, report)
            instances = tuple(fetched[int(one.name)][0] for one in series.slices)  # files without names are numbered
            if not judged.isdisjoint(instances):
                left_out = left_out or ALREADY_STORED
            stored = bool(made) and not dry_run and left_out is None
            if stored:
                _store(study, [ds for _, ds in made])
            counts = {kind: sum(name == kind for name, _ in made) for kind in kinds}
            done.append(PacsSeries(uid, series, instances, report, counts, stored, left_out))
    if not done:
        raise PacsError("The study's CT series hold no axial slices that can be read.")
    return done


def _fetch(study: Study, uid: str, on_instance: Callable[[], None]) -> list[tuple[str, bytes]]:
    """SOPInstanceUID and file of each instance of a series."""
    fetched = []
    with told_as_pacs("read"):
        for ds in study.client.iter_series(study.uid, uid):
            fetched.append((str(ds.SOPInstanceUID), _as_file(ds)))
            on_instance()
    return fetched


def _made(
    results: DicomResults, looked_at: list[Judged], report: SeriesReport
) -> tuple[list[tuple[str, Dataset]], Reason | None]:
    """The results of a series, or why there are none."""
    results.notes.clear()
    try:
        made = results.of_series(looked_at, report) if looked_at else []
    except LungCNNError as error:
        return [], Reason(error.code, str(error))
    return made, None if made else next(iter(results.notes), None)


def _judged_instances(study: Study, model_sha256: str) -> set[str]:
    """SOPInstanceUIDs of the slices that the study holds results of a model on."""
    instances: set[str] = set()
    with told_as_pacs("searched"):
        for modality in OWN_MODALITIES:
            for found in study.client.search_for_series(study.uid, search_filters={"Modality": modality}):
                if not str(_value(found, SERIES_DESCRIPTION, "lungcnn")).startswith("lungcnn"):
                    continue  # somebody else's
                for ds in study.client.iter_series(study.uid, found[SERIES_UID]["Value"][0]):
                    makers = [item.get("SoftwareVersions") for item in ds.get("ContributingEquipmentSequence", ())]
                    if any(model_sha256 in (versions or ()) for versions in makers):
                        instances |= {
                            str(one.value) for one in ds.iterall() if one.keyword == "ReferencedSOPInstanceUID"
                        }
    return instances


def _store(study: Study, objects: list[Dataset]) -> None:
    with told_as_pacs("written to"):
        answer = study.client.store_instances(objects, study_instance_uid=study.uid)
        refused = answer.get("FailedSOPSequence") or []  # what was not stored (PS3.18 10.5.3)
    if len(refused):
        reason = refused[0].get("FailureReason")
        raise PacsError(
            f"The PACS refused {len(refused)} of {len(objects)} results"
            + (f" (failure reason {int(reason):#06x})." if reason is not None else ".")
        )


def _as_file(ds: Dataset) -> bytes:
    import pydicom

    stream = io.BytesIO()
    pydicom.dcmwrite(stream, ds, enforce_file_format=True)
    return stream.getvalue()


def _value(series: dict, tag: str, unknown):
    """The value of an element that the PACS may leave out."""
    return (series.get(tag, {}).get("Value") or [unknown])[0]
