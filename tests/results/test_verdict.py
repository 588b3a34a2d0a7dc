import dataclasses

import pytest
from hypothesis import given, strategies as st

from lungcnn.classes import CLASSES
from lungcnn.results.slice_report import SliceReport
from lungcnn.results.verdict import FLAGGED, NOT_FLAGGED, UNDECIDED, VERDICT_REASONS, VERDICTS, apart, verdict_of

SETS = st.none() | st.sets(st.sampled_from(CLASSES), min_size=1).map(
    lambda held: tuple(sorted(held, key=CLASSES.index))
)


def verdict(shares, held, threshold):
    return verdict_of(dict(zip(CLASSES, shares, strict=True)), held, threshold, "malignant")


@pytest.mark.parametrize(
    ("shares", "held", "threshold", "call", "sentence"),
    [
        ((0.1, 0.1, 0.8), ("malignant",), 0.16, FLAGGED, "malignant 80 % lies above the operating point of 16 %."),
        ((0.5, 0.23, 0.27), ("normal", "malignant"), 0.16, FLAGGED, "though normal is possible, too."),
        ((0.4, 0.35, 0.25), CLASSES, 0.16, UNDECIDED, "above the operating point of 16 %, but every class"),
        ((0.6, 0.3, 0.1), ("normal",), 0.16, NOT_FLAGGED, "malignant 10 % lies below the operating point of 16 %."),
        ((0.6, 0.3, 0.1), ("normal", "malignant"), 0.16, UNDECIDED, "below the operating point of 16 %, but it is in"),
        ((0.6, 0.2, 0.2), ("normal",), 0.16, UNDECIDED, "but the prediction set leaves it out."),
        ((0.6, 0.3, 0.1), None, 0.16, NOT_FLAGGED, "malignant 10 % lies below"),
        ((0.6, 0.3, 0.1), None, None, UNDECIDED, "never calibrated"),
        ((0.6, 0.3, 0.1), ("normal",), None, NOT_FLAGGED, "is not in the prediction set."),
    ],
)
def test_one_sentence_from_all_three(shares, held, threshold, call, sentence):
    found = verdict(shares, held, threshold)
    assert found.call == call
    assert found.sentence.startswith(f"{VERDICTS[call]}: malignant ")
    assert sentence in found.sentence
    assert found.to_json() == {
        "call": call,
        "why": found.why,
        "sentence": found.sentence,
        "operating_point": threshold,
    }


@given(st.floats(0, 1), st.floats(0, 1), SETS, st.none() | st.floats(0, 1))
def test_what_lies_above_the_operating_point_is_never_said_to_be_clear(malignant, split, held, threshold):
    shares = ((1 - malignant) * split, (1 - malignant) * (1 - split), malignant)
    found = verdict(shares, held, threshold)
    assert found.why in VERDICT_REASONS
    if threshold is not None:
        assert (found.call == NOT_FLAGGED) <= (malignant < threshold)
        assert (found.call == FLAGGED) <= (malignant >= threshold)
    if held is not None and len(held) == len(CLASSES):
        assert found.call == UNDECIDED


def test_percentages_show_which_is_larger():
    assert apart(0.1601, 0.1572) == ("16.0 %", "15.7 %")
    assert apart(0.004, 0.16) == ("< 1 %", "16 %")
    assert apart(0.4, None) == ("40 %", "")


def test_the_set_does_not_read_as_if_others_were_excluded():
    report = SliceReport("ok", probabilities={"normal": 0.27, "benign": 0.26, "malignant": 0.47})
    alone = dataclasses.replace(report, prediction_set=("malignant",))
    assert alone.set_in_words == (
        "In the prediction set: malignant. Outside it, but not excluded: normal (27 %) and benign (26 %)."
    )
    assert "abstains" in dataclasses.replace(report, prediction_set=CLASSES).set_in_words
    assert report.set_in_words is None
