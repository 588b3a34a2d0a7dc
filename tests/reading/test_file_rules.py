import pytest

from lungcnn.reading.acquisition import SliceFacts
from lungcnn.reading.file_rules import RULES, no_slice_of_a_series, ruled_out

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("facts", "code", "of_its_series"),
    [
        ({"image_type": ("ORIGINAL", "PRIMARY", "AXIAL"), "orientation": AXIAL}, None, True),
        ({"image_type": ("DERIVED", "SECONDARY", "REFORMATTED"), "orientation": AXIAL}, None, True),
        ({"image_type": ("DERIVED", "SECONDARY", "MPR"), "orientation": AXIAL}, None, True),
        ({"image_type": ("DERIVED", "SECONDARY", "MPR"), "orientation": (1, 0, 0, 0, 0, -1)}, "not_axial", False),
        ({"image_type": ("DERIVED", "SECONDARY", "MIP"), "orientation": AXIAL}, "projection", False),
        ({"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER")}, "localizer", False),
        ({"image_type": ("DERIVED", "SECONDARY", "SCREEN SAVE")}, "secondary_capture", False),
        ({"sop_class": "Secondary Capture Image"}, "secondary_capture", False),
        ({"body_part": "ABDOMEN", "orientation": AXIAL}, None, True),  # the picture decides
        ({"burned_in": True}, "burned_in", True),
        ({"orientation": (-1, 0, 0, 0, -1, 0)}, None, True),  # prone: turned before it is judged
        ({"orientation": (1, 0, 0, 0, 0.874620, -0.484810)}, None, True),  # tilted by 29 degrees
        ({"orientation": (1, 0, 0, 0, 0.857167, -0.515038)}, "not_axial", False),  # by 31
    ],
)
def test_each_rule_holds_for_a_slice_as_for_a_series(facts, code, of_its_series):
    facts = SliceFacts(**facts)
    alone, in_series = ruled_out(facts), no_slice_of_a_series(facts)
    assert (alone.code if alone else None) == code
    assert (in_series is None) == of_its_series
    assert in_series is None or in_series == alone


def test_rules_have_codes_of_their_own():
    assert len({rule.code for rule in RULES}) == len(RULES)
