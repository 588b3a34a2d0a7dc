"""The public names of `lungcnn`, for editors, type checkers and `lazy_loader` alike."""

from .classes import CLASSES as CLASSES, Classes as Classes, class_colours as class_colours
from .errors import (
    LungCNNError as LungCNNError,
    Reason as Reason,
    RefusalError as RefusalError,
    UnreadableFileError as UnreadableFileError,
    UnsupportedFileError as UnsupportedFileError,
)
from .evaluation.sentences import (
    beside_in_words as beside_in_words,
    elsewhere_sentence as elsewhere_sentence,
    sanity_sentence as sanity_sentence,
    shortcut_sentence as shortcut_sentence,
    split_in_words as split_in_words,
)
from .evaluation.tables import (
    Table as Table,
    baselines_table as baselines_table,
    calls_table as calls_table,
    confusion_table as confusion_table,
    figures_table as figures_table,
)
from .evaluation.words import (
    BASELINE_TITLES as BASELINE_TITLES,
    FIGURE_WORDS as FIGURE_WORDS,
    Language as Language,
)
from .explaining.explanation import Explanation as Explanation
from .explaining.methods import DEFAULT_METHOD as DEFAULT_METHOD, METHODS as METHODS
from .explaining.sentences import (
    MAP_BETTER as MAP_BETTER,
    MAP_NO_BETTER as MAP_NO_BETTER,
    STRENGTHS as STRENGTHS,
)
from .model.card import (
    IQ_OTH_NCCD as IQ_OTH_NCCD,
    ModelCard as ModelCard,
    default_model_path as default_model_path,
    load_card as load_card,
    open_keras as open_keras,
    verify_model as verify_model,
)
from .model.tensorflow_start import import_tensorflow as import_tensorflow
from .phantoms.bundled import (
    BUNDLED as BUNDLED,
    PHANTOMS as PHANTOMS,
    bundled_phantom as bundled_phantom,
)
from .pipeline import Pipeline as Pipeline
from .reading.acquisition import SliceFacts as SliceFacts
from .reading.ct_slice import CTSlice as CTSlice
from .reading.loading import iter_slices as iter_slices, load_slice as load_slice
from .reading.series import Reading as Reading, Series as Series, SeriesSlice as SeriesSlice
from .reading.series_reader import read_series as read_series
from .results.dicom.files import dicom_files as dicom_files
from .results.export import (
    View as View,
    export_heatmap as export_heatmap,
    export_overlay as export_overlay,
    export_record as export_record,
)
from .results.finding import FINDING_WORDS as FINDING_WORDS, Finding as Finding
from .results.marks import patient_sides as patient_sides
from .results.pdf import export_report as export_report
from .results.png import encode_png as encode_png
from .results.rendering import (
    COLOUR_MAPS as COLOUR_MAPS,
    SIGNS as SIGNS,
    colour_table as colour_table,
    render_overlay as render_overlay,
    render_slice as render_slice,
)
from .results.series_report import SeriesReport as SeriesReport
from .results.slice_report import (
    DISCLAIMER as DISCLAIMER,
    SET_OF_ALL as SET_OF_ALL,
    SET_OF_SOME as SET_OF_SOME,
    SliceReport as SliceReport,
)
from .results.verdict import (
    FLAGGED as FLAGGED,
    UNDECIDED as UNDECIDED,
    VERDICT_REASONS as VERDICT_REASONS,
    VERDICTS as VERDICTS,
    Verdict as Verdict,
    percent as percent,
)
from .serving.real_examples import downloaded_examples as downloaded_examples
from .shipped import shipped_file as shipped_file
from .system import usable_cores as usable_cores
from .windowing import WINDOWS as WINDOWS, Window as Window

__version__: str
