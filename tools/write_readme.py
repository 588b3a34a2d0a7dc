"""`python tools/write_readme.py` writes the generated parts of README.md again.

Their figures stand in `models/evaluation.json` and `docs/measurements/`."""

import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from lungcnn.evaluation.reports import localization_tables
from lungcnn.evaluation.sentences import (
    other_scanner_sentence,
    shortcut_sentence,
    split_in_words,
    sure_lesions_sentence,
)
from lungcnn.evaluation.tables import baselines_table, confusion_table, figures_table, markdown_table

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PART = re.compile(r"(<!-- generated: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def figures() -> str:
    evaluation = read("evaluation.json")
    return split_in_words(evaluation, len(evaluation["seeds"])) + "\n\n" + figures_table(evaluation)


def confusion() -> str:
    matrix = read("evaluation.json")["blocked"]["confusion_slice"]
    return "Slices of unseen patients, by the most probable class (first seed):\n\n" + confusion_table(matrix)


def baselines() -> str:
    return baselines_table(read("evaluation.json"))


def shortcut() -> str:
    return shortcut_sentence(read("evaluation.json"))


def sure_lesions() -> str:
    return sure_lesions_sentence(read("evaluation.json")["blocked"])


def other_scanner() -> str:
    return other_scanner_sentence(read("evaluation.json")["other_scanner"])


def localization() -> str:
    return localization_tables(read("evaluation.json")["localization"])


def speed() -> str:
    measured = read("benchmark.json")
    medians, shares = measured["medians_ms"], measured["shares"]
    titles = {"read_dicom": "read the DICOM file", "crop": "find body and lungs, crop", "model": "classify and explain"}
    titles["render"] = "draw the overlay (PNG)"
    rows = [[titles[name], f"{medians[name]:.1f}", f"{shares[name]:.0%}"] for name in titles]
    ratios = measured["ratios"]
    series = ""
    if "series_over_floor" in ratios:
        series = (
            f" A series of 300 slices takes {ratios['series_over_floor']:.2f} times what decoding, cropping and "
            "judging it in batches take one after the other."
        )
    return (
        f"From a 512 x 512 DICOM file to the overlay takes {medians['file_to_overlay']:.0f} ms on one core (median, "
        f"model warm). Probabilities with Grad-CAM and HiResCAM cost {ratios['explain_over_forward']:.1f} times a bare "
        "forward pass of the model as it is saved (here its first two layers run as one), "
        f"the checks {ratios['checks_over_forward']:.0f} times; tf-keras-vis takes "
        f"{ratios['tf_keras_vis_over_explain']:.0f} times as long for one map."
        + series
        + "\n\n"
        + markdown_table(["step", "ms", "share"], rows)
    )


def gate() -> str:
    measured = read("gate.json")
    known, lidc, groups = measured["development"], measured["lidc"], measured["strangers"]
    elsewhere = sum(count for code, count in lidc.items() if code != "ok")
    kinds = {"brain-mri": "brain MRI", "head-ct": "head CT", "photograph": "photographs", "radiograph": "radiographs"}
    some = "; ".join(
        f"{title} {groups[kind].get('refused', 0)} of {sum(groups[kind].values())}" for kind, title in kinds.items()
    )
    share = known["refused"] / known["slices"]
    return (
        f"Of the {known['slices']} development slices {known['refused']} are refused ({share:.1%}; lung on one side "
        f"only). Of LIDC-IDRI-0001 the {lidc['ok']} slices that show both lungs are judged and the {elsewhere} "
        f"others refused. Of {measured['made']} other images {measured['share_right']:.1%} are refused, or corrected "
        f"where that is possible (refused: {some}; the radiographs are projections that we computed). The bounds were "
        "set looking at these very images: expect less on others."
    )


def load() -> str:
    busy, fuzzed = read("load.json"), read("fuzz.json")
    return (
        f"`python tools/load.py` puts {busy['clients']} visitors on it for a minute and compares every answer with "
        f"the known one: {busy['wrong']} of {busy['answers']} were wrong, {len(busy['errors'])} ended in an error, "
        f"95 in 100 came within {busy['p95_s']:.0f} s, at {busy['over_loop']:.2f} times the rate of one process that "
        "does nothing else (two cores). `python tools/fuzz.py` feeds damaged files to the way from file to gate: of "
        f"{fuzzed['inputs']} {fuzzed['wrong']} ended in anything but a slice or a sentence, and none took more than "
        f"{fuzzed['longest_s']:.2f} s."
    )


def archive() -> str:
    measured = read("archive.json")
    ms, rates = measured["core_ms"], measured["per_second"]
    total = sum(ms.values())
    without = total - ms["judge"]
    slices = 100_000_000
    hours = slices * total / 3.6e6
    terabytes = slices * measured["file_kib"] * 1024 / 1e12
    megabytes = measured["file_kib"] * 1.024 / total
    return (
        f"Of one core, an uncompressed 512 x 512 slice takes {ms['read']:.1f} ms to read, {ms['decode']:.1f} ms to "
        f"decode, {ms['crop']:.1f} ms to find the lungs, ask the gate and crop, and {ms['judge']:.1f} ms to judge: "
        f"{1000 / total:.0f} slices a second a core, {1000 / without:.0f} without the model. By the clock, on two "
        f"cores, one and two workers gave {rates['1']['batch']:.0f} and {rates['2']['batch']:.0f} slices a second; "
        f"decoding and cropping alone, {rates['1']['decode']:.0f} and {rates['2']['decode']:.0f} "
        "(`python tools/archive_figures.py`).\n\n"
        f"*A plan for 100 million slices.* That is {hours:.0f} core-hours and {terabytes:.0f} TB to read: 100 cores "
        f"for {hours / 100:.1f} hours, at 0.05 dollars a core-hour {hours * 0.05:.0f} dollars. A core reads "
        f"{megabytes:.0f} MB/s, so run where the object store is."
    )


def publish(figures: dict, target: Path | None) -> None:
    """Print measured figures as JSON, and write them to `target` where there is one."""
    text = json.dumps(figures, indent=1)
    print(text)
    if target:
        target.write_text(text + "\n", encoding="utf-8")


def read(name: str) -> dict:
    folder = "models" if name == "evaluation.json" else "docs/measurements"
    return json.loads((ROOT / folder / name).read_text())


MAKERS = (
    figures,
    confusion,
    sure_lesions,
    other_scanner,
    baselines,
    shortcut,
    localization,
    speed,
    gate,
    load,
    archive,
)


def generated(text: str) -> str:
    """The README's text with every generated part made anew."""
    makers = {maker.__name__: maker for maker in MAKERS}
    return PART.sub(lambda found: f"{found[1]}{makers[found[2]]()}\n{found[4]}", text)


if __name__ == "__main__":
    README.write_text(generated(README.read_text(encoding="utf-8")), encoding="utf-8")
