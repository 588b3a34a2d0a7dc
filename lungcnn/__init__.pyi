"""The public names of `lungcnn`, for editors, type checkers and `lazy_loader` alike."""

from .classes import CLASS_COLOURS as CLASS_COLOURS
from .classes import CLASSES as CLASSES
from .errors import (
    LungCNNError as LungCNNError,
)
from .errors import (
    Reason as Reason,
)
from .errors import (
    RefusalError as RefusalError,
)
from .errors import (
    UnreadableFileError as UnreadableFileError,
)
from .errors import (
    UnsupportedFileError as UnsupportedFileError,
)
from .evaluation.sentences import (
    sanity_sentence as sanity_sentence,
)
from .evaluation.sentences import (
    shortcut_sentence as shortcut_sentence,
)
from .evaluation.sentences import (
    split_in_words as split_in_words,
)
from .evaluation.tables import (
    baselines_table as baselines_table,
)
from .evaluation.tables import (
    confusion_table as confusion_table,
)
from .evaluation.tables import (
    figures_table as figures_table,
)
from .explaining.explanation import Explanation as Explanation
from .explaining.methods import DEFAULT_METHOD as DEFAULT_METHOD
from .explaining.methods import METHODS as METHODS
from .model.card import (
    ModelCard as ModelCard,
)
from .model.card import (
    default_model_path as default_model_path,
)
from .model.card import (
    load_card as load_card,
)
from .model.card import (
    open_keras as open_keras,
)
from .model.card import (
    verify_model as verify_model,
)
from .model.tensorflow_start import import_tensorflow as import_tensorflow
from .phantoms.bundled import BUNDLED as BUNDLED
from .phantoms.bundled import PHANTOMS as PHANTOMS
from .pipeline import Pipeline as Pipeline
from .reading.acquisition import SliceFacts as SliceFacts
from .reading.ct_slice import CTSlice as CTSlice
from .reading.loading import iter_slices as iter_slices
from .reading.loading import load_slice as load_slice
from .reading.series import Reading as Reading
from .reading.series import Series as Series
from .reading.series import SeriesSlice as SeriesSlice
from .reading.series_reader import read_series as read_series
from .results.dicom.files import dicom_files as dicom_files
from .results.export import (
    View as View,
)
from .results.export import (
    export_heatmap as export_heatmap,
)
from .results.export import (
    export_overlay as export_overlay,
)
from .results.export import (
    export_record as export_record,
)
from .results.pdf import export_report as export_report
from .results.rendering import (
    COLOUR_MAPS as COLOUR_MAPS,
)
from .results.rendering import (
    SIGNS as SIGNS,
)
from .results.rendering import (
    colour_table as colour_table,
)
from .results.rendering import (
    encode_png as encode_png,
)
from .results.rendering import (
    render_overlay as render_overlay,
)
from .results.rendering import (
    render_slice as render_slice,
)
from .results.series_report import SeriesReport as SeriesReport
from .results.slice_report import DISCLAIMER as DISCLAIMER
from .results.slice_report import SliceReport as SliceReport
from .serving.real_examples import downloaded_examples as downloaded_examples
from .shipped import shipped_file as shipped_file
from .system import usable_cores as usable_cores
from .windowing import WINDOWS as WINDOWS
from .windowing import Window as Window

__version__: str
