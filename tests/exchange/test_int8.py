"""The integer network: its arithmetic by naive loops, its answers beside the float network's."""

import fractions
import math
import pathlib
import re

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import layers as L
from numpycnn import models
from numpycnn.exchange import int8
from numpycnn.exchange.int8 import calibrate, convert, steps, weights
from numpycnn.exchange.structure import ExportError
from tests.exchange.networks import classifier, randomized

rng = np.random.default_rng


def chain(*parts, shape=(8, 8, 1), seed=3):
    """A classifier of pixels, with its weights drawn and its batch norms lived in."""
    net = randomized(L.Sequential(L.Standardize(0.3, 0.4), *parts), seed)
    net.input_shape = shape
    return net


def small_networks():
    """{name: network of images 8 x 8}: one of each kind of step."""
    r = rng(0)

    def conv(c, f, k=3, *more, **settings):
        return L.Conv2D(c, f, k, *more, rng=r, **settings)

    def dense(d, k):
        return L.Dense(d, k, rng=r)

    body = L.Sequential(conv(6, 6), L.BatchNorm(6), L.ReLU(), conv(6, 6), L.BatchNorm(6))
    return {
        "vgg": chain(
            *(conv(1, 6), L.BatchNorm(6), L.ReLU(), conv(6, 5), L.ReLU(), L.MaxPool2D(2)),
            *(L.Dropout(0.5), conv(5, 7), L.ReLU(), L.GlobalAvgPool(), dense(7, 3)),
        ),
        "tanh": chain(
            *(conv(1, 3, 5), L.Tanh(), L.AvgPool2D(2), conv(3, 4, 3, padding="valid"), L.Tanh()),
            *(L.Flatten(), dense(16, 9), L.Tanh(), dense(9, 4)),
        ),
        "residual": chain(
            *(conv(1, 6), L.ReLU(), L.Add(L.Identity(), body), L.ReLU()),
            *(L.Add(conv(6, 4, 1, 2), conv(6, 4, 3, 2)), L.GlobalAvgPool(), dense(4, 3)),
        ),
        "slopes": chain(
            *(conv(1, 4), L.LeakyReLU(0.3), L.MaxPool2D(2), conv(4, 5, (2, 3), (2, 1)), L.PReLU(5)),
            *(L.Flatten(), L.LeakyReLU(0.1), dense(40, 6), L.LeakyReLU(0.01), dense(6, 3)),
        ),
        "pools": chain(
            *(L.AvgPool2D((3, 2), (1, 2)), conv(1, 4, 3, 1, 1), L.Sigmoid(), L.MaxPool2D(3, 1)),
            *(conv(4, 2, 1), L.GlobalAvgPool(), L.Tanh(), dense(2, 3)),
        ),
        "mirror": randomized(models.mirror_vgg((3, 4), depth=1, input_shape=(8, 8, 1), rng=r)),
        "one filter": chain(conv(1, 1), L.ELU(), L.Flatten(), dense(64, 2)),
        "wide stride": chain(conv(2, 5, 4, 3, padding=2), L.ReLU(), L.Flatten(), dense(45, 3),
                             shape=(8, 7, 2)),
        "gates": chain(
            *(L.Conv2D(1, 4, 3, rng=rng(1)), L.SiLU(), L.MaxPool2D(2)),
            *(L.Conv2D(4, 5, 3, rng=rng(2)), L.GELU(), L.Conv2D(5, 6, 3, rng=rng(3))),
            *(L.HardSwish(), L.GlobalAvgPool(), L.Dense(6, 3, rng=rng(4))),
        ),
    }  # fmt: skip


NETWORKS = small_networks()


def images(net, count=40, seed=1):
    """Noise, dark and light."""
    noise = rng(seed).integers(0, 256, (count, *net.input_shape))
    return (noise * rng(seed + 1).uniform(0, 1, (count, 1, 1, 1))).astype(np.uint8)


def quantized(name):
    net = NETWORKS[name]
    if not hasattr(net, "input_shape"):
        net.input_shape = (8, 8, 1)
    return net, int8.quantize(net, images(net))


@pytest.mark.parametrize("name", NETWORKS)
def test_it_answers_as_the_float_network_does(name):
    net, made = quantized(name)
    x = images(net, 60, seed=2)
    ours, theirs = net.infer(x), made.infer(x)
    assert theirs.dtype == np.float32
    assert np.abs(ours - theirs).max() < 0.1 * np.abs(ours).max()


@pytest.mark.parametrize("name", ["resnet", "lenet5", "keras_cnn", "alexnet", "mirror_vgg", "vgg"])
def test_every_classifier_but_densenet_goes(name):
    more = {"alexnet": {"filters": (4, 6), "hidden": (16, 8)}, "keras_cnn": {"hidden": 8}}
    more |= {"mirror_vgg": {"filters": (3, 4)}, "vgg": {"filters": (4, 6)}}
    more |= {"resnet": {"depth": 8, "filters": (4, 6, 8)}}
    net = classifier(name, **more.get(name, {}))
    x = images(net, 4)
    made = int8.quantize(net, x)
    assert made.infer(x).shape == (4, 10)
    if name == "mirror_vgg":  # the mean over mirror filters is in the last layer
        assert [step.op for step in made.steps].count("head") == 1
        assert not [step for step in made.steps if step.op == "dense"]


# ---- the arithmetic, by loops over Python's whole numbers ---------------------------------------


def naive_code(total, q, s, zero, top):
    exact = fractions.Fraction(int(total) * int(q), 2 ** int(s)) + zero
    return min(max(math.floor(exact + fractions.Fraction(1, 2)), 0), top)


def test_requantize_rounds_to_nearest_and_a_half_up():
    r = rng(0)
    sums = np.concatenate([r.integers(-(2**31), 2**31, 300), r.integers(-500, 500, 300)])
    q, s = r.integers(-(2**31) + 1, 2**31, 600), r.integers(1, steps.MOST_SHIFT + 1, 600)
    for zero, top in ((0, 255), (255, 255), (1023, 1023)):
        expected = [naive_code(*one, zero, top) for one in zip(sums, q, s, strict=True)]
        assert steps.requantize(sums, q, s, zero, top).tolist() == expected
    assert steps.requantize(np.array([1, 3, -1, -3]), 1, 1, 10).tolist() == [11, 12, 10, 9]


@pytest.mark.parametrize("name", ["tanh", "slopes", "wide stride"])
def test_a_convolution_is_its_definition(name):
    net, made = quantized(name)
    x = images(net, 2)
    i, step = next((i, s) for i, s in enumerate(made.steps) if s.op == "conv")
    y, w = made.every(x)[i], step.arrays["w"]
    (sh, sw), ((top, _), (left, _)) = step.numbers["stride"], step.numbers["pads"]
    for n, a, b, k in np.ndindex(y.shape):
        total = int(step.arrays["b"][k])
        for di, dj, c in np.ndindex(w.shape[:3]):
            row, column = a * sh - top + di, b * sw - left + dj
            inside = 0 <= row < x.shape[1] and 0 <= column < x.shape[2]
            code = int(x[n, row, column, c]) if inside else step.numbers["outside"]
            total += int(w[di, dj, c, k]) * code
        q = step.arrays["slope" if total < 0 and "slope" in step.arrays else "q"][k]
        most = 1023 if "table" in step.arrays else 255
        code = naive_code(total, q, step.arrays["s"][k], step.numbers["offset"], most)
        assert y[n, a, b, k] == (step.arrays["table"][code] if most == 1023 else code)


def test_floats_multiply_exactly_in_the_type_that_is_chosen():
    for size, dtype in ((100, np.float32), (6000, np.float64)):
        w = np.full((size, 2), 127, np.int8)
        assert steps._exact(w) is dtype
        x = np.full((1, size), 255, dtype)
        assert (x @ w.astype(dtype) == 255 * 127 * size).all()


def test_multipliers_have_31_bits_where_sums_can_use_them():
    ratios = np.array([1e-12, 3e-8, 1e-3, 0.5, 1.0, 77.0])
    q, s = convert.multiplier(ratios)
    found = q / 2.0 ** s.astype(int)
    assert np.allclose(found[2:], ratios[2:], rtol=2**-30, atol=0)
    assert (np.abs(found - ratios)[:2] * 2**31 < 2**-19).all()
    assert s.min() >= 1
    assert s.max() == steps.MOST_SHIFT
    with pytest.raises(ExportError, match="2\\^30"):
        convert.multiplier(2.0**31)


def test_channels_that_are_evened_out_give_the_same_answers():
    net, x = NETWORKS["vgg"], images(NETWORKS["vgg"])
    net.layers[1].w.value[..., 0] *= 50  # and its batch norm does not undo that in use
    nodes = convert.prepared(net, net.input_shape)
    before = nodes[2].weights["w"].copy()
    calibrate.equalize(nodes, x)
    ranges = [
        values[nodes[3]].reshape(-1, 6).max(axis=0) for values in calibrate.runs(nodes, x, 99)
    ]
    assert ranges[0].max() / ranges[0].min() < 20
    assert not np.allclose(before, nodes[2].weights["w"])
    (values,) = calibrate.runs(nodes, x, 99)
    assert np.allclose(values[nodes[-1]], net.infer(x), rtol=1e-4, atol=1e-5)
    net.layers[1].w.value[..., 0] /= 50


def test_rounding_makes_up_for_its_errors():
    r = rng(0)
    x = r.standard_normal((400, 12)) @ r.standard_normal((12, 12))
    w, scales = r.standard_normal((12, 5)), np.full(5, 0.1)
    errors = [x @ (w - weights.rounded(w, scales, m) * scales) for m in (None, x.T @ x)]
    assert np.square(errors[1]).sum() < 0.7 * np.square(errors[0]).sum()
    assert weights.rounded(np.array([[1000.0]]), np.ones(1), np.ones((1, 1))).item() == 127


# ---- what went wrong once -----------------------------------------------------------------------


def test_a_nearly_dead_filter_keeps_its_bias_in_32_bits():
    net = chain(L.Conv2D(1, 4, 3, rng=rng(0)), L.ReLU(), L.Flatten(), L.Dense(256, 3, rng=rng(1)))
    net.layers[1].w.value[..., 1] = 1e-12
    net.layers[1].w.value[..., 2] = 0
    net.layers[1].b.value[...] = 0, 3, 2, 1
    made = int8.quantize(net, images(net))
    step, x = made.steps[1], images(net)
    assert np.abs(step.arrays["b"].astype(np.int64)).max() <= 2**30 + 255 * 127 * 9
    codes = made.every(x)[1]
    for k, value in ((1, 3), (2, 2)):  # constant, as in the float network
        assert np.abs((codes[..., k] - step.zero) * step.scale - value).max() < step.scale
    assert np.abs(net.infer(x) - made.infer(x)).max() < 0.1


def test_activations_beyond_the_calibration_saturate():
    net = chain(L.Conv2D(1, 4, 3, rng=rng(0)), L.ReLU(), L.Flatten(), L.Dense(256, 3, rng=rng(1)))
    made = int8.quantize(net, images(net) // 8 + 90)
    codes = made.every(images(net))[1]
    assert codes.max() == 255
    assert (codes == 255).mean() > 0.01
    assert np.isfinite(made.infer(images(net))).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_images_of_zeros_calibrate_and_are_answered(name):
    net = NETWORKS[name]
    net.input_shape = getattr(net, "input_shape", (8, 8, 1))
    zeros = np.zeros((2, *net.input_shape), np.uint8)
    _, made = quantized(name)
    assert np.abs(net.infer(zeros) - made.infer(zeros)).max() < 0.1
    made = int8.quantize(net, zeros)
    assert np.isfinite(made.infer(images(net))).all()


# ---- what does not go ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (lambda: models.build("densenet"), "has no integer form"),
        (lambda: chain(L.Conv2D(1, 2, 3), L.Flatten()), "end in a dense layer"),
        (
            lambda: chain(L.Conv2D(1, 2, 3), L.Standardize(), L.Flatten(), L.Dense(128, 2)),
            "layer 2",
        ),
        (lambda: chain(L.Flatten(), L.PReLU(64), L.Dense(64, 2)), "behind sums alone"),
        (
            lambda: chain(
                L.Conv2D(1, 2, 3), L.Conv2D(2, 2, 3, groups=2), L.Flatten(), L.Dense(128, 2)
            ),
            r"layer 2 \(conv\) has no integer form",
        ),
    ],
)
def test_what_cannot_go_is_named(net, message):
    net = net()
    with pytest.raises(ExportError, match=message) as caught:
        int8.quantize(net, images(net, 2))
    assert "\n" not in str(caught.value)


def test_sums_that_could_leave_32_bits_are_refused():
    net = chain(L.Flatten(), L.Dense(12 * 90 * 90, 2, init=lambda s, r: np.ones(s, np.float32)),
                shape=(90, 90, 12))  # fmt: skip
    with pytest.raises(ExportError, match="leave 32 bits"):
        int8.quantize(net, np.zeros((1, 90, 90, 12), np.uint8))


def test_other_images_are_refused():
    net, made = quantized("vgg")
    with pytest.raises(ValueError, match="calibration needs uint8"):
        int8.quantize(net, np.zeros((3, 8, 8, 1)))
    with pytest.raises(ValueError, match="takes images"):
        made.infer(np.zeros((1, 9, 8, 1), np.uint8))
    with pytest.raises(ValueError, match="floats from 0 to 1"):
        made.infer(np.full((1, 8, 8, 1), 2.0))
    with pytest.raises(ExportError, match="not trained"):
        made.backward(np.zeros((1, 3)), None)


# ---- in a file ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_a_checkpoint_like_others(name, tmp_path, recwarn):
    net, made = quantized(name)
    nc.save(tmp_path / "x.int8.npz", made, classes=["a", "b"])
    assert not recwarn.list
    x = images(net, 5)
    again = int8.load(tmp_path / "x.int8.npz")
    assert np.array_equal(again.integers(x), made.integers(x))
    assert again.metadata["classes"] == ["a", "b"]
    assert np.allclose(again.infer(x / np.float32(255)), made.infer(x))
    measured = nc.evaluate(again, x, np.zeros(5, int))
    assert 0 <= measured["accuracy"] <= 1
    assert again.summary().multiply_adds == made.multiply_adds() > 0


def test_steps_that_mean_nothing_are_refused(tmp_path):
    _, made = quantized("vgg")
    for fault in (
        lambda s: s[1].__setattr__("shape", (8, 8, 9)),
        lambda s: s[2].__setattr__("inputs", (5,)),
        lambda s: s[2].numbers.pop("stride"),
    ):
        nc.save(tmp_path / "x.npz", made)
        broken = int8.load(tmp_path / "x.npz")
        fault(broken.steps)
        nc.save(tmp_path / "y.npz", broken)
        with pytest.raises(nc.errors.CheckpointError, match="do not fit together"):
            int8.load(tmp_path / "y.npz")
    nc.save(tmp_path / "z.npz", NETWORKS["vgg"])
    with pytest.raises(nc.errors.CheckpointError, match="holds no integer network"):
        int8.load(tmp_path / "z.npz")


# ---- the page -----------------------------------------------------------------------------------


def test_the_worked_numbers_of_the_derivation_hold():
    page = pathlib.Path(int8.__file__).parents[1].joinpath("INT8.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 5
    exec("\n".join(blocks), {})
    for name in re.findall(r"`(?:int8|c)/(\w+\.py)`", page):
        assert list(pathlib.Path(int8.__file__).parents[1].glob(f"*/{name}"))
