"""What the layers of a Keras model are called with, and what they give."""

import numpy as np
import pytest

from numpycnn.errors import CheckpointError

pytest.importorskip("torch")
keras = pytest.importorskip("keras")
from numpycnn.exchange import keras as exchange  # noqa: E402
from tests.exchange import keras_networks as theirs  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


def test_operations_of_keras_ops_keep_all_that_they_read():
    K, image = keras.layers, keras.Input((8, 6, 4))
    a, b = K.Conv2D(4, 3, padding="same")(image), K.Conv2D(4, 1)(inputs=image)
    gate = K.Dense(4, activation="sigmoid")(K.Dense(2, "relu")(K.GlobalAveragePooling2D()(image)))
    gate = K.Reshape((1, 1, 4))(gate)
    x = np.random.default_rng(0).random((3, 8, 6, 4)).astype(np.float32)
    for y in (a + b, gate * image, keras.ops.concatenate([a, b], -1), keras.ops.add(x1=a, x2=b)):
        model = keras.Model(image, y)
        assert np.abs(exchange.from_keras(model).infer(x) - theirs.answers(model, x)).max() < 1e-6


def test_what_a_layer_is_called_with_is_never_left_out():
    K, x = keras.layers, keras.Input((8, 6, 4))

    class Dense(K.Dense):
        """A user's own, of a name that numpycnn knows."""

    for y, message in (
        (x * 2.0, "is called with 2.0 as argument 2, .*Rescaling"),
        (1.5 + x, "is called with 1.5 as argument 1"),
        (x * keras.ops.ones((4,)), "is called with .*__tensor__"),
        (K.BatchNormalization(name="n")(x, training=True), "'n' is called with True as training"),
        (keras.ops.reshape(x, (-1, 192)), r"Reshape \(.*\) of keras.src.ops.numpy"),
        (x - x[:, ::-1], r"GetItem .*, Subtract .*none of keras.layers"),
        (Dense(2)(K.Flatten()(x)), r"Dense \(.*\) of .*, which is none of keras.layers"),
    ):
        with pytest.raises(CheckpointError, match=message):
            exchange.from_keras(keras.Model(x, y))


def test_one_output_in_a_list_or_a_dict_is_read_and_two_are_refused(tmp_path):
    K, image = keras.layers, keras.Input((8, 6, 4))
    y = K.Flatten()(image)
    for outputs in ([y], {"out": y}):
        model = keras.Model(image, outputs)
        assert exchange.from_keras(model).infer(np.zeros((2, 8, 6, 4), np.float32)).shape == (
            2,
            192,
        )
    pixels = keras.Model(image, K.Dense(3)(image))
    for model, message in (
        (keras.Model(image, [y, K.Dense(2)(y)]), "it has 2 outputs, expected one"),
        (keras.Model(image, {"a": y, "b": K.Dense(2)(y)}), "it has 2 outputs, expected one"),
        (pixels, r"the input has the shape \(8, 6, 4\), expected \(4,\)"),
    ):
        model.save(tmp_path / "x.keras")
        for read, source in ((exchange.from_keras, model), (exchange.load, tmp_path / "x.keras")):
            with pytest.raises(CheckpointError, match=message) as caught:
                read(source)
            assert "damaged" not in str(caught.value)
