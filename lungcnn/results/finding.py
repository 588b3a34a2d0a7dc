"""`Finding`: a place of a series that speaks for the suspicious class on neighbouring slices."""

from dataclasses import dataclass


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
        first, last = (index + 1 for index in self.slices)
        where = f"Slice {first}" if first == last else f"Slices {first} to {last}"
        if self.position_mm:
            low, high = self.position_mm
            where += f" ({low:.0f} mm)" if low == high else f" ({low:.0f} to {high:.0f} mm)"
        said = f"{self.class_name} {self.malignant:.2f}"
        if self.above_operating_point is not None:
            said += ", above the operating point" if self.above_operating_point else ", below the operating point"
        place = "strongest on slice {} at x {:.0f}, y {:.0f}".format(self.peak_slice + 1, *self.peak_xy)
        if None not in self.extent_mm:
            place += ", about {:.0f} x {:.0f} x {:.0f} mm".format(*self.extent_mm)
        return f"{where}: {said}; {place}, {100 * self.evidence_share:.0f} % of that slice's evidence."

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
