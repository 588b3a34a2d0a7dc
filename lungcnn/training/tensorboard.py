"""The losses as event files, which TensorBoard shows; TensorFlow writes them without having it installed."""

import re
from pathlib import Path
from typing import Any

from lungcnn.training.history import Epoch


class EventFiles:
    """Takes each epoch, and writes its losses into a folder of its network's, inside `folder`."""

    def __init__(self, folder: Path):
        self._folder, self._writers = folder, dict[str, Any]()

    def __call__(self, epoch: Epoch) -> None:
        """Take one epoch; its number is the step."""
        import tensorflow as tf

        name = re.sub(r"\W+", "-", epoch.network)
        if name not in self._writers:
            self._writers[name] = tf.summary.create_file_writer(str(self._folder / name))
        found = {"loss": epoch.loss, "validation_loss": epoch.validation_loss}
        # `tf.summary.scalar` asks for TensorBoard; this is what it would write.
        kind = tf.compat.v1.SummaryMetadata(plugin_data={"plugin_name": "scalars"}, data_class=1)
        with self._writers[name].as_default():
            for tag, value in found.items():
                if value is not None and value == value:  # checkpoints of version 0.1 have no losses
                    tf.summary.write(tag, tf.constant(value, tf.float32), epoch.number, kind)
        self._writers[name].flush()
