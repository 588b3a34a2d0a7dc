import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lungcnn.artefact import Calibration
from lungcnn.classifier import Classifier, calibrate, prediction_set
from lungcnn.errors import ModelStructureError, UsageError
from lungcnn.explaining import METHODS, class_index, explanation_method, grad_cam, hires_cam
from lungcnn.faithfulness import deletion_insertion, lung_fraction
from lungcnn.network import CLASSES, LAST_CONVOLUTION, LOGITS, MAP_CELLS, build_network


@pytest.fixture(scope="module")
def network():
    import keras

    keras.utils.set_random_seed(3)
    network = build_network()
    # Random first weights hardly speak for a class; larger ones give maps worth comparing.
    layer = network.get_layer(LOGITS)
    layer.kernel.assign(np.random.default_rng(0).normal(0, 0.5, layer.kernel.shape))
    return network


@pytest.fixture(scope="module")
def classifier(network):
    return Classifier(network)


@pytest.fixture(scope="module")
def crops(phantom_slice):
    from lungcnn.anatomy import find_anatomy

    crop = find_anatomy(phantom_slice).crop
    return np.stack([crop, crop[:, ::-1], np.clip(crop * 1.1, 0, 1)])


# ---------------------------------------------------------------- the network


def test_network_is_what_the_owner_asked_for(network):
    kinds = [type(layer).__name__ for layer in network.layers]
    assert network.input_shape == (None, 128, 128, 1)
    assert network.output_shape == (None, 3)
    assert kinds.count("Conv2D") == 5
    assert all(layer.activation.__name__ == "relu" for layer in network.layers if type(layer).__name__ == "Conv2D")
    assert {"MaxPooling2D", "Flatten", "Dense", "Dropout"} <= set(kinds)
    assert kinds[-1] == "Softmax"
    assert network.get_layer(LAST_CONVOLUTION).output.shape[1:3] == (16, 16) == (MAP_CELLS, MAP_CELLS)
    assert CLASSES == ("normal", "benign", "malignant")


# ---------------------------------------------------------------- maps


@pytest.mark.parametrize("label", range(3))
def test_grad_cam_agrees_with_tf_keras_vis(network, classifier, crops, label):
    import keras
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.utils.scores import CategoricalScore

    oracle = Gradcam(keras.Model(network.inputs, network.get_layer(LOGITS).output))
    expected = oracle(
        CategoricalScore([label] * len(crops)),
        crops[..., None],
        penultimate_layer=LAST_CONVOLUTION,
        expand_cam=False,
        normalize_cam=False,
    )
    found = classifier(crops, label)
    maps = [grad_cam(a, g) for a, g in zip(found.activations, found.gradients, strict=True)]
    assert np.max(expected) > 0
    np.testing.assert_allclose(maps, expected, atol=1e-6)


def test_hires_cam_agrees_with_tf_keras_vis_layercam(network, classifier, crops):
    import keras
    from tf_keras_vis.layercam import Layercam
    from tf_keras_vis.utils.scores import CategoricalScore

    oracle = Layercam(keras.Model(network.inputs, network.get_layer(LOGITS).output))
    expected = oracle(
        CategoricalScore([2] * len(crops)),
        crops[..., None],
        penultimate_layer=LAST_CONVOLUTION,
        expand_cam=False,
        normalize_cam=False,
        gradient_modifier=None,
    )
    found = classifier(crops, 2)
    maps = [np.maximum(hires_cam(a, g), 0) for a, g in zip(found.activations, found.gradients, strict=True)]
    np.testing.assert_allclose(maps, expected, atol=1e-6)


@pytest.mark.parametrize("label", range(3))
def test_hires_cam_is_complete(network, classifier, crops, label):
    """The sum of the map and the dense layers' bias is the logit, to rounding."""
    embedding, logits = network.get_layer("embedding"), network.get_layer(LOGITS)
    bias = (embedding.bias @ np.asarray(logits.kernel) + np.asarray(logits.bias))[label]
    found = classifier(crops, label)
    sums = [hires_cam(a, g).sum() for a, g in zip(found.activations, found.gradients, strict=True)]
    np.testing.assert_allclose(sums + np.asarray(bias), found.logits[:, label], rtol=1e-4, atol=1e-4)


def test_maps_worked_out_by_hand():
    activations = np.zeros((2, 2, 2), np.float32)
    activations[0, 0] = (2, 0)
    activations[1, 1] = (0, 3)
    gradients = np.zeros_like(activations)
    gradients[..., 0], gradients[..., 1] = 1.0, -1.0
    np.testing.assert_array_equal(grad_cam(activations, gradients), [[2, 0], [0, 0]])
    np.testing.assert_array_equal(hires_cam(activations, gradients), [[2, 0], [0, -3]])
    # A gradient only where nothing is active: Grad-CAM marks the active cell all the same, HiResCAM doesn't.
    gradients[:] = 0
    gradients[0, 1, 0] = 4
    np.testing.assert_array_equal(grad_cam(activations, gradients), [[2, 0], [0, 0]])
    np.testing.assert_array_equal(hires_cam(activations, gradients), np.zeros((2, 2)))


maps = arrays(np.float32, (3, 4, 2), elements=st.floats(0, 8, width=16))


@settings(deadline=None)
@given(maps, maps)
def test_grad_cam_is_never_negative_and_scales(activations, gradients):
    one = grad_cam(activations, gradients)
    assert (one >= 0).all()
    np.testing.assert_allclose(grad_cam(2 * activations, gradients), 2 * one, rtol=1e-5)
    assert not grad_cam(activations, -gradients).any()


def test_names():
    assert [explanation_method(name) for name in METHODS] == [grad_cam, hires_cam]
    assert [class_index(name) for name in CLASSES] == [0, 1, 2]
    with pytest.raises(UsageError, match=r"'cam'. Accepted: grad-cam, hires-cam"):
        explanation_method("cam")
    with pytest.raises(UsageError, match=r"'healthy'. Accepted: normal, benign, malignant"):
        class_index("healthy")


# ---------------------------------------------------------------- the compiled call


def test_logits_and_probabilities_are_the_networks(network, classifier, crops):
    found = classifier(crops)
    np.testing.assert_allclose(found.probabilities, network(crops[..., None], training=False), atol=1e-6)
    assert found.explained.tolist() == found.logits.argmax(axis=1).tolist()


def test_each_crop_of_a_batch_stands_alone(classifier, crops):
    together = classifier(crops, np.array([0, 1, 2]))
    for index, crop in enumerate(crops):
        alone = classifier(crop[None], index)
        np.testing.assert_allclose(alone.gradients[0], together.gradients[index], atol=1e-6)
        np.testing.assert_allclose(alone.logits[0], together.logits[index], atol=1e-4)


def test_one_trace_serves_every_call(classifier, crops):
    before = classifier._call.experimental_get_tracing_count()
    for count, label in ((1, 0), (3, 2), (2, -1)):
        classifier(crops[:count], label)
    assert classifier._call.experimental_get_tracing_count() == before == 1


def test_threads_get_their_own_answers(classifier, crops):
    from concurrent.futures import ThreadPoolExecutor

    expected = [classifier(crop[None], 2).gradients for crop in crops]
    with ThreadPoolExecutor(8) as pool:
        jobs = [(index, pool.submit(classifier, crops[index][None], 2)) for index in [0, 1, 2] * 8]
        for index, job in jobs:
            np.testing.assert_allclose(job.result().gradients, expected[index], atol=1e-6)


def test_models_that_cannot_be_explained():
    import keras

    dense = keras.Sequential([keras.Input((128, 128, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    with pytest.raises(ModelStructureError, match="no convolution"):
        Classifier(dense)
    x = inputs = keras.Input((128, 128, 1))
    x = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(keras.layers.Conv2D(2, 3)(x)))
    with pytest.raises(ModelStructureError, match="ends in Dense"):
        Classifier(keras.Model(inputs, x))


# ---------------------------------------------------------------- calibration and sets


def test_calibrated_probabilities():
    logits = np.log([[0.7, 0.2, 0.1]])
    np.testing.assert_allclose(calibrate(logits, Calibration()), [[0.7, 0.2, 0.1]], rtol=1e-6)
    cooler = calibrate(logits, Calibration(temperature=2.0))
    expected = np.sqrt([0.7, 0.2, 0.1])
    np.testing.assert_allclose(cooler[0], expected / expected.sum(), rtol=1e-6)


def test_prediction_set():
    limits = Calibration(set_thresholds=(0.5, 0.85, 0.3))
    assert prediction_set(np.array([0.2, 0.2, 0.6]), limits) == ("benign", "malignant")
    assert prediction_set(np.array([0.1, 0.1, 0.8]), limits) == ("malignant",)
    assert prediction_set(np.array([0.4, 0.3, 0.3]), limits) == ("normal", "benign")
    assert prediction_set(np.array([0.4, 0.3, 0.3]), Calibration()) is None


# ---------------------------------------------------------------- checks


class OneRegion:
    """Stands in for a classifier: malignant is the mean brightness of the crop's top left quarter."""

    def __call__(self, crops):
        share = crops[:, :64, :64].mean(axis=(1, 2))
        p = np.stack([(1 - share) / 2, (1 - share) / 2, share], axis=1)
        return type("Found", (), {"probabilities": p})


def test_deletion_and_insertion_of_a_map_that_is_right_and_one_that_is_wrong():
    crop, lungs = np.full((128, 128), 0.0, np.float32), np.zeros((128, 128), bool)
    crop[:64, :64], lungs[64:, 64:] = 1.0, True  # hidden cells take the lungs' grey, 0
    right, wrong = np.zeros((16, 16), np.float32), np.zeros((16, 16), np.float32)
    right[:8, :8], wrong[8:, 8:] = 1, 1
    good = deletion_insertion(OneRegion(), crop, lungs, right, 2)
    # The right quarter is gone after two of eight steps: the curve is 1, 0.5, 0, 0, ...
    assert good["deletion_auc"] == pytest.approx((1 + 0.5) / 2 / 8 + 0.5 / 2 / 8)
    assert good["insertion_auc"] == pytest.approx(1 - good["deletion_auc"])
    assert good["better_than_random"] is True
    bad = deletion_insertion(OneRegion(), crop, lungs, wrong, 2)
    assert bad["better_than_random"] is False
    assert deletion_insertion(OneRegion(), crop, lungs, np.zeros((16, 16)), 2) is None


def test_lung_fraction():
    lungs = np.zeros((4, 4), bool)
    lungs[:2] = True
    heat = np.array([[3.0] * 4, [0] * 4, [1] * 4, [-9] * 4])
    assert lung_fraction(heat, lungs) == pytest.approx(0.75)
    assert lung_fraction(np.zeros((4, 4)), lungs) is None
