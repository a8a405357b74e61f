"""Keras's own ONNX export, with its arithmetic on shapes, comes in."""

import numpy as np
import pytest

from numpycnn import ops
from numpycnn.exchange import onnx as exchange

pytest.importorskip("torch")
pytest.importorskip("onnxscript")
pytest.importorskip("keras")
from tests.exchange import keras_networks as theirs

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("name", sorted(theirs.NETWORKS.keys() - {"normal"}))
def test_networks_of_keras(name, tmp_path):
    net, x = theirs.ready(theirs.NETWORKS[name])
    expected = theirs.answers(net, x)
    net.export(str(tmp_path / "x.onnx"), format="onnx", verbose=False)
    got = exchange.load(tmp_path / "x.onnx")
    assert got.input_shape == x.shape[1:]
    y = got.infer(x)
    y = ops.softmax(y)[0] if name == "tutorial" else y
    assert y.shape == expected.shape
    assert np.abs(y - expected).max() <= 1e-6 * max(1, np.abs(expected).max())
