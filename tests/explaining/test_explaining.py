import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from lungcnn.classes import CLASSES, class_index
from lungcnn.errors import ModelStructureError, UsageError
from lungcnn.explaining.cam import grad_cam, hires_cam
from lungcnn.explaining.explainer import Explainer
from lungcnn.explaining.faithfulness import RANDOM_ORDERS, _orders, check_explanation, rank_correlation, shares
from lungcnn.explaining.methods import METHODS, explanation_method
from lungcnn.model.calibration import Calibration, calibrate, prediction_set
from lungcnn.model.classifier import Classifier
from lungcnn.model.network import LAST_CONVOLUTION, LOGITS, MAP_CELLS, build_network
from lungcnn.preprocessing.anatomy import Anatomy
from lungcnn.preprocessing.lung_crop import CropBox
from lungcnn.results.rendering import FOR, contours, render_overlay, render_slice
from lungcnn.windowing import to_unit


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
    return Classifier.of(network)


@pytest.fixture(scope="module")
def crops(phantom_slice):
    from lungcnn.preprocessing.anatomy import find_anatomy

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
    found = classifier(crops)
    maps = grad_cam(found.activations, found.gradients)[:, label]
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
    found = classifier(crops)
    maps = np.maximum(hires_cam(found.activations, found.gradients)[:, 2], 0)
    np.testing.assert_allclose(maps, expected, atol=1e-6)


def test_hires_cam_is_complete(network, classifier, crops):
    """The sum of the map and the dense layers' bias is the logit, to rounding."""
    embedding, logits = network.get_layer("embedding"), network.get_layer(LOGITS)
    bias = embedding.bias @ np.asarray(logits.kernel) + np.asarray(logits.bias)
    np.testing.assert_allclose(classifier.engine.bias, bias, atol=1e-6)
    found = classifier(crops)
    sums = hires_cam(found.activations, found.gradients).sum(axis=(2, 3))
    np.testing.assert_allclose(sums + np.asarray(bias), found.logits, rtol=1e-5, atol=1e-5)


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


def test_what_a_map_is_measured_in_stands_with_its_method():
    assert METHODS["smooth-grad"].unit == "logits per grey level"
    assert {method.unit for method in METHODS.values() if method.signed} == {"logits"}


def test_names():
    assert {"grad-cam", "hires-cam", "grad-cam++", "score-cam", "faster-score-cam", "layer-cam"} < set(METHODS)
    assert explanation_method("hires-cam").signed
    assert [class_index(name) for name in CLASSES] == [0, 1, 2]
    with pytest.raises(UsageError, match=r"'cam'. Accepted: grad-cam, hires-cam"):
        explanation_method("cam")
    with pytest.raises(UsageError, match=r"'healthy'. Accepted: normal, benign, malignant"):
        class_index("healthy")


@pytest.fixture(scope="module")
def explainer(classifier):
    return Explainer(classifier)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_finite_maps_of_all_classes_and_repeats(explainer, crops, method, capfd):
    found = explainer.classifier(crops[:1])
    maps = explainer.maps(method, crops[0], found)
    rows = 128 if METHODS[method].gradient_of_input else MAP_CELLS
    assert maps.shape == (3, rows, rows)
    assert maps.dtype == np.float32
    assert np.isfinite(maps).all()
    assert maps.max() > 0
    assert METHODS[method].signed == bool((maps < 0).any())
    np.testing.assert_allclose(explainer.maps(method, crops[0], found), maps, rtol=1e-3, atol=1e-5 * maps.max())
    assert capfd.readouterr().out == "", "`predict --json` prints nothing else"


def test_on_demand_maps_belong_to_their_class(explainer, network, crops):
    import keras
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
    from tf_keras_vis.utils.scores import CategoricalScore

    oracle = GradcamPlusPlus(keras.Model(network.inputs, network.get_layer(LOGITS).output))
    found = explainer.classifier(crops[:1])
    maps = explainer.maps("grad-cam++", crops[0], found)
    for label in range(3):
        expected = oracle(
            CategoricalScore([label]),
            crops[:1, ..., None],
            penultimate_layer=LAST_CONVOLUTION,
            expand_cam=False,
            normalize_cam=False,
        )[0].numpy()
        np.testing.assert_allclose(maps[label], expected, rtol=1e-4, atol=1e-6 * expected.max())


def brightness_network(row, column):
    """A network worked out by hand: malignant is the mean brightness of one cell of 32 x 32 pixels, less 0.5."""
    import keras

    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((128, 128, 1)),
            layers.Conv2D(1, 1, name="copy"),
            layers.AveragePooling2D(32),
            layers.Conv2D(1, 1, activation="relu", name="cells"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    for name in ("copy", "cells"):
        network.get_layer(name).set_weights([np.ones((1, 1, 1, 1)), np.zeros(1)])
    kernel = np.zeros((16, 3))
    kernel[row * 4 + column, 2] = 8.0
    network.layers[-1].set_weights([kernel, np.array([0, 0, -4.0])])
    return network


def test_a_network_worked_out_by_hand():
    crop = np.full((128, 128), 0.25, np.float32)
    crop[32:64, 96:] = 1.0
    classifier = Classifier.of(brightness_network(1, 3))
    assert classifier.layer == "cells"
    found = classifier(crop[None])
    np.testing.assert_allclose(found.logits, [[0, 0, 8 - 4]], atol=1e-5)
    expected = np.zeros((4, 4))
    expected[1, 3] = 8.0
    maps = hires_cam(found.activations, found.gradients)[0]
    np.testing.assert_allclose(maps[2], expected, atol=1e-5)
    assert not maps[:2].any()
    # The mean gradient is 8 / 16 everywhere: Grad-CAM also marks cells that the model can't use.
    cam = grad_cam(found.activations, found.gradients)[0, 2]
    np.testing.assert_allclose(cam, np.where(expected > 0, 0.5, 0.125), atol=1e-5)
    occluded = Explainer(classifier).maps("occlusion", crop, found)
    assert np.unravel_index(occluded[2].argmax(), (4, 4)) == (1, 3)
    assert occluded[2].max() == pytest.approx(8 * 0.75, rel=0.01)
    named = Classifier.of(brightness_network(1, 3), layer="copy")
    fine = hires_cam(*[(f := named(crop[None])).activations, f.gradients])[0, 2]
    assert fine.shape == (128, 128)
    np.testing.assert_allclose(fine[32:64, 96:], 8 / 32**2, rtol=1e-4)
    assert fine.sum() == pytest.approx(8, rel=1e-4)


def test_grad_cam_is_hires_cam_under_global_average_pooling(crops):
    import keras

    keras.utils.set_random_seed(2)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((128, 128, 1)),
            layers.MaxPooling2D(8),
            layers.Conv2D(6, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
            layers.Softmax(),
        ]
    )
    found = Classifier.of(network)(crops)
    hires = hires_cam(found.activations, found.gradients)
    np.testing.assert_allclose(grad_cam(found.activations, found.gradients), np.maximum(hires, 0), atol=1e-6)
    assert hires.max() > 0


# ---------------------------------------------------------------- the compiled call


def test_logits_and_probabilities_are_the_networks(network, classifier, crops):
    found = classifier(crops)
    np.testing.assert_allclose(found.probabilities, network(crops[..., None], training=False), atol=1e-6)
    np.testing.assert_allclose(classifier.probabilities(crops), found.probabilities, atol=1e-6)


def test_each_crop_of_a_batch_stands_alone(classifier, crops):
    together = classifier(crops)
    for index, crop in enumerate(crops):
        alone = classifier(crop[None])
        np.testing.assert_allclose(alone.gradients[0], together.gradients[index], atol=1e-6)
        np.testing.assert_allclose(alone.logits[0], together.logits[index], atol=1e-4)


def test_one_trace_serves_every_call(classifier, crops):
    before = classifier.engine._explained.experimental_get_tracing_count()
    for count in (1, 3, 2):
        classifier(crops[:count])
    assert classifier.engine._explained.experimental_get_tracing_count() == before == 1


@pytest.mark.parametrize("method", ["grad-cam", "grad-cam++"])
def test_eight_threads_get_their_own_answers(explainer, crops, method):
    from concurrent.futures import ThreadPoolExecutor

    def maps(index):
        return explainer.maps(method, crops[index], explainer.classifier(crops[index][None]))

    expected = [maps(index) for index in range(3)]
    with ThreadPoolExecutor(8) as pool:
        jobs = [(index, pool.submit(maps, index)) for index in [0, 1, 2] * 8]
        for index, job in jobs:
            np.testing.assert_allclose(job.result(), expected[index], rtol=1e-4, atol=1e-6)


def trained_by_someone(kind):
    """Models as people build them; each `[n, 128, 128, 1]` to a softmax over three classes."""
    import keras
    from keras import layers

    image = keras.Input((128, 128, 1))
    start = [keras.Input((128, 128, 1)), layers.MaxPooling2D(8)]
    conv = layers.Conv2D(4, 3, activation="relu", name="conv")
    if kind == "unbuilt":
        return keras.Sequential([*start[1:], conv, layers.Flatten(), layers.Dense(3, activation="softmax")])
    if kind == "softmax layer":
        return keras.Sequential([*start, conv, layers.Flatten(), layers.Dense(3), layers.Softmax()])
    if kind == "softmax as an activation layer":
        return keras.Sequential([*start, conv, layers.Flatten(), layers.Dense(3), layers.Activation("softmax")])
    if kind == "nested":
        inside = keras.Input((16, 16, 1))
        x = layers.Conv2D(4, 3, padding="same", name="conv")(inside)
        backbone = keras.Model(inside, layers.Add()([x, layers.Conv2D(4, 1, name="last")(x)]))
        x = layers.Conv2D(1, 3, padding="same", name="conv")(layers.MaxPooling2D(8)(image))  # the name again
        x = layers.GlobalAveragePooling2D()(backbone(x))
        return keras.Model(image, layers.Dense(3, activation="softmax")(x))
    if kind == "around the map":
        x = layers.MaxPooling2D(8)(image)
        x = layers.Concatenate()([x, conv(layers.ZeroPadding2D(1)(x))])
        return keras.Model(image, layers.Dense(3, activation="softmax")(layers.Flatten()(x)))
    if kind == "adapted normalisation":
        normalise = layers.Normalization()
        normalise.adapt(np.random.default_rng(0).normal(0.4, 0.2, (64, 128, 128, 1)))
        return keras.Sequential([*start[:1], normalise, *start[1:], conv, layers.Flatten(), layers.Dense(3, "softmax")])
    if kind in {"softmax as an operation", "outputs named"}:
        logits = layers.Dense(3)(layers.Flatten()(conv(layers.MaxPooling2D(8)(image))))
        p = keras.ops.softmax(logits)
        return keras.Model(image, {"probabilities": p} if kind == "outputs named" else p)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(kind)
    try:
        model = keras.Sequential(
            [*start, layers.Conv2D(4, 3, name="conv"), layers.Flatten(), layers.Dense(3), layers.Softmax()]
        )
    finally:
        keras.config.set_dtype_policy(policy)
    return model


@pytest.mark.parametrize(
    "kind",
    [
        "unbuilt",
        "softmax layer",
        "softmax as an activation layer",
        "nested",
        "around the map",
        "adapted normalisation",
        "softmax as an operation",
        "outputs named",
        "mixed_float16",
        "mixed_bfloat16",
        "float16",
    ],
)
@pytest.mark.parametrize("reloaded", [False, True])
def test_models_that_people_train_can_be_explained(kind, reloaded, crops, tmp_path):
    import keras

    keras.utils.set_random_seed(4)
    model = trained_by_someone(kind)
    if reloaded:
        if kind == "unbuilt":
            model.build((None, 128, 128, 1))
        model.save(tmp_path / "model.keras")
        model = keras.saving.load_model(tmp_path / "model.keras")
    explainer = Explainer(Classifier.of(model))
    found = explainer.classifier(crops)
    (expected,) = keras.tree.flatten(model(crops[..., None]))
    np.testing.assert_allclose(found.probabilities, np.asarray(expected, np.float32), atol=6e-3)
    assert found.gradients.dtype == np.float32
    maps = explainer.maps("hires-cam", crops[0], explainer.classifier(crops[:1]))
    assert np.isfinite(maps).all()
    assert maps.any()
    assert explainer.classifier.layer == ("last" if kind == "nested" else "conv")
    whole = None if kind in {"nested", "around the map"} else hires_cam(found.activations, found.gradients)
    assert (explainer.classifier.engine.bias is None) == (whole is None)
    if whole is not None and "16" not in kind:
        sums = whole.sum(axis=(2, 3)) + explainer.classifier.engine.bias
        np.testing.assert_allclose(sums, found.logits, atol=1e-4)


def test_models_that_cannot_be_explained_say_why():
    import keras
    from keras import layers

    class Subclassed(keras.Model):
        def call(self, x):
            return x

    def sequential(*stack, size=128):
        return keras.Sequential([keras.Input((size, size, 1)), *stack])

    end = layers.Dense(3, activation="softmax")
    for model, message in (
        (Subclassed(), "subclass of keras.Model"),
        (sequential(layers.Flatten(), end), "no convolution"),
        (sequential(layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(3)), "ends in Dense"),
        (sequential(layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(1, activation="softmax")), r"\(1,\)"),
        (sequential(layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(3), size=64), r"\(64, 64, 1\)"),
    ):
        with pytest.raises(ModelStructureError, match=message):
            Classifier.of(model)
    with pytest.raises(UsageError, match=r"no convolution 'dense'. Accepted: copy, cells"):
        Classifier.of(brightness_network(0, 0), layer="dense")


def test_a_model_that_answers_otherwise_once_taken_apart_is_refused():
    import keras
    from keras import layers

    class Hidden(layers.Layer):
        """Keeps a number beside its configuration and weights."""

        factor = 1.0

        def call(self, x):
            return x * self.factor

    hidden = Hidden()
    hidden.factor = 3.0
    stack = [keras.Input((128, 128, 1)), hidden, layers.MaxPooling2D(8), layers.Conv2D(4, 3), layers.Flatten()]
    model = keras.Sequential([*stack, layers.Dense(3, activation="softmax")])
    with pytest.raises(ModelStructureError, match=r"other probabilities than it does whole \(up to 0\.\d+ apart\)"):
        Classifier.of(model)


def test_faster_score_cam_takes_the_channels_that_there_are(crops):
    explainer = Explainer(Classifier.of(trained_by_someone("softmax layer")))
    found = explainer.classifier(crops[:1])
    maps = explainer.maps("faster-score-cam", crops[0], found)
    assert maps.shape == (3, 14, 14)
    np.testing.assert_allclose(maps, explainer.maps("score-cam", crops[0], found), rtol=1e-4)


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


def checked(crop, lungs, cells, row=0, column=0, method="hires-cam"):
    """The checks of a map over a network that looks at one cell of 4 x 4."""
    classifier = Classifier.of(brightness_network(row, column))
    box = CropBox(0, 0, 128, 128, 128, 128)
    anatomy = Anatomy(np.ones_like(lungs), lungs, box, crop, lungs)
    return check_explanation(classifier, anatomy, classifier(crop[None]), METHODS[method], cells, 2)


def one_bright_cell():
    crop, lungs = np.zeros((128, 128), np.float32), np.zeros((128, 128), bool)
    crop[:32, :32], lungs[64:, 64:] = 1.0, True  # hidden cells take the lungs' grey, 0
    right, wrong = np.zeros((4, 4), np.float32), np.zeros((4, 4), np.float32)
    right[0, 0], wrong[3, 3], wrong[0, 0] = 1, 1, -1
    return crop, lungs, right, wrong


def test_checks_of_a_map_that_is_right():
    crop, lungs, right, _ = one_bright_cell()
    found = checked(crop, lungs, right)
    high, low = (np.exp(z) / (np.exp(z) + 2) for z in (4.0, -4.0))
    # The cell that counts is gone after the first of eight steps, and there after the first step of insertion.
    assert found.deletion_auc == pytest.approx((high + low) / 2 / 8 + low * 7 / 8, abs=1e-5)
    assert found.insertion_auc == pytest.approx((high + low) / 2 / 8 + high * 7 / 8, abs=1e-5)
    assert found.better_than_random
    assert found.curves.share == pytest.approx(np.linspace(0, 1, 9))
    assert found.curves.deletion == pytest.approx([high] + [low] * 8, abs=1e-5)
    assert np.trapezoid(found.curves.random_deletion, dx=1 / 8) == pytest.approx(found.random_deletion_auc)
    # A random order and its reverse: what deletion loses, insertion gains.
    assert found.curves.random_insertion == found.curves.random_deletion[::-1]
    assert found.random_insertion_auc == pytest.approx(found.random_deletion_auc)
    # In an order that begins at three places the cell goes early, late and in between.
    shown = (np.array(found.curves.random_deletion) - low) / (high - low)
    np.testing.assert_allclose(shown * 3, np.round(shown * 3), atol=1e-4)
    assert (np.diff(shown) <= 1e-6).all()
    assert shown.mean() == pytest.approx(0.5, abs=0.1)
    assert (found.probability, found.hidden_probability) == pytest.approx((high, low), abs=1e-5)
    assert found.completeness_residual == pytest.approx(0, abs=1e-5)
    assert found.sentence.startswith("The map is better than random at finding what the model used; 0 % of it")
    assert found.hidden_sentence("malignant") == "malignant 0.96, with the highlighted region hidden 0.01."


def test_checks_of_a_map_that_is_wrong():
    crop, lungs, _, wrong = one_bright_cell()
    found = checked(crop, lungs, wrong)
    assert not found.better_than_random
    assert found.hidden_probability == pytest.approx(found.probability)
    assert "not better than random" in found.sentence
    assert "100 % of it lies in the lungs" in found.sentence
    assert checked(crop, lungs, np.zeros((4, 4))) is None


def test_random_orders_take_all_cells_equally_early():
    values = np.array([0, 3, 0, 0, 9, 0, -1, 0, 0, 0, 0, 0.5])
    own, *others = _orders(values, np.random.default_rng(0))
    assert own[:3].tolist() == [4, 1, 11]
    assert own[-1] == 6
    assert len(others) == RANDOM_ORDERS == 3
    ranks = np.argsort(others, axis=1)
    np.testing.assert_array_equal(np.sort(ranks, axis=1), [range(12)] * 3)
    # 0 to 3, 4 to 7 and 8 to 11: every cell is once among the first, once in between, once among the last.
    np.testing.assert_array_equal(np.sort(ranks // 4, axis=0), np.arange(3)[:, None].repeat(12, 1))


def test_stability_and_agreement_are_rank_correlations():
    crop, lungs, right, _ = one_bright_cell()
    crop += np.linspace(0, 0.5, 128, dtype=np.float32)
    found = checked(crop, lungs, right, method="hires-cam")
    assert 0.8 < found.stability <= 1
    classifier = Classifier.of(brightness_network(0, 0))
    cam = grad_cam(*[(f := classifier(crop[None])).activations[0], f.gradients[0, 2]])
    assert found.agreement == pytest.approx(rank_correlation(cam, right))
    slow = checked(crop, lungs, right, method="occlusion")
    assert slow.stability is None
    a = np.array([[1.0, 2], [3, 40]])
    assert rank_correlation(a, np.exp(a / 10)) == pytest.approx(1)
    assert rank_correlation(a, -a) == pytest.approx(-1)
    assert rank_correlation(a, np.ones((2, 2))) is None


def test_where_a_map_lies():
    body, lungs = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    lungs[:2], body[:3] = True, True
    anatomy = Anatomy(body, lungs, CropBox(0, 0, 4, 4, 4, 4), None, None)
    heat = np.array([[3.0] * 4, [0] * 4, [0.75] * 4, [0.25, -9, 0.25, 0.5]])
    assert shares(heat, anatomy) == pytest.approx((0.75, 0.1875, 0.0625))
    assert shares(np.zeros((4, 4)), anatomy) == (0, 0, 0)


@settings(deadline=None, max_examples=20)
@given(arrays(np.float32, (4, 4), elements=st.floats(-4, 4, width=16)))
@example(np.where(np.arange(16).reshape(4, 4) == 5, np.float32(0.015625), np.float32(-1)))
def test_checks_stay_in_range_whatever_the_map(cells):
    crop, lungs, _, _ = one_bright_cell()
    found = checked(crop, lungs, cells)
    assert (found is None) == (not (cells > 0).any())
    if found is None:
        return
    for value in (found.deletion_auc, found.insertion_auc, found.probability, found.hidden_probability):
        assert 0 <= value <= 1
    assert found.in_lungs + found.in_body + found.outside == pytest.approx(1)
    assert found.agreement is None or -1 <= found.agreement <= 1


@pytest.mark.parametrize("value", [0.0, 0.6, float(to_unit(np.float32(-1000)))])
def test_a_constant_crop_gives_finite_maps(classifier, value):
    found = classifier(np.full((1, 128, 128), value, np.float32))
    for method in (grad_cam, hires_cam):
        assert np.isfinite(method(found.activations, found.gradients)).all()


# ---------------------------------------------------------------- pictures


@pytest.mark.parametrize("method", ["grad-cam", "hires-cam"])
def test_classes_share_one_scale_and_the_sign_is_shown_on_request(pipeline, phantom_slice, method):
    reports = [pipeline.run(phantom_slice, name, method, checks=False) for name in CLASSES]
    scales = {report.explanation.scale for report in reports}
    assert len(scales) == 1
    assert scales.pop() == pytest.approx(max(0, *(report.explanation.cells.max() for report in reports)))
    strongest = max(reports, key=lambda report: report.explanation.cells.max())
    weakest = min(reports, key=lambda report: report.explanation.cells.max())
    plain = render_slice(phantom_slice)[..., None]

    def changed(report, **options):
        return np.abs(render_overlay(report, **options).astype(int) - plain).max()

    assert changed(strongest) > 80
    assert changed(weakest) <= changed(strongest)
    if method == "hires-cam":
        picture = render_overlay(weakest, signed=True, opacity=1)
        assert (picture[..., 2].astype(int) - picture[..., 0] > 60).any(), "blue: against"


def test_contours_go_around_what_exceeds_the_level(pipeline, phantom_slice):
    heat = np.zeros((40, 60), np.float32)
    heat[10:20, 30:50] = 1.0
    heat[30:32, 5:8] = 0.4
    (curve,) = contours(heat, 0.5)
    assert curve.min(axis=0).tolist() == [30.5, 10.5]
    assert curve.max(axis=0).tolist() == [49.5, 19.5]
    assert len(contours(heat, 0.3)) == 2
    assert contours(-heat, 0.5) == []
    report = pipeline.run(phantom_slice, method="hires-cam", checks=False)
    drawn = (render_overlay(report, contour=0.5) == FOR).all(axis=-1)
    assert 0 < drawn.mean() < 0.05
    with pytest.raises(UsageError, match="between 0 and 1"):
        render_overlay(report, contour=2)


def test_a_method_has_one_way_to_make_its_maps():
    from lungcnn.explaining.methods import Method

    for both in ({}, {"of_map": abs, "on_demand": abs}):
        with pytest.raises(UsageError, match="made by `of_map` or by `on_demand`"):
            Method("Mine", "Me 2026", **both)
