"""Every text of the page, in one place."""

TITLE = "Lung-CT slice classifier"
SUBTITLE = "One chest-CT slice in; class probabilities out, and the place the network looked at."
NOTICE = "De-identified images only. Uploads are read into memory and deleted at once."
UPLOAD = "Chest-CT slice (DICOM or picture)"
EXAMPLES = "Or try a synthetic phantom (drawn by software, not a patient)"
EXPLAIN_CLASS = "Evidence for"
PREDICTED = "predicted class"
METHOD = "Method"

EMPTY_VIEW = "No slice yet. Drop a file above, or click one of the phantoms."
EMPTY_RESULT = "The result will appear here."
SLICE = "Slice"
OVERLAY = "Evidence for <b>{name}</b>, {method}"
SLICE_ALT = "The slice under a lung window"
OVERLAY_ALT = "The slice with a heatmap of the evidence for {name} over it"
NO_OVERLAY = "No heatmap: the slice was not judged."
BAR_LOW, BAR_HIGH = "little", "most, of any class"
CELL = "The map has {rows} x {columns} cells of {height:.0f} x {width:.0f} mm: it points to a region, not to an edge."
CELL_UNKNOWN = "The map has {rows} x {columns} cells over the lungs: it points to a region, not to an edge."

PREDICTION = "Predicted class"
PROBABILITIES = "Probabilities"
SET = "Can't be ruled out: {names}."
SET_ALL = "None of the three classes can be ruled out: on this slice the model abstains."
CHECK = "Can the heatmap be believed?"
NUMBERS = "The numbers"
CHECK_ROWS = {
    "deletion": "Deletion: area as marked cells are hidden (random order)",
    "insertion": "Insertion: area as they are uncovered (random order)",
    "where": "In the lungs / rest of the body / outside",
    "residual": "Logit not accounted for by HiResCAM",
    "stability": "Rank correlation with shifted, noisy copies",
    "agreement": "Rank correlation of Grad-CAM and HiResCAM",
}
NOT_KNOWN = "not measured"
NOTHING = "Nothing on this slice speaks for {name}: there is no heatmap to show."
NOTES = "Notes"
REFUSED = "This image was not judged"
ERROR = "The file could not be read"
FAILED = (
    "Something went wrong here, not with your file. Try again; if it happens again, tell the people who run this demo."
)

WAIT_MODEL = "Loading the model (only once)"
WAIT_READ = "Reading the file"
WAIT_JUDGE = "Judging and checking the slice"

SANITY = "Sanity of the heatmaps."
ABOUT_TITLE = "How to read this, and what it can't tell"
ABOUT = """
The network sees a crop of 128 x 128 pixels around the lungs, grey under the window centre -500, width 1500 HU;
everything outside the body is taken away. It was trained on the IQ-OTH/NCCD lung cancer dataset (Baghdad, 2019),
whose labels belong to the patient, not to the slice: many slices of patients with cancer show none.

The heatmap (Grad-CAM, Selvaraju 2017) marks the cells of the last convolution that raise the score of the class.
It says what the network used, not where disease is. The check hides and uncovers what is marked, and compares with
random places (deletion and insertion, Petsiuk 2018).

**Limits.** Normal and benign can hardly be told apart on one slice. On scanners unlike those
of the dataset the network calls too much malignant. Nothing here was validated for clinical use.
"""

# ---------------------------------------------------------------- serving

PUBLIC_LINK = "Public link: {link} (for de-identified images only)"
NO_PUBLIC_LINK = "No public link could be made (no internet?); going on here."
SHARE_NEEDS_AUTH = (
    "--share lets strangers in: give --auth-file (or --auth) so that only those you tell the password can, "
    "or --public if anyone who has the link may."
)
NO_SCRATCH = (
    "The temporary folder can't be written ({reason}). Make room there, or name another in the environment variable "
    "TMPDIR."
)
CANT_START = "The demo can't start ({reason}). Is the disk full, or the temporary folder not writable?"
UNTRUSTED_HOST = (
    "The demo is not known by this name. Use the address that it printed when it started; whoever runs it can add a "
    "name with --trust-host."
)
NO_SUCH_PAGE = "There is nothing here."
BODY_TOO_LARGE = "This request is too large. Files go through the upload."
NO_LINKS = "Files are accepted as uploads only, not as links to elsewhere."
TOO_MANY_TRIES = "Too many people are trying to log in. Wait a minute, then try again."
UPLOAD_FORM = "Uploads are sent as multipart/form-data, in fields named files."
UPLOAD_TOO_LARGE = "A file is larger than {limit} MiB, the most that is accepted. Send one slice, or fewer at a time."
UPLOADS_FULL = "Too many uploads are waiting. Try again in a minute."
UPLOAD_GONE = "The upload is no longer here: uploads are used once and kept for minutes only. Send the file again."
DISK_FULL = "The machine that runs this demo has no room left on its disk. Tell the people who run it."
WORKER_DIED = (
    "The process that runs the model stopped in the middle of this slice and is being started again. Try again in half "
    "a minute; if it stops on the same file again, that file is the reason."
)
WORKER_SLOW = "The slice took longer than {seconds} seconds and was given up. Try another export of it."
WORKER_GONE = "The model can't be kept running on this machine (out of memory?). Tell the people who run this demo."
