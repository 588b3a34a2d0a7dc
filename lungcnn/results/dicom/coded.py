"""Codes of our own and of SNOMED CT, and numbers and answers under them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from highdicom.sr import CodedConcept, Measurement, QualitativeEvaluation
    from pydicom.sr.coding import Code

SCHEME = "99LUNGCNN"
_CODE_LETTERS = 16


def code(value: str, meaning: str) -> CodedConcept:
    """A code of ours; CodeValue holds up to 16 characters, CodeMeaning up to 64 (PS3.3 8.1, 8.3)."""
    from highdicom.sr import CodedConcept

    value = value.upper().replace("-", "_").replace(" ", "_")
    if len(value) > _CODE_LETTERS:  # as much as fits, and a digest that tells it from its like
        value = f"{value[:11].rstrip('_')}_{hashlib.sha256(value.encode()).hexdigest()[:4].upper()}"
    return CodedConcept(value, SCHEME, meaning[:64])


def class_code(name: str) -> CodedConcept:
    """SNOMED CT's code of normal, benign and malignant; one of ours for a class of another name."""
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import codes

    if name == "normal":
        return CodedConcept("17621005", "SCT", "Normal")
    known = {"benign": codes.SCT.Benign, "malignant": codes.SCT.Malignant}
    return CodedConcept.from_code(known[name]) if name in known else code(f"CLASS_{name}", name.capitalize())


def number(value_of: str, meaning: str, value: float, in_mm: bool = False) -> Measurement:
    """A number under a code of ours, in mm or without a unit."""
    from highdicom.sr import Measurement
    from pydicom.sr.codedict import codes

    unit = codes.UCUM.Millimeter if in_mm else codes.UCUM.NoUnits
    return Measurement(name=code(value_of, meaning), value=round(float(value), 6), unit=unit)


def answer(value_of: str, question: str, value: CodedConcept | Code) -> QualitativeEvaluation:
    """A coded answer to a question under a code of ours."""
    from highdicom.sr import QualitativeEvaluation

    return QualitativeEvaluation(code(value_of, question), value)


def yes_or_no(value: bool) -> Code:
    """SNOMED CT's code."""
    from pydicom.sr.codedict import codes

    return codes.SCT.Yes if value else codes.SCT.No
