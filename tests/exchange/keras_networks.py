"""Networks that others would bring, in Keras."""

import keras
import numpy as np
from keras import layers as K


def tutorial():
    """Keras's own example for MNIST."""
    return keras.Sequential([
        *(keras.Input((28, 28, 1)), K.Conv2D(32, 3, activation="relu"), K.MaxPooling2D(2)),
        *(K.Conv2D(64, 3, activation="relu"), K.MaxPooling2D(2), K.Flatten(), K.Dropout(0.5)),
        K.Dense(10, activation="softmax"),
    ])  # fmt: skip


def strided():
    return keras.Sequential([
        *(keras.Input((27, 30, 3)), K.Rescaling(1 / 127.5, -1.0)),
        *(K.Conv2D(8, 3, 2, "same", use_bias=False), K.BatchNormalization(), K.ReLU()),
        *(K.Conv2D(12, 4, padding="same"), K.BatchNormalization(scale=False), K.LeakyReLU(0.1)),
        *(K.AveragePooling2D(2), K.Conv2D(6, 1, activation="elu"), K.PReLU(shared_axes=[1, 2])),
        *(K.GlobalAveragePooling2D(), K.Dense(7, activation="tanh"), K.Dense(5)),
    ])  # fmt: skip


def residual():
    x = inputs = keras.Input((16, 16, 2))
    x = K.Conv2D(6, 3, padding="same", activation="relu")(x)
    y = K.Conv2D(6, 3, padding="same")(x)
    y = K.BatchNormalization(center=False)(y)
    x = K.Add()([x, y])
    x = K.Activation("relu")(x)
    x = K.Concatenate()([x, K.Conv2D(3, 1)(x), K.Conv2D(2, 3, padding="same")(x)])
    x = K.Flatten()(x)
    return keras.Model(inputs, K.Dense(4)(K.Dense(9, activation="sigmoid")(x)))


def mobile():
    """Depthwise and grouped convolutions, dilation, squeeze-and-excite, gates."""
    x = inputs = keras.Input((12, 14, 1))
    x = K.Conv2D(8, 3, 2, "same", activation="hard_silu")(x)
    y = K.DepthwiseConv2D(3, padding="same", depth_multiplier=2, activation="swish")(x)
    s = K.GlobalAveragePooling2D()(y)
    s = K.Dense(16, activation="sigmoid")(K.Dense(4, activation="relu")(s))
    y = K.Multiply()([y, K.Reshape((1, 1, 16))(s)])
    x = K.Add()([x, K.Conv2D(8, 1)(y)])
    x = K.Conv2D(8, 3, padding="same", groups=2, dilation_rate=2, activation="gelu")(x)
    return keras.Model(inputs, K.Dense(4)(K.GlobalAveragePooling2D()(x)))


def normal():
    """Norms of an example, which Keras itself cannot export as ONNX."""
    return keras.Sequential([
        *(keras.Input((6, 7, 4)), K.Conv2D(6, 3), K.LayerNormalization(center=False)),
        *(K.Conv2D(6, 3), K.GroupNormalization(3, epsilon=0.01), K.Flatten(), K.Dense(9)),
        *(K.LayerNormalization(), K.Dense(3)),
    ])  # fmt: skip


NETWORKS = {one.__name__: one for one in (tutorial, strided, residual, mobile, normal)}


def ready(make, seed=0):
    """A network, nothing at its first value, and images for it."""
    keras.utils.set_random_seed(seed)
    net, rng = make(), np.random.default_rng(seed)
    for weight in net.weights:
        low = 0.5 if "variance" in weight.path or "gamma" in weight.path else -0.2
        if weight.path.split("/")[-1] != "kernel":
            weight.assign(rng.uniform(low, low + 0.5, weight.shape))
    unit = 255 if make is strided else 1  # it has the Rescaling of images in [0, 255]
    return net, unit * rng.random((50, *net.input_shape[1:])).astype(np.float32)


def answers(net, x):
    return keras.ops.convert_to_numpy(net(x, training=False))
