"""Every text of the page, in one place: in English, each with its key in the catalogue (`say.Text`)."""

import lungcnn

from .reason_texts import ASIDE as ASIDE, REASONS as REASONS
from .say import keyed

DISCLAIMER = lungcnn.DISCLAIMER
MACHINE_MADE = "Other languages than English are translated by machine; the English text holds."
TITLE = "Lung-CT slice classifier"
SUBTITLE = "One chest-CT slice in; class probabilities out, and the place the network looked at."
PREVIEW_ALT = "A synthetic slice of the chest with a mass in the right lung"
NOTICE = "De-identified images only. Uploads are read into memory and deleted at once."
NOTICE_DICOM = (
    "Uploads are kept in memory while they are shown, never on disk: DICOM results carry the patient they name."
)
WARMING = (
    "The server is warming up: the model loads, once. A slice dropped now is shown at once, and judged as soon as the "
    "model is there."
)
UPLOAD = "Slice, series or zip"
EXAMPLES = "Or try a synthetic phantom (drawn by software, not a patient)"
EXAMPLES_REAL = "Or try a synthetic phantom (drawn by software), or a real slice of LIDC-IDRI (TCIA, CC BY 3.0)"

# ---------------------------------------------------------------- viewer

VIEWER_LABEL = "Viewer"
STAGE_LABEL = "Slice and heatmap"
EMPTY_VIEW = "No slice yet. Drop a DICOM file, a picture, several files or a zip above, or click one of the phantoms."
MODE_LABEL = "Layout"
MODES = {"overlay": "Overlay", "side": "Side by side", "swipe": "Swipe"}
SWIPE_LABEL = "Border between slice and overlay"
HEATMAP, HEATMAP_HINT = "Heatmap", "Show or hide the heatmap (space bar)"
SIGNED = "Evidence against"
SIGNED_HINT = "Also show, in blue, what speaks against the class; what speaks for it is orange then"
CONTOUR, CONTOUR_HINT = "Contour", "Outline where the map exceeds half of its maximum, and leave the colours out"
OPACITY = "Opacity"
COLOURS = "Colours"
COLOUR_MAPS = {
    "inferno": "Inferno",
    "viridis": "Viridis",
    "magma": "Magma",
    "cividis": "Cividis",
    "jet": "Jet (shows steps that aren't there)",
}
WINDOW = "Window"
WINDOWS = {"lung": "Lung", "dataset": "Dataset", "mediastinum": "Mediastinum", "bone": "Bone", "file": "From file"}
CENTRE, WIDTH = "Window centre, HU", "Window width, HU"
UNCALIBRATED = "A picture's grey levels are not calibrated: its window is fixed."
GRID, GRID_HINT = "Grid", "The cells of the explained layer: how coarse the map is"
OUTLINE, OUTLINE_HINT = "Drawn", "Outline the lesion that was drawn on this phantom"
PEAK, PEAK_HINT = "Peak", "Mark the strongest cell of the map"
ZOOM_IN, ZOOM_OUT, FIT = "Zoom in", "Zoom out", "Fit"
HELP = "Keys"
TOOL_LABEL = "What dragging on the picture does"
TOOLS = {"move": "Move", "window": "Window", "ruler": "Ruler"}
INVERT, INVERT_HINT = "Invert", "White for black, here and in what is taken away (I)"
RESET, RESET_HINT = "Reset", "Window, zoom and ruler as at first (R)"
CINE = "Play the series as a film, and stop it (C)"
CLASSES_LABEL = "The maps of the three classes, on one scale"
KEYS_STACK = (
    "Wheel, ↑ ↓ or one finger: slices, down towards the feet. Page ↑ ↓: ten slices. Home, End: first and last. C: film."
)
KEYS = (
    "Space: heatmap. Right button or Shift and drag: window. + − 0: zoom, as the wheel with Ctrl or two fingers; drag "
    "or arrows move the enlarged picture. I: invert. R: reset. Esc: ruler away."
)
# Filled in by the browser.
VIEWER = {
    "caption": "Evidence for {name} · {method}",
    "caption_signed": "Evidence for and against {name} · {method}",
    "signed": SIGNED_HINT,
    "unsigned": "{method} shows only what speaks for a class. What speaks against it: choose HiResCAM or Occlusion.",
    "cells_mm": "{rows} × {columns} cells of {height} × {width} mm",
    "cells": "{rows} × {columns} cells, size in mm unknown",
    "peak": "Peak {value} {unit} at x {x}, y {y}",
    "no_peak": "Nothing on this slice speaks for {name}",
    "contour": "Outline at {value} {unit}, half of the peak",
    "window": "C {centre}  W {width} HU",
    "hu": "x {x}  y {y}   {value} HU",
    "hu_estimated": "x {x}  y {y}   about {value} HU",
    "evidence": "   {value} {unit}",
    "mm": "{length} mm",
    "pixels": "{length} pixels (size in mm unknown)",
    "place": "{number} / {count}",
    "place_mm": ", z {mm} mm",
    "class_peak": "peak {value} {unit}",
    "class_none": "nothing speaks for it",
    "gone": "This series is no longer on the server, which keeps nothing for long. Drop it again.",
    "alt_slice": "The slice, without a heatmap",
    "alt_heat": "The slice with the heatmap of the evidence for {name}; strongest at x {x}, y {y}",
    "alt_signed": "; what speaks against it is shown, too",
    "alt_no_peak": "The slice; nothing on it speaks for {name}",
}

# ---------------------------------------------------------------- what the model says

SAYS = "What the model says"
EMPTY_RESULT = "Class probabilities, and what speaks for and against them, will appear here."
CLASS_NAMES = {name: name for name in lungcnn.CLASSES}
VERDICTS, VERDICT_REASONS = lungcnn.VERDICTS, lungcnn.VERDICT_REASONS
SET_OF_ALL, SET_OF_SOME = lungcnn.SET_OF_ALL, lungcnn.SET_OF_SOME
OR, AND, WITH_SHARE = "{one} or {other}", "{one} and {other}", "{name} ({share})"
PREDICTION = "Most probable class:"
EXPLAIN_CLASS = "Show the evidence for"
THE_PREDICTED = "the most probable class"
METHOD = "Method"
EXACTLY = "Exactly (in English)"
DRAWN = "Drawn here:"
RIGHT, NEITHER = "The model is right.", "The model doesn't decide."
WRONG_ALARM = "The model is wrong: nothing of a malignant form was drawn."
WRONG_MISS = "The model is wrong: what was drawn is of a malignant form."
WRONG_REFUSAL = "Refusing it is wrong."
RIGHT_REFUSAL = "Refusing it is right."
PEAK_ON = "The strongest evidence for {name} lies on it."
PEAK_OFF = "The strongest evidence for {name} lies elsewhere."
REFUSED = "This image was not judged"
ERROR = "The file could not be read"
GONE = "This is no longer here"
FAILED_TITLE = "Something went wrong here"
FAILED = "It is not your file's fault. Try again; if it happens again, tell the people who run this demo."

STEPS = {
    "read": "Reading the file",
    "model": "Loading the model (only once)",
    "judge": "Finding the lungs and judging the slice",
    "series": "Judging the slices",
    "check": "Checking the heatmap",
}
WORKING = "Working"
IN_LINE, AHEAD = "In line", "Others are at work. Ahead of you in the line: {count}."
CANCEL, CANCELLED = "Cancel", "Cancelled"
CANCELLED_HINT = "What was under way has been stopped, and nothing of it is kept."
CLEAR, CLEAR_HINT = "Clear", "Take slice and result off the page"

# ---------------------------------------------------------------- can I trust it

TRUST = "Can I trust it?"
WHAT = "What is this?"
NUMBERS = "The numbers"
WHAT_OF = "What is this? {title}"
MARKS = {"good": "speaks for it", "caution": "take care", "info": "to know", "none": "not known"}

GATE_TITLE = "The image"
GATE_OK = "Accepted: an axial chest-CT slice."
GATE_REMARKS = "Accepted, with remarks:"
GATE_WHAT = (
    "Before the network is asked, the file's facts and the picture are checked: is this an axial chest CT, with a "
    "body and two lungs of plausible density? What fails gets a reason and no probability, because a network "
    "answers any picture with a number. Source: the rules are in lungcnn/gate, with the ranges measured on the "
    "training slices."
)

TRAINING_TITLE = "Like the training slices?"
TRAINING_OK = "Its features lie among those of the training slices."
TRAINING_WHAT = (
    "The network turns a slice into features, and their distance to those of the training slices is measured. "
    "Where it is larger than on nearly all training slices, the network has not seen such a picture and its "
    "probabilities mean little. Source: Mahalanobis distance to class means (Lee 2018)."
)

CONFIDENCE_TITLE = "At this confidence"
CONFIDENCE = (
    "Where the most probable class got {low} to {high} %, it was the true one on {right} of {slices} slices "
    "of patients the "
    "model had not seen (95 % interval {least} to {most})."
)
CONFIDENCE_FEW = (
    "Only {slices} slices of unseen patients got {low} to {high} %: too few to say how often such a call is right "
    "({least} to {most})."
)
CONFIDENCE_NONE = "How often the model is right at this confidence was not measured."
CONFIDENCE_WHAT = (
    "Slices of patients that the network was not trained on were sorted by the probability of the called class, "
    "and in each range the right calls were counted. What counts is what a slice shows: one of a malignant case on "
    "which nothing is seen counts as normal. A probability can be believed as a share only if that count "
    "comes near it. The tick asks for 30 slices and for an interval that begins at 80 %. Slices of one "
    "patient are alike, so "
    "the intervals are rather too narrow. Source: out-of-fold predictions in training; reliability after Guo 2017."
)

OPERATING_TITLE = "The operating point"
OPERATING_AT = "The operating point, {threshold}"
OPERATING = "It lies at {threshold}."
OPERATING_FIGURES = (
    "It lies at {threshold}: {sensitivity} of the {name} slices of unseen patients on which that is seen are above it, "
    "and {alarms} of the others, too."
)
OPERATING_NONE = "No operating point was chosen for this model."
OPERATING_WHAT = (
    "A threshold on the probability of the suspicious class turns it into yes or no. It was set where nine of ten of "
    "its slices of unseen patients, at home and elsewhere, on which it is seen lie above it. Source: the model's card, "
    "out-of-fold predictions; it was chosen on the same slices as its figures, which flatters them a little."
)

HEATMAP_TITLE = "The heatmap"
HEATMAP_PENDING = "Being checked …"
HEATMAP_NOTHING = "Nothing on this slice speaks for {name}: there is no heatmap to show."
MAP_BETTER, MAP_NO_BETTER = lungcnn.MAP_BETTER, lungcnn.MAP_NO_BETTER
MAP_OUTSIDE = "Evidence outside the lungs is no evidence of disease in them."
STRENGTHS = lungcnn.STRENGTHS
STRENGTH_UNKNOWN = "How strong the evidence is isn't known for this method and model."
HEATMAP_WHAT = (
    "What the map marks is hidden and uncovered step by step, and the fall and rise of the class's probability "
    "are compared with the same for random places. A map that does no better than random does not show what the "
    "network used; one that does still says nothing about disease. The tick asks for more than that: half of "
    "the map in the lungs, and "
    "more evidence than on most training slices of other classes. Source: deletion and insertion, Petsiuk 2018; "
    "completeness, Draelos and Carin 2020."
)
CHECK_ROWS = {
    "peak": "Largest cell of the map",
    "hidden": "Probability of the class, with what is marked hidden",
    "deletion": "Deletion: area as marked cells are hidden (random order)",
    "insertion": "Insertion: area as they are uncovered (random order)",
    "where": "In the lungs / rest of the body / outside",
    "residual": "Logit not accounted for by HiResCAM",
    "stability": "Rank correlation with shifted, noisy copies",
    "agreement": "Rank correlation of Grad-CAM and HiResCAM",
}
NOT_KNOWN = "not measured"

# ---------------------------------------------------------------- series

SERIES_TITLE = "Series of {count} slices"
LIST_TITLE = "{count} pictures, each judged by itself"
WHICH_SLICE = "Slice {number} of {count}"
SLICE = "Slice (from the feet to the head)"
WHICH_SERIES = "Series in the upload, the longest first"
ONE_SERIES = "{number}: {count} slices{spacing}"
SPACING = ", {mm} mm apart"
LOOK_FIRST = "Look first at slice (probability of {name})"
PROFILE_LABEL = "Probabilities of the classes along the series; the slice slider gives each slice's numbers"
FEET, HEAD = "feet", "head"
THRESHOLD_LEGEND = "dotted line: the operating point for {name}"
ALL_SLICES = "All slices"
FINDING_WORDS = lungcnn.FINDING_WORDS
MORE_FINDINGS = "{count} more"
TABLE_HEAD = ("Slice", "mm", "Verdict")
FOLDED = "{first} to {last}"
FINDING_SPAN = "Finding {number}: slices {first} to {last}"
TABLE_REMARKS = "Remarks"
NOT_JUDGED, NOT_READ = "not judged", "not readable"
SET_ASIDE = "{count} file(s) belong to no series and were set aside: {reason}"
NO_SERIES = "None of the {count} files holds a slice to judge: {reason}"
GAPS = "Slices are missing: a gap of {mm} mm after slice {number}; gaps in all: {count}."
OF = "{done} of {count}"

# ---------------------------------------------------------------- take away

TAKE = "Take away"
EXPORTS = {
    "overlay": "Overlay (PNG)",
    "report": "Report (PDF)",
    "record": "Result (JSON)",
    "heatmap": "Heatmap (NumPy)",
}
NOTHING_TO_TAKE = "There is nothing to take away: no slice is shown, or it is no longer here. Open it again."
TAKE_HINT = "Drawn as the viewer shows it; without file name, header or anything else that names the upload."

DICOM = "DICOM results (zip)"
DICOM_HINT = (
    "Overlay, structured report and heatmap of this slice. These files carry the name and identifiers of the upload's "
    "patient: they belong in the same study, not on a public page."
)
DICOM_PICTURE = "No DICOM results: a picture names no patient and no study that they could be filed under."
DICOM_FAILED = "No DICOM results could be made. Exactly, in English: {reason}"
DICOM_NO_MAP = (
    "The zip is without the heatmap: the file doesn't state position, orientation, spacing, thickness and frame of "
    "reference, by which a Parametric Map is placed."
)

# ---------------------------------------------------------------- about

ABOUT_TITLE = "About this model"
ABOUT_INTRO = (
    "The network sees a crop of 128 × 128 pixels around the lungs, grey under the window centre −500, width "
    "1500 HU; everything outside the body is taken away. {trained} The heatmap marks the cells of the last convolution "
    "that raise the score of a class. It says what the network used, not where disease is."
)
ABOUT_TRAINED = "It was trained on {dataset}."
ABOUT_TRAINED_LABELS = (
    "It was trained on {dataset}. Labels there belong to the patient, not to the slice: many slices of patients with "
    "cancer show none."
)
ABOUT_TRAINED_UNKNOWN = "What it was trained on is not known."
IQ_OTH_NCCD = lungcnn.IQ_OTH_NCCD
FIGURE_WORDS, BASELINES = lungcnn.FIGURE_WORDS, lungcnn.BASELINE_TITLES
ABOUT_SPLIT = "How the figures were measured"
ABOUT_WHY = (
    "Slices of one patient look alike. If some of them are in training and others in testing, a network that "
    "recognises the patient scores near 99 % without having learnt anything about disease; most published figures "
    "on this dataset are of that kind. Here, all slices of a case stand on one side."
)
ABOUT_FIGURES = "Figures"
ABOUT_BESIDE = "Beside it, the model learnt from:"
ABOUT_ELSEWHERE = "At home and elsewhere"
ABOUT_CONFUSION = "Slices of unseen patients: true class and called class"
ABOUT_BASELINES = "Simpler models on the same folds"
ABOUT_SANITY = "Sanity of the heatmaps"
ABOUT_LIMITS = "Limits"
LIMITS = (
    "Labels belong to the patient, not to the slice: a slice that shows nothing can't be told by looking.",
    "Benign and normal can hardly be told apart on one slice. Believe a call of benign least.",
    "On other scanners the network calls too much malignant: wide hila, bowel beside the liver, domes of the "
    "diaphragm; and pneumonia, which was seen in one patient.",
    "15 benign cases are few: see the intervals.",
)
LIMITS_OF_ANY_MODEL = (
    "A heatmap is not a segmentation: its cells are several millimetres wide.",
    "Nothing here was validated for clinical use.",
)
ABOUT_CITE = "Cite"
PLOT_ROC = "ROC on unseen patients, each class against the rest"
PLOT_RELIABILITY = "Right calls by confidence; numbers of slices above the bars"
ROC_LABEL = "ROC curves of the classes on slices of unseen patients"
ROC_AXES = ("1 − specificity", "sensitivity")
RELIABILITY_LABEL = "Share of right calls against the probability of the called class"
RELIABILITY_AXES = ("probability of the called class", "share that is right")

# ---------------------------------------------------------------- when something fails

UPLOAD_TOO_LARGE = (
    "A file is larger than {limit} MiB, the most that is accepted (a zip of 700 slices fits). Send fewer slices at a "
    "time, or judge them on the command line: python -m lungcnn predict FOLDER --series."
)
DROPPED = (
    "What you had open is no longer here: others needed the room, it was left for long, or the demo was started again. "
    "Open it again."
)
UPLOAD_GONE = "The upload is no longer here: uploads are used once and kept for minutes only. Send the file again."
WORKER_DIED = (
    "The process that runs the model stopped in the middle of this slice, several times, and is being started again. "
    "Try again in half a minute."
)
WORKER_DEADLY = (
    "What you sent made the process that reads and judges it stop, twice: it is not tried again. Export the slice "
    "anew, for instance uncompressed."
)
WORKER_SLOW = "The slice took longer than {seconds} seconds and was given up. Try another export of it."
WORKER_GONE = (
    "Nothing can be judged at the moment: the model can't be loaded on this machine. It is tried again every minute; "
    "come back later, or tell the people who run this demo."
)

# ---------------------------------------------------------------- when a request is not answered

UNTRUSTED_HOST = (
    "The demo is not known by this name. Use the address that it printed when it started; whoever runs it can add a "
    "name with --trust-host."
)
NO_SUCH_PAGE = "There is nothing here."
BODY_TOO_LARGE = "This request is too large. Files go through the upload."
NO_LINKS = "Files are accepted as uploads only, not as links to elsewhere."
LINE_FULL = "Queue is full. Max size is {most} and size is {now}. Try again in a minute."
TOO_MUCH = "You have {count} things under way, the most that one visitor may have. Wait for some of them."
TOO_MANY_TRIES = "Too many people are trying to log in. Wait a minute, then try again."
UPLOAD_FORM = "Uploads are sent as multipart/form-data, in fields named files."
BUSY = "Too much is being fetched at once. Try again in a second."
UPLOADS_FULL = "Too many uploads are waiting. Try again in a minute."
NO_UPLOAD = "A file is named by what its upload was answered with, not by a path."
BAD_CALL = "This is not a call that the demo knows. See docs/serving.md for its API."
TOO_SLOW = "The request came in too slowly and was given up. Send it again."
FOREIGN_ORIGIN = (
    "A page of another site can't use the demo. Whoever runs it can name that site's host with --trust-host."
)

# What Gradio says by itself; `toasts.js` knows it by these words.
TOASTS = {
    "error": "Error",
    "warning": "Warning",
    "info": "Info",
    "close": "Close",
    "lost": "Connection Lost",
    "reconnecting": "Connection to the server was lost. Attempting reconnection...",
    "errored": "Connection errored out.",
    "busy": "This application is currently busy. Please try again.",
    "too_large": "File(s) exceed the maximum allowed size of {limit}: {names}",
}
# What Gradio has no Arabic for, by its own keys.
OF_GRADIO = {"common.upload": "Upload", "common.complete": "Complete"}
UPLOAD_TOO_LARGE_HERE = (
    "More than {limit} in one file is not accepted: {names}. A zip of 700 slices fits. Send fewer slices at a time, or "
    "judge them on the command line: python -m lungcnn predict FOLDER --series."
)

# All of the above reach visitors: their keys follow from their names, and a test holds every language to them.
globals().update({name: keyed(name.lower(), value) for name, value in tuple(globals().items()) if name.isupper()})

# ---------------------------------------------------------------- console and programs, in English alone

PUBLIC_LINK = "Public link: {link} (for de-identified images only)"
NO_PUBLIC_LINK = "No public link could be made (no internet?); going on here."
SHARE_NEEDS_AUTH = (
    "--share lets strangers in: give --auth-file (or --auth) so that only those you tell the password can, "
    "or --public if anyone who has the link may."
)
DICOM_NOT_PUBLIC = (
    "--dicom-results offers files that name the patient of an upload; a public link (--share, --public, or a Space) is "
    "for de-identified images only. Leave one of them out."
)
NO_SCRATCH = (
    "The temporary folder can't be written ({reason}). Make room there, or name another in the environment variable "
    "TMPDIR."
)
CANT_START = "The demo can't start ({reason}). Is the disk full, or the temporary folder not writable?"
