"""ONNX files from a stranger: cut, flipped, forged. Nothing is run, no memory filled."""

import numpy as np
import pytest

from numpycnn import layers as L
from numpycnn.errors import CheckpointError
from numpycnn.exchange import onnx as exchange
from numpycnn.exchange.onnx import protobuf as p
from tests.exchange.faults import attempt, cuts, flips, splices
from tests.exchange.networks import classifier, randomized


def small():
    """A file with every kind of field: a sum, a flattened image, a norm."""
    rng = np.random.default_rng(0)
    body = L.Sequential(L.Conv2D(3, 3, 3, rng=rng), L.BatchNorm(3), L.PReLU(3))
    net = L.Sequential(
        *(L.Standardize(0.3, 0.2), L.Conv2D(2, 3, 3, rng=rng), L.Add(L.Identity(), body)),
        *(L.MaxPool2D(2), L.Flatten(), L.Dense(12, 4, rng=rng), L.LeakyReLU(0.1)),
    )
    return exchange.encode(randomized(net), (4, 4, 2), fold=False, metadata={"classes": ["a"]})


def test_every_cut_is_one_line_or_lacks_only_notes(tmp_path):
    content = small()
    whole = exchange.load(write(tmp_path, content)).infer(np.ones((1, 4, 4, 2), np.float32))
    for i in range(len(content)):
        net = attempt(tmp_path / "x.onnx", content[:i], exchange.load)
        if net is not None:  # the notes on classes stand last: without them the network is the same
            assert i > len(content) - 200
            assert np.array_equal(net.infer(np.ones((1, 4, 4, 2), np.float32)), whole)


def write(folder, content):
    (folder / "x.onnx").write_bytes(content)
    return folder / "x.onnx"


def test_flipped_bits_and_splices(tmp_path):
    content = small()
    refused = 0
    for damaged in (*flips(content, 700), *splices(content, 300)):
        refused += attempt(tmp_path / "x.onnx", damaged, exchange.load) is None
    assert refused > 300
    content = exchange.encode(classifier("lenet5"), (28, 28, 1))
    for damaged in (*cuts(content, 20)[::8], *flips(content, 30)):
        attempt(tmp_path / "x.onnx", damaged, exchange.load)


def model(nodes, tensors=(), dims=("N", 2, 4, 4), out="y"):
    ends = [p.value_info("x", "float32", dims)], [p.value_info(out, "float32", ["N", 1])]
    return p.model(nodes, *ends, list(tensors), {})


def f32(name, *shape):
    return p.tensor(name, np.zeros(shape, np.float32))


def i64(name, *values):
    return p.tensor(name, np.array(values, np.int64))


RELU = p.node("Relu", ["x"], ["y"])
X = p.value_info("x", "float32", ["N", 2, 4, 4])
CHAIN = [p.node("Relu", ["x" if i == 0 else f"v{i}"], [f"v{i + 1}"]) for i in range(6_000)]
DOUBLING = [p.node("Concat", [f"v{i}" if i else "x"] * 2, [f"v{i + 1}"], axis=1) for i in range(60)]
GROWING = [
    p.node("Concat", [f"c{i}"] * 9, [f"c{i + 1}"], axis=0) for i in range(40)
]  # of constants
BOOL = p.tensor("true", np.array(True))
NORM = [f32(name, 2) for name in "gbmv"]
FORGED = {
    "empty fields": (b"\x0a\x00" * 3_000_000, "fields"),
    "a graph of empty nodes": (p.message((7, b"\x0a\x00" * 900_000), (8, b"")), "fields"),
    "no version": (p.message((7, p.message((1, RELU)))), "lacks a graph or its version"),
    "two inputs": (p.model([RELU], [X, X], [X], [], {}), "2 inputs and 1 outputs"),
    "a chain of 6,000": (model(CHAIN, out="v6000"), "expected at most 5,000"),
    "a channel count of 2 ** 60": (model(DOUBLING, out="v60"), "makes an image of"),
    "constants of 9 ** 40": (model(GROWING, [i64("c0", 1, 1)]), "constant"),
    "a huge input": (model([RELU], dims=("N", 1 << 20, 1 << 20, 1)), "its input has"),
    "a negative input": (model([RELU], dims=("N", -3, 4, 4)), "sizes are numbers"),
    "input of unknown size": (model([RELU], dims=("N", 2, "H", 4)), "sizes are numbers"),
    "itself": (model([p.node("Relu", ["y"], ["y"])]), "nothing before it makes"),
    "made twice": (model([RELU, RELU]), "there is already"),
    "another domain": (model([p.message((1, "x"), (2, "y"), (4, "F"), (7, "com.x"))]), "com.x.F"),
    "a sum of pixels": (model([p.node("Add", ["x", "a"], ["y"])], [f32("a", 2, 4, 4)]), "array"),
    "no weights": (model([p.node("Conv", ["x"], ["y"])]), "no weights"),
    "weights of another width": (
        model([p.node("Conv", ["x", "w"], ["y"])], [f32("w", 5, 3, 3, 3)]),
        "for 2 channels",
    ),
    "weights elsewhere": (
        model([RELU], [p.message((1, 4), (2, 1), (8, "w"), (13, b""), (14, 1))]),
        "in another file",
    ),
    "fewer bytes than its shape": (
        model([RELU], [p.message((1, 1 << 40), (2, 1), (8, "w"), (9, b"1234"))]),
        "should be",
    ),
    "a huge constant": (
        model([p.node("ConstantOfShape", ["s"], ["y"])], [i64("s", 1 << 20, 1 << 20)]),
        "too large",
    ),
    "images of the batch left out": (
        model(
            [p.node("Flatten", ["x"], ["f"]), p.node("Gather", ["f", "i"], ["y"], axis=0)],
            [i64("i", 0)],
        ),
        "along \\[0\\], expected constants",
    ),
    "more features than there are": (
        model(
            [p.node("Flatten", ["x"], ["f"]), p.node("Gather", ["f", "i"], ["y"], axis=1)],
            [i64("i", *[0] * 33)],
        ),
        "of 32 features",
    ),
    "a feature that there is not": (
        model(
            [p.node("Flatten", ["x"], ["f"]), p.node("Gather", ["f", "i"], ["y"], axis=1)],
            [i64("i", 99)],
        ),
        "out of bounds",
    ),
    "an order of too many features": (
        model(
            [p.node("Flatten", ["x"], ["f"]), p.node("Relu", ["f"], ["y"])],
            dims=("N", 5, 30, 30),
        ),
        "change their order",
    ),
    "enlarged 10,000 times": (
        model(
            [p.node("Resize", ["x", "", "s"], ["y"], coordinate_transformation_mode="asymmetric")],
            [p.tensor("s", np.float32([1, 1, 100, 100]))],
        ),
        "repeating pixels",
    ),
    "enlarged from between pixels": (
        model(
            [p.node("Resize", ["x", "", "s"], ["y"], nearest_mode="ceil")],
            [p.tensor("s", np.float32([1, 1, 2, 2]))],
        ),
        "repeating pixels",
    ),
    "an attribute that is not read": (
        model([p.node("Swish", ["x"], ["y"], alpha=2.0)]),
        r"Swish \(y\) with alpha 2.0",
    ),
    "the size of an output": (
        model(
            [p.node("ConvTranspose", ["x", "w"], ["y"], output_shape=[5, 5])],
            [f32("w", 2, 1, 3, 3)],
        ),
        r"with output_shape \[5, 5\]",
    ),
    "a norm in training": (
        model([p.node("BatchNormalization", ["x", *"gbmv"], ["y", "m2", "v2"])], NORM),
        "the outputs of training",
    ),
    "dropout in training": (
        model([p.node("Dropout", ["x", "", "true"], ["y"])], [BOOL]),
        "in training mode",
    ),
    "a softmax over the batch": (
        model([p.node("Flatten", ["x"], ["f"]), p.node("Softmax", ["f"], ["y"], axis=0)]),
        "over classes",
    ),
    "half a number by its error function": (
        model(
            [
                *(p.node("Mul", ["x", "r"], ["a"]), p.node("Erf", ["a"], ["b"])),
                *(p.node("Add", ["b", "one"], ["c"]), p.node("Mul", ["x", "c"], ["d"])),
                p.node("Div", ["half", "d"], ["y"]),
            ],
            [p.tensor(k, np.float32(v)) for k, v in (("r", 0.5**0.5), ("one", 1), ("half", 0.5))],
        ),
        "no layers for Erf",
    ),
    "padded at the end": (
        model([p.node("Pad", ["x", "p"], ["y"])], [i64("p", 0, 0, 1, 1, 0, 0, 1, 1)]),
        "before no convolution",
    ),
    "rounded": (
        model([p.node("Cast", ["x"], ["i"], to=7), p.node("Cast", ["i"], ["y"], to=1)]),
        r"Cast \(i\) to the type 7",
    ),
    "divided in uint8": (
        p.model(
            [p.node("Div", ["x", "two"], ["i"]), p.node("Cast", ["i"], ["y"], to=1)],
            [p.value_info("x", "uint8", ("N", 2, 4, 4))],
            [p.value_info("y", "float32", ["N", 1])],
            [p.tensor("two", np.uint8(2))],
            {},
        ),
        r"Div \(i\) of uint8",
    ),
    "padded by a billion": (
        model(
            [p.node("Conv", ["x", "w"], ["y"], pads=[1 << 30] * 4)],
            [f32("w", 1, 2, 1, 1)],
        ),
        "makes an image of",
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_files(name, tmp_path):
    content, message = FORGED[name]
    assert attempt(tmp_path / "x.onnx", content, exchange.load) is None
    with pytest.raises(CheckpointError, match=message):
        exchange.load(tmp_path / "x.onnx")


WIDTH = [p.node("Shape", ["b"], ["a"], start=-1), p.node("Cast", ["a"], ["k"], to=1)]


@pytest.mark.parametrize(
    ("factor", "nodes"),
    [
        (3.5, [p.node("Cast", ["seven"], ["a"], to=1), p.node("Div", ["a", "two"], ["k"])]),
        (4, [p.node("Shape", ["x"], ["a"], start=2, end=3), p.node("Cast", ["a"], ["k"], to=1)]),
        (9, [p.node("Pad", ["x", "pads"], ["b"]), *WIDTH]),
        (-3, [p.node("Div", ["minus", "int"], ["a"]), p.node("Cast", ["a"], ["k"], to=1)]),
    ],
)
def test_arithmetic_on_constants_keeps_to_their_types(factor, nodes, tmp_path):
    numbers = [i64("seven", 7), i64("minus", -7), i64("int", 2), p.tensor("two", np.float32([2]))]
    numbers.append(i64("pads", 0, 0, 0, 2, 0, 0, 0, 3))
    content = model([*nodes, p.node("Mul", ["x", "k"], ["y"])], numbers)
    x = np.linspace(0, 1, 32, dtype=np.float32).reshape(1, 4, 4, 2)
    got = exchange.load(write(tmp_path, content)).infer(x)
    np.testing.assert_allclose(got, factor * x, rtol=1e-6)


def test_padding_of_a_padded_image_adds_up(tmp_path):
    pad = p.node("Pad", ["x", "p"], ["a"])
    conv = p.node("Conv", ["a", "w"], ["y"], auto_pad="SAME_UPPER")
    weights = p.tensor("w", np.ones((1, 1, 3, 3), np.float32))
    content = model([pad, conv], [i64("p", 0, 0, 1, 1, 0, 0, 1, 1), weights], ("N", 1, 4, 4))
    got = exchange.load(write(tmp_path, content)).infer(np.ones((1, 4, 4, 1), np.float32))
    along = np.array([1, 2, 3, 3, 2, 1])  # ones under the kernel
    assert np.array_equal(got[0, :, :, 0], np.outer(along, along))


def test_no_file_and_no_model(tmp_path):
    for path, message in ((tmp_path / "none.onnx", "no such file"), (tmp_path, "no file")):
        with pytest.raises(CheckpointError, match=message):
            exchange.load(path)
    for content in (b"", b"\x89PNG", b"<!DOCTYPE html>", b"PK\3\4" + bytes(30)):
        assert attempt(tmp_path / "x.onnx", content, exchange.load) is None
