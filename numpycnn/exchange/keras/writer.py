"""A network -> a keras.Model."""

import importlib.util
import os
import pathlib
import tempfile

import numpy as np

from ... import files
from ... import layers as L
from ...errors import MissingPackage
from ..check import difference, noise
from ..names import ARRAYS
from ..parts import part
from ..plain import KINDS, plain
from ..structure import ExportError, inside


def _keras():
    """Keras, on PyTorch where TensorFlow, its default, is not installed and none was chosen."""
    if "KERAS_BACKEND" not in os.environ and importlib.util.find_spec("tensorflow") is None:
        os.environ["KERAS_BACKEND"] = "torch"
    try:
        import keras
    except ImportError:
        raise MissingPackage("keras", "keras") from None
    return keras


def to_keras(net, input_shape=None):
    """The keras.Model that equals net, with copies of its weights; images in [0, 1], NHWC.

    Raises ExportError for a layer that cannot go, MissingPackage.
    """
    keras = _keras()
    layers, shape = part(net, None, input_shape)
    x = keras.Input(shape)
    return keras.Model(x, _Writer(keras).layer(layers, x, ""))


def save(path, net, name=None, check=True):
    """Write net, or its part `name`, as a .keras file -> {"bytes", "error", ...}.

    With `check` the model's answers to eight images are compared with net's before. Raises
    ExportError for what cannot go and where they differ; OSError.
    """
    layers, shape = part(net, name)
    model = to_keras(layers, shape)
    error = _difference(model, layers, shape) if check else None
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder, "model.keras")
        model.save(place)
        content = place.read_bytes()
    files.write(path, content)
    return {"file": str(path), "bytes": len(content), "error": error, "input_shape": list(shape)}


def _difference(model, net, shape):
    x = noise(shape).astype(np.float32) / 255
    y = _keras().ops.convert_to_numpy(model(x, training=False))
    return difference(y, net.infer(x), "the Keras model")


class _Writer:
    """One method or entry for each kind of layer."""

    def __init__(self, keras):
        self.keras, self.K = keras, keras.layers

    def layer(self, layer, x, path, frozen=False):
        below = inside(layer, path)
        if below is None:
            return self.plain(layer, x, path, frozen)
        frozen = frozen or type(layer) is L.Frozen
        places = [(child, f"{path}_{name}".replace(".", "_").lstrip("_")) for name, child in below]
        if type(layer) in (L.Add, L.Concat):
            ys = [self.layer(child, x, place, frozen) for child, place in places]
            if len(ys) == 1:
                return ys[0]
            kind = self.K.Add if type(layer) is L.Add else self.K.Concatenate
            return kind(name=path or None)(ys)
        if type(layer) is L.SqueezeExcite:
            ((gate, place),) = places
            s = self.layer(gate, x, place, frozen)
            s = self.K.Reshape((1, 1, layer.channels), name=f"{path}_gate" if path else None)(s)
            return self.K.Multiply(name=path or None)([x, s])
        for child, place in places:
            x = self.layer(child, x, place, frozen)
        return x

    def plain(self, layer, x, path, frozen):
        if type(layer) in KINDS:
            layer = plain(layer, tuple(x.shape[1:]))
        kind = type(layer).__name__
        make = getattr(self, kind, None)
        if make is None:
            raise ExportError(f"layer {path or 0} ({kind}) has no counterpart in Keras")
        for made in make(layer, x, path or None):
            made.trainable = not frozen
            x = made(x)
            if made.weights:
                self.fill(made, layer)
        return x

    def fill(self, made, layer):
        found = [getattr(layer, name) for name in ARRAYS[type(layer)]]
        values = [
            one.value if isinstance(one, L.Param) else one for one in found if one is not None
        ]
        shapes = [weight.shape for weight in made.weights]
        made.set_weights([v.reshape(s) for v, s in zip(values, shapes, strict=True)])

    def Conv2D(self, layer, x, name):
        kh, kw, c, f = layer.w.value.shape
        if layer.stride != (1, 1) and layer.dilation != (1, 1):
            raise ExportError(f"layer {name}: Keras has no stride beside a dilation")
        numbers = not isinstance(layer.padding, str)
        rows, columns = layer.padding if numbers else (0, 0)
        around = ((rows, rows), (columns, columns))
        before = [self.K.ZeroPadding2D(around, name=f"{name}_pad")] if numbers else []
        padding = "valid" if numbers else layer.padding
        place = {"strides": layer.stride, "padding": padding, "dilation_rate": layer.dilation}
        place |= {"use_bias": layer.b is not None, "name": name}
        if c == 1 < layer.groups and layer.stride[0] == layer.stride[1]:
            made = self.K.DepthwiseConv2D((kh, kw), depth_multiplier=f // layer.groups, **place)
        else:
            made = self.K.Conv2D(f, (kh, kw), groups=layer.groups, **place)
        return [*before, made]

    def ConvTranspose2D(self, layer, x, name):
        kh, kw, f, _ = layer.w.value.shape
        if layer.padding != "same" and (kh < layer.stride[0] or kw < layer.stride[1]):
            raise ExportError(f"layer {name}: Keras has no kernel smaller than its stride")
        numbers = not isinstance(layer.padding, str)
        rows, columns = layer.padding if numbers else (0, 0)
        cut = ((rows, rows), (columns, columns))
        after = [self.K.Cropping2D(cut, name=f"{name}_cut")] if numbers else []
        padding, bias = "valid" if numbers else layer.padding, layer.b is not None
        made = self.K.Conv2DTranspose(f, (kh, kw), layer.stride, padding, use_bias=bias, name=name)
        return [made, *after]

    def Dense(self, layer, x, name):
        bias = layer.b is not None
        return [self.K.Dense(layer.w.value.shape[1], use_bias=bias, name=name)]

    def BatchNorm(self, layer, x, name):
        settings = {"momentum": layer.momentum, "epsilon": layer.eps}
        return [self.K.BatchNormalization(**settings, name=name)]

    def LayerNorm(self, layer, x, name):
        return [self.K.LayerNormalization(epsilon=layer.eps, name=name)]

    def GroupNorm(self, layer, x, name):
        return [self.K.GroupNormalization(layer.groups, epsilon=layer.eps, name=name)]

    def SiLU(self, layer, x, name):
        return [self.K.Activation("silu", name=name)]

    def GELU(self, layer, x, name):
        return [self.K.Activation("gelu", name=name)]

    def HardSwish(self, layer, x, name):
        return [self.K.Activation("hard_silu", name=name)]

    def PReLU(self, layer, x, name):
        axes = range(1, len(x.shape) - (len(layer.alpha.value) > 1))
        return [self.K.PReLU(shared_axes=list(axes) or None, name=name)]

    def Standardize(self, layer, x, name):
        """In two steps, from which the reader gets mean and std again to the bit."""
        shift = self.K.Rescaling(1.0, -layer.mean, name=f"{name}_mean")
        return [shift, self.K.Rescaling(1 / layer.std, name=f"{name}_std")]

    def Reshape(self, layer, x, name):
        return [self.K.Reshape(layer.shape, name=name)]

    def Flatten(self, layer, x, name):
        return [self.K.Flatten(name=name)]

    def Identity(self, layer, x, name):
        return []

    def Dropout(self, layer, x, name):
        return [self.K.Dropout(layer.rate, name=name)]

    def ReLU(self, layer, x, name):
        return [self.K.ReLU(name=name)]

    def LeakyReLU(self, layer, x, name):
        return [self.K.LeakyReLU(negative_slope=layer.negative_slope, name=name)]

    def ELU(self, layer, x, name):
        return [self.K.ELU(layer.alpha, name=name)]

    def Sigmoid(self, layer, x, name):
        return [self.K.Activation("sigmoid", name=name)]

    def Tanh(self, layer, x, name):
        return [self.K.Activation("tanh", name=name)]

    def MaxPool2D(self, layer, x, name):
        return [self.K.MaxPooling2D(layer.size, layer.stride, name=name)]

    def AvgPool2D(self, layer, x, name):
        return [self.K.AveragePooling2D(layer.size, layer.stride, name=name)]

    def GlobalAvgPool(self, layer, x, name):
        return [self.K.GlobalAveragePooling2D(name=name)]

    def Upsample2D(self, layer, x, name):
        return [self.K.UpSampling2D(layer.size, name=name)]
