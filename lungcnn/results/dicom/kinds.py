"""The kinds of DICOM results."""

from lungcnn.errors import UsageError

KINDS = {"sc": "Secondary Capture", "sr": "Comprehensive 3D SR", "pm": "Parametric Map"}
# Numbers of the result series; a viewer sorts by them, so they come after a scanner's own.
SERIES_NUMBERS = {"sc": 9901, "sr": 9902, "pm": 9903}


def parse_kinds(text: str) -> tuple[str, ...]:
    """Kinds from a list such as "sc,sr,pm". Raises `UsageError` naming those there are."""
    kinds = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        accepted = ", ".join(f"{kind} ({name})" for kind, name in KINDS.items())
        raise UsageError(f"There is no DICOM result '{', '.join(unknown) or text}'. Accepted: {accepted}.")
    return kinds
