"""A study from a PACS, judged, and the results stored beside it: QIDO-RS, WADO-RS and STOW-RS (PS3.18).

Who may enter is read from the environment, never from the command line, where other users could see it:
`LUNGCNN_PACS_TOKEN` (a bearer token), or `LUNGCNN_PACS_USER` and `LUNGCNN_PACS_PASSWORD`.
"""

import io
import logging
import os
import re
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from lungcnn.errors import LungCNNError, UsageError
from lungcnn.pipeline import Pipeline
from lungcnn.reading.series import Series
from lungcnn.reading.series_reader import read_series
from lungcnn.results.dicom.results import DicomResults
from lungcnn.results.series_report import SeriesReport
from lungcnn.serving.many_files import look_at

CONNECT_S, READ_S = 10.0, 120.0
ATTEMPTS, WAIT_MS = 4, 500
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


class PacsError(LungCNNError):
    """The PACS can't be reached, refuses, or doesn't hold what was asked for."""

    code = "pacs"


@dataclass(frozen=True, eq=False)
class PacsSeries:
    """What was made of one series: its report, and the objects stored (or, in a dry run, not stored) by kind."""

    series: Series
    report: SeriesReport
    objects: dict[str, int]
    stored: bool


def connect(url: str, attempts: int = ATTEMPTS, timeout: tuple[float, float] = (CONNECT_S, READ_S)):
    """A client for a DICOMweb root such as https://pacs.example/dicom-web.

    Raises `UsageError` for what isn't a web address, or for half of a user's name and password in the environment.
    """
    from dicomweb_client.api import DICOMwebClient
    from requests import Session

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{url} is no DICOMweb address. Accepted: https://HOST/PATH, such as https://pacs/dicom-web.")
    if parts.username or parts.password:
        raise UsageError("Give user and password as LUNGCNN_PACS_USER and LUNGCNN_PACS_PASSWORD, not in the address.")
    # The client's own log repeats addresses, which hold UIDs.
    logging.getLogger("dicomweb_client").setLevel(logging.CRITICAL)
    session = Session()
    token, user, password = (os.environ.get(f"LUNGCNN_PACS_{name}") for name in ("TOKEN", "USER", "PASSWORD"))
    if token:
        session.headers["Authorization"] = f"Bearer {token}"
        session.trust_env = False  # a .netrc would take the token's place
    elif bool(user) != bool(password):
        raise UsageError("Set both LUNGCNN_PACS_USER and LUNGCNN_PACS_PASSWORD, or neither.")
    elif user:
        session.auth = (user, password)
    client = DICOMwebClient(url.rstrip("/"), session=session, timeout=timeout)
    client.set_http_retry_params(max_attempts=attempts, wait_exponential_multiplier=WAIT_MS)
    return client


def run_study(
    client,
    study: str,
    pipeline: Pipeline,
    kinds: tuple[str, ...],
    dry_run: bool = False,
    on_start: Callable[[int], None] = lambda instances: None,
    on_instance: Callable[[], None] = lambda: None,
    **options,
) -> list[PacsSeries]:
    """Fetch the CT series of a study, judge them, and store the results in the study.

    Args:
        client: of `connect`. study: StudyInstanceUID. kinds: of `results.dicom.kinds.KINDS`.
        dry_run: do all but store. on_start: called with the number of instances to fetch; on_instance: after each.
        options: as `Pipeline.run`.

    Raises `PacsError` where the PACS can't be reached, refuses, or has no CT images of that study.
    """
    if not _UID.fullmatch(study) or len(study) > 64:
        raise UsageError("The study must be given by its StudyInstanceUID: digits and points, at most 64.")
    with _errors_for_people("searched"):
        found = client.search_for_series(study_instance_uid=study, search_filters={"Modality": "CT"})
    wanted = [(_value(one, "0020000E"), int(_value(one, "00201209") or 0)) for one in found]
    if not wanted:
        raise PacsError("The PACS holds no CT series of that study. Check the study's UID.")
    on_start(sum(count for _, count in wanted))
    results, done = DicomResults(kinds), []
    for uid, _ in wanted:
        files = []
        with _errors_for_people("read"):
            for ds in client.iter_series(study, uid):
                files.append(_as_file(ds))
                on_instance()
        if not files:
            continue
        for series in read_series(files).series:
            report = pipeline.run_series(series)
            looked_at, _ = look_at(pipeline, series, report, **options)
            made = results.of_series(looked_at, report) if looked_at else []
            if made and not dry_run:
                _store(client, study, [ds for _, ds in made])
            counts = {kind: sum(name == kind for name, _ in made) for kind in kinds}
            done.append(PacsSeries(series, report, counts, bool(made) and not dry_run))
    if not done:
        raise PacsError("The study's CT series hold no axial slices that can be read.")
    return done


def _store(client, study: str, objects: list) -> None:
    with _errors_for_people("written to"):
        answer = client.store_instances(objects, study_instance_uid=study)
    # PS3.18 10.5.3: what was not stored stands in FailedSOPSequence.
    refused = answer.get("FailedSOPSequence") or []
    if len(refused):
        reason = refused[0].get("FailureReason")
        raise PacsError(
            f"The PACS refused {len(refused)} of {len(objects)} results"
            + (f" (failure reason {int(reason):#06x})." if reason is not None else ".")
        )


def _as_file(ds) -> bytes:
    import pydicom

    stream = io.BytesIO()
    pydicom.dcmwrite(stream, ds, enforce_file_format=True)
    return stream.getvalue()


def _value(record: dict, tag: str):
    values = record.get(tag, {}).get("Value") or [None]
    return values[0]


@contextmanager
def _errors_for_people(what: str):
    import requests
    from retrying import RetryError

    try:
        yield
    except requests.exceptions.HTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in (401, 403):
            hint = "Set LUNGCNN_PACS_TOKEN, or LUNGCNN_PACS_USER and LUNGCNN_PACS_PASSWORD, to those of an account."
            raise PacsError(f"The PACS does not let us in (HTTP {status}). {hint}") from None
        if status == 404:
            raise PacsError("The PACS has nothing there (HTTP 404). Check the address and the study's UID.") from None
        raise PacsError(f"The PACS could not be {what}: it answered HTTP {status}.") from None
    except requests.exceptions.Timeout:
        raise PacsError(f"The PACS could not be {what}: it did not answer in time.") from None
    except requests.exceptions.RequestException as error:
        raise PacsError(f"The PACS could not be {what} ({type(error).__name__}). Check the address.") from None
    except RetryError:
        raise PacsError(f"The PACS could not be {what}: it was too busy on each of {ATTEMPTS} attempts.") from None
