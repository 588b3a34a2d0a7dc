"""A connection to a PACS over DICOMweb, and its faults in sentences.

Who may enter is read from the environment, never from the command line, where other users could see it:
`LUNGCNN_PACS_TOKEN` (a bearer token), or `LUNGCNN_PACS_USER` and `LUNGCNN_PACS_PASSWORD`.
"""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lungcnn.errors import LungCNNError, UsageError, told_as

if TYPE_CHECKING:
    from dicomweb_client.api import DICOMwebClient
    from requests import Session

CONNECT_S, READ_S = 10.0, 120.0
ATTEMPTS, WAIT_MS = 4, 500
# OpenSSL's X509_V_ERR_*: not valid yet or any more; another host name or address.
_TIMES, _HOSTS = (9, 10), (62, 64)


class PacsError(LungCNNError):
    """The PACS can't be reached, refuses, or doesn't hold what was asked for."""

    code = "pacs"


def connect(
    url: str, ca: Path | None = None, attempts: int = ATTEMPTS, timeout: tuple[float, float] = (CONNECT_S, READ_S)
) -> DICOMwebClient:
    """A client for a DICOMweb root such as https://pacs.example/dicom-web.

    Args:
        ca: certificates (PEM) of the authorities to trust; None for the usual ones, or REQUESTS_CA_BUNDLE's.
        timeout: seconds to connect, and to wait for data.

    Raises `UsageError` for what isn't a web address, for a file without certificates, or for half of a user's name and
    password in the environment.
    """
    from dicomweb_client.api import DICOMwebClient

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{url} is no DICOMweb address. Accepted: https://HOST/PATH, such as https://pacs/dicom-web.")
    if parts.username or parts.password:
        raise UsageError("Give user and password as LUNGCNN_PACS_USER and LUNGCNN_PACS_PASSWORD, not in the address.")
    # The client's own log repeats addresses, which hold UIDs.
    logging.getLogger("dicomweb_client").setLevel(logging.CRITICAL)
    client = DICOMwebClient(url.rstrip("/"), session=_session(ca), timeout=timeout)
    client.set_http_retry_params(max_attempts=attempts, wait_exponential_multiplier=WAIT_MS)
    return client


def _session(ca: Path | None) -> Session:
    """A session that shows who we are, and trusts `ca`."""
    from requests import Session

    class OurSession(Session):
        def merge_environment_settings(self, url, proxies, stream, verify, cert):
            # Session.verify would give way to REQUESTS_CA_BUNDLE.
            return super().merge_environment_settings(url, proxies, stream, str(ca) if ca else verify, cert)

    if ca is not None:
        _check_certificates(ca)
    session = OurSession()
    token, user, password = (os.environ.get(f"LUNGCNN_PACS_{name}") for name in ("TOKEN", "USER", "PASSWORD"))
    if token:
        session.auth = _bearer(token)  # not a header, whose place a .netrc would take
    elif user and password:
        session.auth = (user, password)
    elif user or password:
        raise UsageError("Set both LUNGCNN_PACS_USER and LUNGCNN_PACS_PASSWORD, or neither.")
    return session


def _bearer(token: str):
    def show(request):
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return show


def _check_certificates(ca: Path) -> None:
    try:
        ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError):
        raise UsageError(f"{ca} holds no certificates that can be read. Give a file in PEM form.") from None


@contextmanager
def told_as_pacs(what: str) -> Iterator[None]:
    """Raise `PacsError` for what a PACS does wrong while it is `what`: "searched", "read" ..."""
    import requests
    from retrying import RetryError

    strange = f"The PACS could not be {what}: what it answered is not DICOMweb. Check the address."
    try:
        yield
    except requests.exceptions.JSONDecodeError:
        raise PacsError(strange) from None
    except requests.exceptions.HTTPError as error:
        raise _http_error(error.response.status_code if error.response is not None else 0, what) from None
    except requests.exceptions.SSLError as error:
        raise PacsError(f"The PACS could not be {what}: {_certificate_fault(error)}") from None
    except requests.exceptions.Timeout:
        raise PacsError(f"The PACS could not be {what}: it did not answer in time.") from None
    except requests.exceptions.ConnectionError:
        raise PacsError(
            f"The PACS could not be {what}: there was no connection to it. Check host, port, and http or https in the "
            "address, and whether it runs."
        ) from None
    except requests.exceptions.RequestException as error:
        raise PacsError(f"The PACS could not be {what} ({type(error).__name__}). Check the address.") from None
    except RetryError:
        raise PacsError(f"The PACS could not be {what}: it was too busy on each of {ATTEMPTS} attempts.") from None
    except Exception as error:
        with told_as(PacsError, strange):
            raise error from None


def _certificate_fault(error: BaseException) -> str:
    """What is wrong with a certificate, and what helps."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = getattr(cause, "reason", None) or next((one for one in cause.args if isinstance(one, Exception)), None)
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return "it doesn't answer by TLS. Check the port in the address, and whether it takes https."
    # OpenSSL's words: "certificate has expired", "Hostname mismatch, ...", "self-signed certificate in chain".
    fault = f"its certificate was not accepted ({cause.verify_message.rstrip('.')})."
    if cause.verify_code in _TIMES:
        return f"{fault} It must be renewed, or this machine's clock is wrong."
    if cause.verify_code in _HOSTS:
        return f"{fault} Give the host in the address by a name that the certificate states."
    return f"{fault} Name the certificate of the authority that signed it with --ca FILE."


def _http_error(status: int, what: str) -> PacsError:
    if status in (401, 403):
        hint = "Set LUNGCNN_PACS_TOKEN, or LUNGCNN_PACS_USER and LUNGCNN_PACS_PASSWORD, to those of an account."
        return PacsError(f"The PACS does not let us in (HTTP {status}). {hint}")
    if status == 404:
        return PacsError("The PACS has nothing there (HTTP 404). Check the address and the study's UID.")
    return PacsError(f"The PACS could not be {what}: it answered HTTP {status}.")
