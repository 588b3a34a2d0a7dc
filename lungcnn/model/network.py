"""The CNN: five convolutions with ReLU, four max poolings, flatten, dense layers with dropout, softmax.

Three poolings only lie before the last convolution, so that its map keeps 16 x 16 cells over the
lung crop: a coarser Grad-CAM points nowhere. The fourth pooling is as large as that map, so
a class is called from the one place that speaks most for it. The dense layers have no activation
between them: logits are then linear in what the last convolution found, and an explanation of
them can account for all of it (Draelos and Carin 2020, "Use HiResCAM instead of Grad-CAM").
"""

from lungcnn.classes import CLASSES
from lungcnn.preprocessing.lung_crop import CROP_SIZE

LAST_CONVOLUTION = "conv5"
LOGITS = "logits"
MAP_CELLS = 16
# Brighter greys (25 HU and more) look alike to the network: contrast medium tells the patients apart, not the lungs.
TISSUE_CEILING = 0.85


def build_network(width: int = 24, dropout: float = 0.2, classes: int = len(CLASSES), convolutions: str = "float32"):
    """A new, untrained network.

    Args:
        width: unit of the channels: half of it in the first convolution, 2, 4, 6 and 8 times it in the others.
        dropout: share of the pooled features dropped in training, before each dense layer.
        classes: how many outputs.
        convolutions: Keras dtype policy of the layers up to the last convolution's map; the head is float32.

    Returns:
        `keras.Model`: float32 `[n, 128, 128, 1]` (grey 0 to 1 of lung crops) to probabilities
        `[n, classes]`. The layers "conv5" and "logits" are what explanations attach to.
    """
    from keras import Input, Model, initializers, layers

    inputs = Input((CROP_SIZE, CROP_SIZE, 1), name="lung_crop")
    kind = {"dtype": convolutions}
    x = layers.ReLU(max_value=TISSUE_CEILING, name="tissue_ceiling", **kind)(inputs)
    # The first convolution works on the most pixels, and half the channels do as well there.
    for block, channels in enumerate((width // 2, 2 * width, 4 * width, 6 * width), start=1):
        x = layers.Conv2D(channels, 3, padding="same", activation="relu", name=f"conv{block}", **kind)(x)
        if block <= 3:
            x = layers.MaxPooling2D(2, name=f"pool{block}", **kind)(x)
        # After pooling: a quarter of the work.
        x = layers.BatchNormalization(momentum=0.9, name=f"norm{block}", **kind)(x)
    # No normalisation after the last convolution: its positive map is what the head reads and Grad-CAM shows.
    x = layers.Conv2D(8 * width, 3, padding="same", activation="relu", name=LAST_CONVOLUTION, **kind)(x)
    x = layers.MaxPooling2D(MAP_CELLS, name="pool_map")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(dropout, name="dropout1")(x)
    x = layers.Dense(4 * width, name="embedding")(x)
    x = layers.Dropout(dropout, name="dropout2")(x)
    # Maxima over 256 cells are large; small first weights keep the first logits near zero.
    small = initializers.VarianceScaling(0.02)
    x = layers.Dense(classes, kernel_initializer=small, name=LOGITS)(x)
    return Model(inputs, layers.Softmax(name="probabilities")(x), name="lungcnn")
