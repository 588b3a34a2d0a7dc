"""`python tools/write_docs.py` writes the generated parts of README.md and docs/ anew.

A part stands between `<!-- generated: NAME -->` and `<!-- end -->`, and is what the function NAME here returns. Figures
come from `models/evaluation.json` and `docs/measurements/`.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from measurements import evaluation, measured

from lungcnn.evaluation.reports import localization_tables
from lungcnn.evaluation.sentences import (
    elsewhere_sentence,
    other_scanner_sentence,
    shortcut_sentence,
    shown_sentence,
    split_in_words,
    sure_lesions_sentence,
    warning_sentence,
)
from lungcnn.evaluation.tables import baselines_table, calls_table, confusion_table, figures_table, markdown_table

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PART = re.compile(r"(<!-- generated: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
# What the README's one table shows; docs/figures.md has all of them.
HEADLINES = (
    "balanced_accuracy",
    "auc_malignant",
    "auc_benign",
    "sensitivity_malignant",
    "specificity_malignant",
    "ece",
)


def headlines() -> str:
    every = evaluation()
    few = {
        split: {by: {name: every[split][by][name] for name in HEADLINES} for by in ("slice", "case")}
        for split in ("blocked", "random_leaky")
    }
    by_slice = few["blocked"]["slice"]
    found, spared = (by_slice[f"{name}_malignant"]["value"] for name in ("sensitivity", "specificity"))
    seen = every["elsewhere"]["home"]["tumour"]
    return (
        f"{figures_table(few).markdown}\n\nAt the operating point {found:.0%} of the malignant slices of unseen "
        f"patients are found, and {1 - spared:.0%} of the other slices are called malignant too. Of the "
        f"{seen['slices']} on which a lesion is surely seen {seen['malignant']['value']:.0%} are called malignant."
        f"\n\n{shown_sentence(every['blocked'])}"
    )


def figures() -> str:
    found = evaluation()
    return split_in_words(found, len(found["seeds"])) + "\n\n" + figures_table(found).markdown


def confusion() -> str:
    found = confusion_table(evaluation()["blocked"]).markdown
    return f"Slices of unseen patients, by the most probable class (first seed):\n\n{found}"


def baselines() -> str:
    return baselines_table(evaluation()).markdown


def shortcut() -> str:
    return shortcut_sentence(evaluation())


def sure_lesions() -> str:
    blocked = evaluation()["blocked"]
    return "\n\n".join(filter(None, [sure_lesions_sentence(blocked), shown_sentence(blocked)]))


def elsewhere() -> str:
    found = evaluation()["elsewhere"]
    return f"{elsewhere_sentence(found)}\n\n{calls_table(found).markdown}"


def other_scanner() -> str:
    return other_scanner_sentence(evaluation()["other_scanner"])


def unlike_training() -> str:
    return warning_sentence(evaluation())


def localization() -> str:
    return localization_tables(evaluation()["localization"])


def speed() -> str:
    found = measured("benchmark")
    medians, shares, ratios = found["medians_ms"], found["shares"], found["ratios"]
    fresh = found["seconds"]
    titles = {"read_dicom": "read the DICOM file", "crop": "find body and lungs, crop", "model": "classify and explain"}
    titles["render"] = "draw the overlay (PNG)"
    rows = [[titles[name], f"{medians[name]:.1f}", f"{shares[name]:.0%}"] for name in titles]
    series = ""
    if "series_over_floor" in ratios:
        series = (
            f" A series of 300 slices takes {ratios['series_over_floor']:.2f} times as long as decoding, cropping and "
            "judging its slices in batches, one step after the other."
        )
    return (
        f"The way from a 512 x 512 DICOM file to the overlay takes {medians['file_to_overlay']:.0f} ms on one core "
        "(median, model loaded). Probabilities with Grad-CAM and HiResCAM cost "
        f"{ratios['explain_over_forward']:.1f} times a bare forward pass, the checks "
        f"{ratios['checks_over_forward']:.0f} times ({medians['checks']:.0f} ms); tf-keras-vis takes "
        f"{ratios['tf_keras_vis_over_explain']:.0f} times as long for one map. The forward pass itself takes "
        f"{ratios['forward_over_tensorflow']:.2f} times TensorFlow's, which multiplies the zeros between the network's "
        "members, too. In a fresh process the overlay of a slice is "
        f"there after {fresh['first_answer_s']:.1f} s: {ratios['first_answer_over_tensorflow']:.2f} times what "
        "importing TensorFlow and opening the model takes, and "
        f"{ratios['memory_over_tensorflow']:.2f} times its memory. The demo's page takes "
        f"{ratios['page_over_bare_gradio']:.1f} times as long as a bare Gradio page"
        f"{_between(found, 'page_over_bare_gradio')}, and its first result "
        f"{fresh['result_after_page_s']:.1f} s more." + series + "\n\n" + markdown_table(["step", "ms", "share"], rows)
    )


def _between(found: dict, ratio: str) -> str:
    """The lowest and the highest of a ratio, where they were measured."""
    low, high = found.get("spread", {}).get(ratio, (None, None))
    return "" if low is None else f" (round by round {low:.1f} to {high:.1f})"


def gate() -> str:
    found = measured("gate")
    known, lidc, groups = found["development"], found["lidc"], found["strangers"]
    judged = lidc.get("ok", 0) + lidc.get("corrected", 0)
    kinds = {"brain-mri": "brain MRI", "head-ct": "head CT", "photograph": "photographs", "radiograph": "radiographs"}
    some = "; ".join(
        f"{title} {groups[kind].get('refused', 0)} of {sum(groups[kind].values())}" for kind, title in kinds.items()
    )
    far = found["features_elsewhere"]
    rows, sums = [], {}
    for collection, by in found["other_scanners"].items():
        cells = []
        for kind in ("chests", "turned", "others"):
            for how in ("left_out", "fit"):
                right, of = by[how][kind]
                cells.append(f"{right} / {of}" if of else "")
                sums[kind, how] = [x + y for x, y in zip(sums.get((kind, how), (0, 0)), (right, of), strict=True)]
        rows.append([collection, *cells])
    rows.append(["**all**", *(f"**{right} / {of}**" for right, of in sums.values())])
    titles = ["chests judged", "prone, turned: judged upright", "other pictures refused"]
    headings = [f"{title}{how}" for title in titles for how in (", left out", ", fit")]
    return (
        f"Of the {known['slices']} development slices {known['refused']} are refused. Of LIDC-IDRI-0001 the {judged} "
        f"slices on which lung is seen are judged and the {sum(lidc.values()) - judged} others refused. Of "
        f"{found['made']} other images {found['share_right']:.1%} are refused, or corrected or told where that is "
        f"possible (refused: {some}; the radiographs are projections that we computed). The bounds were set looking at "
        "these very images, and the gate's two models fitted on them: expect less on others.\n\n"
        "Slices of other scanners, by collection. *Left out*: both models were fitted without that collection "
        "(the bounds beside them were not: they are wide, but were set with all in view). *Fit*: as they ship.\n\n"
        + markdown_table(["collection", *headings], rows)
        + "\n\nFive slices of TCGA-LIHC that are labelled normal are left out of count: stomach and colon hold the air "
        "on them, and they are refused. The one picture that is admitted and labelled as no chest shows the ends of "
        f"both lungs. The network's features refuse {far['refused']} of the {far['slices']} chests, and "
        f"{far['warned']} get the warning that they are unlike the training slices."
    )


def findings() -> str:
    found = measured("findings")
    lidc = found["lidc"]
    rows = []
    for name, one in [("LIDC-0001, whole", {"kind": "tumour", **lidc}), *found["other_scanners"].items()]:
        place = "" if one["kind"] != "tumour" else f"{one['rank']}" if one["rank"] else "not among them"
        highest = "" if one["malignant_false"] is None else f"{one['malignant_false']:.2f}"
        rows.append([name, one["kind"], f"{one['judged']} / {one['slices']}", place, f"{one['false_above']}", highest])
    headings = ["series", "", "judged", "the tumour's place", "others above the operating point", "highest of those"]
    return (
        "`python tools/finding_figures.py ../shared/data`, with the model that ships. The bounds of findings were set "
        "on phantoms and looking at LIDC-0001; the other series are the few slices of a patient that are at hand, "
        "often far apart, which no whole series is like.\n\n" + markdown_table(headings, rows)
    )


def routes() -> str:
    from demo.routes import OPEN

    parts = {"{name}": "NAME", "{inside}": "FILE"}
    rows = []
    for path, methods in OPEN.items():
        for template, word in parts.items():
            path = path.replace(template, word)
        rows.append(f"| `{path}` | {methods.replace(' ', ', ')} |")
    return "\n".join(["| route | methods |", "| --- | --- |", *rows])


def load() -> str:
    busy, fuzzed, beset = measured("load"), measured("fuzz"), measured("hostile")
    alone, among = beset["alone"], beset["among"]
    return (
        f"`python tools/load.py` sends {busy['clients']} visitors at once for a minute and compares every answer with "
        f"the known one: {busy['wrong']} of {busy['answers']} were wrong, {len(busy['errors'])} ended in an error, "
        f"95 in 100 came within {busy['p95_s']:.0f} s, at {busy['over_loop']:.2f} times the rate of a process that "
        "does nothing else (two cores). "
        f"With `--hostile --clients {beset['clients']} --pause {beset['pause_s']:.0f}` they come among clients who "
        f"mean no good: of {among['answers']} answers {among['wrong']} were wrong, {len(among['errors'])} failed, "
        f"half came within {among['median_s']:.1f} s and the last of them after {among['longest_s']:.1f} s "
        f"({alone['median_s']:.1f} and {alone['longest_s']:.1f} s without those clients). "
        "`python tools/fuzz.py` takes damaged files from reading to the gate: "
        f"{fuzzed['wrong']} of {fuzzed['inputs']} ended in anything other than a slice or a sentence, and none took "
        f"more than {fuzzed['longest_s']:.2f} s."
    )


def archive() -> str:
    found = measured("archive")
    ms, rates = found["core_ms"], found["per_second"]
    total = sum(ms.values())
    without = total - ms["judge"]
    slices = 100_000_000
    hours = slices * total / 3.6e6
    terabytes = slices * found["file_kib"] * 1024 / 1e12
    megabytes = found["file_kib"] * 1.024 / total
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


def generated(text: str) -> str:
    """A page's text with every generated part made anew."""
    return PART.sub(lambda found: f"{found[1]}{globals()[found[2]]()}\n{found[4]}", text)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(generated(page.read_text(encoding="utf-8")), encoding="utf-8")
