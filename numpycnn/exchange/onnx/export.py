"""A network -> an ONNX file, checked against the network."""

import json

import numpy as np

from ... import __version__, files, ops
from ...layers.base import fact
from .. import check, graph
from ..fold import fold as fold_norms
from ..parts import part
from .writer import Writer

LAYOUTS, INPUTS = ("nchw", "nhwc"), ("float", "uint8")


def save(path, net, *, check=True, name=None, **options):
    """Write net, or its part `name`, as ONNX -> {"bytes", "error", ...}.

    The options are encode's. With `check`, and with onnxruntime there, the file's answers to eight
    images are compared with net's before it is written. Raises ExportError for what cannot go,
    and where they differ; OSError.
    """
    layers, shape = part(net, name, options.pop("input_shape", None))
    content = encode(layers, shape, **{"metadata": fact(net, "metadata"), **options})
    error = difference(content, layers, shape, **options) if check else None
    files.write(path, content)
    return {"file": str(path), "bytes": len(content), "error": error, "input_shape": list(shape)}


def encode(
    net, input_shape, *, layout="nchw", input="float", softmax=False, fold=True, metadata=None
):
    """-> the bytes of the ONNX file of a network of images (H, W, C) or features (D,).

    layout: "nchw" or "nhwc", of the images at its two ends; input: "float" in [0, 1], or "uint8";
    softmax: probabilities instead of logits; fold: batch norm inside the convolution before it.
    Raises ExportError for what cannot go.
    """
    for what, value, known in (("layout", layout, LAYOUTS), ("input", input, INPUTS)):
        if value not in known:
            raise graph.ExportError(f"{what} must be {' or '.join(known)}, not {value!r}")
    nodes = graph.trace(net, input_shape)
    if input == "uint8":
        _check_uint8(nodes)
    if softmax and len(nodes[-1].shape) != 1:
        raise graph.ExportError(f"softmax needs logits (K,) at the end, not {nodes[-1].shape}")
    first = next((n for n in nodes if n.op == "standardize" and n.inputs[0] is nodes[0]), None)
    noted = _metadata(metadata or {}, layout, input, first)
    writer = Writer(fold_norms(nodes) if fold else nodes, layout, input)
    return writer.model(softmax, noted)


def _check_uint8(nodes):
    if any(node.op != "standardize" for node in graph.readers(nodes)[nodes[0]]):
        raise graph.ExportError("input uint8 needs a Standardize layer at the network's beginning")


def _metadata(metadata, layout, dtype, first):
    """What a user of the file has to know, as text."""
    classes = metadata.get("classes")
    unit = "0..255" if dtype == "uint8" else "[0, 1]"
    preprocessing = {"layout": layout, "dtype": dtype, "range": unit}
    preprocessing |= {"inside": first.attrs} if first else {}  # mean and std, of images in [0, 1]
    found = {"numpycnn": __version__, "preprocessing": json.dumps(preprocessing)}
    found |= {"classes": json.dumps(classes)} if isinstance(classes, list) else {}
    return found | ({"data": metadata["data"]} if isinstance(metadata.get("data"), str) else {})


def difference(content, net, shape, *, layout="nchw", input="float", softmax=False, **_):
    """The largest difference between the file's answers and net's, over eight noisy inputs; None
    without onnxruntime. Raises ExportError where it is more than rounding.
    """
    try:
        import onnxruntime
    except ImportError:
        return None
    images = len(shape) == 3
    x = check.noise(shape)
    x = x if input == "uint8" else x.astype(np.float32) / 255
    expected = net.infer(x)
    expected = ops.softmax(expected)[0] if softmax else expected
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    fed = x.transpose(0, 3, 1, 2) if images and layout == "nchw" else x
    y = session.run(None, {session.get_inputs()[0].name: fed})[0]
    y = y.transpose(0, 2, 3, 1) if y.ndim == 4 and layout == "nchw" else y
    return check.difference(y, expected, "the ONNX file")
