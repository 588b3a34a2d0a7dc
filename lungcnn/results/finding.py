"""`Finding`: a place of a series that speaks for the suspicious class on neighbouring slices."""

from collections.abc import Mapping
from dataclasses import dataclass

# The one place of the English sentences; `words` of another language have the same names and places.
FINDING_WORDS = {
    "slice": "Slice {first}",
    "slices": "Slices {first} to {last}",
    "at": "{where} ({mm} mm)",
    "between": "{where} ({low} to {high} mm)",
    "said": "{name} {share}",
    "above": "{name} {share}, above the operating point",
    "below": "{name} {share}, below the operating point",
    "peak": "strongest on slice {number} at x {x}, y {y}",
    "extent": "{peak}, about {across} x {down} x {along} mm",
    "finding": "{where}: {said}; {place}, {evidence} % of that slice's evidence.",
    "none": "No findings: no place speaks for {name} over neighbouring slices.",
    "one": "1 finding",
    "many": "{count} findings",
    "listed": "{findings}, the most suspicious first.",
    "listed_above": "{findings}, {above} above the operating point, the most suspicious first.",
}


@dataclass(frozen=True)
class Finding:
    """A place of a series that speaks for the suspicious class, usually malignant, on neighbouring slices.

    Attributes:
        slices: indices of its first and last slice, counted from the feet; slices between may be missing or refused.
        position_mm: of those two slices along the series' normal, or None where positions are unknown.
        peak_slice: index of its slice of the highest probability.
        peak_xy: where it is strongest there, in pixels of the slice as stored (pixel centres at half-integers).
        box_xy: left, top, right and bottom of what it covers on that slice, in the same pixels.
        extent_mm: across, down (along the stored slice's rows and columns) and along the series; to about a cell of
            the network's map across and down, to a slice along. None where spacing or positions are unknown.
        malignant: the highest calibrated probability that it keeps over 5 mm of slices or two slices, by this place
            alone: whatever else stands out on a slice is hidden.
        above_operating_point: whether that reaches the model's operating point; None for a model without one.
        evidence_share: its share of what speaks for that class on the peak slice above that slice's background, summed
            over the cells of the map, 0 to 1. class_name: the class.
    """

    slices: tuple[int, int]
    position_mm: tuple[float, float] | None
    peak_slice: int
    peak_xy: tuple[float, float]
    box_xy: tuple[float, float, float, float]
    extent_mm: tuple[float | None, float | None, float | None]
    malignant: float
    above_operating_point: bool | None
    evidence_share: float
    class_name: str = "malignant"

    @property
    def sentence(self) -> str:
        """The finding in words; slices are counted from 1."""
        return self.in_words(FINDING_WORDS, self.class_name)

    def in_words(self, words: Mapping[str, str], name: str) -> str:
        """`sentence` in `words`, those of `FINDING_WORDS`; `name` is what they call the class."""
        first, last = (index + 1 for index in self.slices)
        where = words["slice" if first == last else "slices"].format(first=first, last=last)
        if self.position_mm:
            low, high = (f"{value:.0f}" for value in self.position_mm)
            where = words["at" if low == high else "between"].format(where=where, mm=low, low=low, high=high)
        side = {None: "said", True: "above", False: "below"}[self.above_operating_point]
        x, y = (f"{value:.0f}" for value in self.peak_xy)
        place = words["peak"].format(number=self.peak_slice + 1, x=x, y=y)
        if None not in self.extent_mm:
            across, down, along = (f"{value:.0f}" for value in self.extent_mm)
            place = words["extent"].format(peak=place, across=across, down=down, along=along)
        return words["finding"].format(
            where=where,
            said=words[side].format(name=name, share=f"{self.malignant:.2f}"),
            place=place,
            evidence=f"{100 * self.evidence_share:.0f}",
        )

    def to_json(self) -> dict:
        """As plain Python values: an item of `findings` in the record of a series."""
        return {
            "slices": list(self.slices),
            "position_mm": self.position_mm and list(self.position_mm),
            "peak_slice": self.peak_slice,
            "peak_xy": [round(value, 2) for value in self.peak_xy],
            "extent_mm": [None if value is None else round(value, 1) for value in self.extent_mm],
            self.class_name: round(self.malignant, 6),
            "above_operating_point": self.above_operating_point,
            "evidence_share": round(self.evidence_share, 4),
        }
