"""Every kernel against the NumPy reference of its op, at the sizes of the networks' layers.

The kernel computes in float32, the reference in float64 from the same numbers: what differs is the
kernel's own error. Other tests go through small and odd sizes; here the blocks, tiles and threads
are those of training. A kernel that refuses its arguments would let the reference run: it fails.
"""

import importlib
import pathlib

import numpy as np
import pytest

pytest.importorskip("numba")
import numpycnn
from numpycnn import backend, ops
from numpycnn.kernels import conv_kn2row, conv_winograd
from numpycnn.ops import fused, tape, update
from numpycnn.ops.conv import conv_padding

N = 32
WINOGRAD = 4e-5  # the tolerance where a sum goes through Winograd's points and back

COMPARED = {
    "conv2d", "conv2d_backward", "dense", "dense_backward", "batch_norm", "batch_norm_backward",
    "max_pool2d", "max_pool2d_backward", "avg_pool2d", "avg_pool2d_backward", "relu", "leaky_relu",
    "conv_bn_relu", "conv_bn_relu_prepared", "conv_bn_relu_backward", "adam_update", "dropout",
    "dropout_backward",
    "silu", "gelu", "hard_swish", "hard_swish_backward", "layer_norm", "layer_norm_backward",
    "group_norm", "group_norm_backward", "taped",
}  # fmt: skip


@pytest.fixture
def ran(monkeypatch):
    """The names of the kernels that ran, in their order; one that refuses its arguments fails."""
    names, find = [], backend._kernel

    def guarded(file, name):
        kernel = find(file, name)

        def run(*args, **options):
            result = kernel(*args, **options)
            assert result is not NotImplemented, f"the kernel {name} refused its arguments"
            names.append(name)
            return result

        return None if kernel is None else run

    monkeypatch.setattr(backend, "_kernel", guarded)
    before = backend.backend(), backend.threads()
    numpycnn.use("numba", threads=2)
    yield names
    numpycnn.use(*before)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def doubled(arrays):
    return [a.astype(np.float64) if isinstance(a, np.ndarray) else a for a in arrays]


def agree(kernel, reference, tolerance=5e-6):
    """Every array is float32 and differs by at most `tolerance` of its largest value."""
    for number, (got, wanted) in enumerate(zip(kernel, reference, strict=True)):
        if wanted is None:
            assert got is None
            continue
        assert (got.dtype, wanted.dtype) == (np.float32, np.float64)
        assert got.shape == wanted.shape
        error = float(np.abs(got - wanted).max() / np.abs(wanted).max())
        assert error <= tolerance, f"array {number}: relative error {error:.1e}"


def both_passes(op, backward, arrays, *rest, dy=None):
    """(y, *gradients) of the kernels, and of the reference in float64."""
    results = []
    for which in ("numba", "numpy"):
        numpycnn.use(which)
        given = arrays if which == "numba" else doubled(arrays)
        y, cache = op(*given, *rest)
        dy = draw(*y.shape, seed=9) if dy is None else dy
        gradients = backward(dy, cache)
        results.append([y, *(gradients if isinstance(gradients, tuple) else (gradients,))])
    return results


def test_every_kernel_is_compared_here():
    files = [path.stem for path in pathlib.Path(ops.__file__).parent.glob("*.py")]
    found = set()
    for file in files:
        module = importlib.import_module(f"numpycnn.ops.{file}")
        decorated = [name for name, value in vars(module).items() if hasattr(value, "check")]
        found |= {name for name in decorated if backend._kernel(file, name)}
    assert found == COMPARED


def test_a_kernel_that_refuses_fails_these_tests(ran):
    x = draw(2, 3).astype(np.float64)
    with pytest.raises(AssertionError, match="the kernel relu refused its arguments"):
        ops.relu(x)
    assert ran == []


# ---- convolution ------------------------------------------------------------------------------

CONVOLUTIONS = {  # name: x (H, W, C), w (kh, kw, F), stride, padding, the form that it must take
    "VGG, first": ((28, 28, 1), (3, 3, 32), 1, "same", "direct"),
    "VGG, first level": ((28, 28, 32), (3, 3, 32), 1, "same", "winograd"),
    "VGG, second level": ((14, 14, 32), (3, 3, 64), 1, "same", "winograd"),
    "VGG, third level": ((7, 7, 64), (3, 3, 96), 1, "same", "winograd"),
    "AlexNet, first": ((28, 28, 1), (5, 5, 32), 1, "same", "direct"),
    "AlexNet, second": ((14, 14, 32), (5, 5, 64), 1, "same", "winograd"),
    "a critic's, stride 2": ((28, 28, 32), (4, 4, 64), 2, "same", "direct"),
    "a shortcut's, 1x1, stride 2": ((14, 14, 64), (1, 1, 96), 2, "valid", "direct"),
    "a decoder's last, one filter": ((28, 28, 32), (3, 3, 1), 1, "same", "kn2row"),
}


def form(x, w, stride, padding):
    stride = (stride, stride)
    padding = conv_padding(x.shape[1:3], w.shape[:2], stride, padding)
    if conv_winograd.fits(w, stride, padding):
        return "winograd"
    return "kn2row" if conv_kn2row.fits(w, stride, padding) else "direct"


@pytest.mark.parametrize("case", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_convolution(ran, case):
    (h, width, c), (kh, kw, f), stride, padding, expected_form = case
    x, w, b = draw(N, h, width, c), draw(kh, kw, c, f, seed=1), draw(f, seed=2)
    assert form(x, w, stride, padding) == expected_form
    results = both_passes(ops.conv2d, ops.conv2d_backward, (x, w, b), stride, padding)
    agree(*results, tolerance=WINOGRAD if expected_form == "winograd" else 5e-6)
    assert ran == ["conv2d", "conv2d_backward"]


ODD = {  # name: x (H, W, C), w (kh, kw, F), stride, padding, dilation, groups
    "depthwise": ((28, 28, 32), (3, 3, 32), 1, "same", 1, 32),
    "depthwise 5x5, stride 2": ((14, 14, 72), (5, 5, 72), 2, "same", 1, 72),
    "depthwise, dilation (1, 3)": ((15, 14, 33), (3, 3, 33), 1, (1, 2), (1, 3), 33),
    "dilation 2": ((28, 28, 32), (3, 3, 32), 1, "same", 2, 1),
    "dilation (3, 2), 5x5, few filters": ((19, 22, 8), (5, 5, 3), 1, "same", (3, 2), 1),
    "dilation 4, padding beyond the kernel": ((9, 10, 16), (3, 3, 16), 1, 9, 4, 1),
}


@pytest.mark.parametrize("case", ODD.values(), ids=ODD)
def test_depthwise_and_dilated_convolution(ran, case):
    (h, width, c), (kh, kw, f), *place = case
    arrays = draw(N, h, width, c), draw(kh, kw, c // place[-1], f, seed=1), draw(f, seed=2)
    agree(*both_passes(ops.conv2d, ops.conv2d_backward, arrays, *place), tolerance=WINOGRAD)
    assert ran == ["conv2d", "conv2d_backward"]


# ---- convolution, batch norm, ReLU and pooling in one -----------------------------------------

FUSED = {  # name: x (H, W, C), w (kh, kw, F), pool
    "VGG, first": ((28, 28, 1), (3, 3, 32), 1),
    "VGG, end of the first level": ((28, 28, 32), (3, 3, 32), 2),
    "VGG, second level": ((14, 14, 32), (3, 3, 64), 1),
    "VGG, end of the second level": ((14, 14, 64), (3, 3, 64), 2),
    "VGG, third level": ((7, 7, 64), (3, 3, 96), 1),
    "pixels that no window meets": ((7, 7, 64), (3, 3, 96), 2),
    "AlexNet, first": ((28, 28, 1), (5, 5, 32), 2),
    "AlexNet, second": ((14, 14, 32), (5, 5, 64), 2),
}


def normalisation(f):
    """gamma, beta, running mean and variance"""
    return draw(f, seed=3), draw(f, seed=4), draw(f, seed=5), np.abs(draw(f, seed=6)) + 1


def grouped(arrays, statistics=()):
    """x, w, b and the four arrays of batch norm as conv_bn_relu takes them."""
    x, w, b, *norm = arrays
    return x, w, b, fused.Norm(*norm, *statistics)


def safe_dy(arrays, train, pool):
    """An upstream gradient that is 0 where rounding could choose the winner of a window.

    There ReLU or max pooling has a kink within reach of float32: both answers are right.
    """
    x, w, b, *norm = doubled(arrays)
    numpycnn.use("numpy")
    z, _ = ops.batch_norm(ops.conv2d(x, w, b)[0], *norm, train)
    n, oh, ow, f = z.shape[0], z.shape[1] // pool, z.shape[2] // pool, z.shape[3]
    windows = z[:, : oh * pool, : ow * pool].reshape(n, oh, pool, ow, pool, f)
    windows = np.sort(windows.transpose(0, 1, 3, 5, 2, 4).reshape(n, oh, ow, f, -1))
    largest, second = windows[..., -1], windows[..., -2] if pool > 1 else np.inf
    unsafe = (np.abs(largest) < 1e-4) | (np.abs(largest - second) < 1e-4)
    assert unsafe.mean() < 0.01  # else little would be compared
    return draw(n, oh, ow, f, seed=9) * ~unsafe


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("pool", [1, 2])
def test_fused_convolution_with_copies_that_share_their_statistics(ran, pool, train):
    x, w = draw(N, 14, 14, 20), draw(3, 3, 20, 36, seed=1) / np.float32(14)
    norm, whole = normalisation(18), [np.tile(v, 2) for v in normalisation(18)]
    arrays, dy = (x, w, None, *norm), safe_dy((x, w, None, *whole), train, pool)
    results = []
    for which, given in (("numba", arrays), ("numpy", doubled(arrays))):
        numpycnn.use(which)
        statistics = [v.copy() for v in given[-2:]]
        y, cache = fused.conv_bn_relu(*grouped(given[:-2], statistics), train, pool=pool)
        results.append([y, *fused.conv_bn_relu_backward(dy, cache), *statistics])
        assert [v.shape for v in results[-1][-2:]] == [(18,), (18,)]
    agree(
        [v for v in results[0] if v is not None], [v for v in results[1] if v is not None], WINOGRAD
    )
    wanted = fused.conv_bn_relu_infer(*grouped(doubled(arrays)), pool=pool)
    numpycnn.use("numba")
    agree([fused.conv_bn_relu_infer(*grouped(arrays), pool=pool)], [wanted], WINOGRAD)
    assert ran == ["conv_bn_relu", "conv_bn_relu_backward", "conv_bn_relu"]


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("case", FUSED.values(), ids=FUSED)
def test_fused_convolution(ran, case, train):
    (h, width, c), (kh, kw, f), pool = case
    x, w, b = draw(N, h, width, c), draw(kh, kw, c, f, seed=1), draw(f, seed=2)
    w /= np.sqrt(np.float32(kh * kw * c))
    arrays = x, w, b, *normalisation(f)
    dy = safe_dy(arrays, train, pool)

    results, running = [], []
    for which, given in (("numba", arrays), ("numpy", doubled(arrays))):
        numpycnn.use(which)
        statistics = [v.copy() for v in given[-2:]]
        y, cache = fused.conv_bn_relu(*grouped(given[:-2], statistics), train, pool=pool)
        results.append([y, *fused.conv_bn_relu_backward(dy, cache)])
        running.append(statistics)
    # The bias is idle before a batch norm that trains: its gradient is rounding in the reference.
    if train:
        (_, _, _, kernel_db, *_), (_, _, _, db, *_) = results
        assert not kernel_db.any()
        assert np.abs(db).max() < 1e-9
        for result in results:
            del result[3]
    agree(*results, tolerance=WINOGRAD)
    agree(*running)
    assert ran == ["conv_bn_relu", "conv_bn_relu_backward"]


@pytest.mark.parametrize("case", FUSED.values(), ids=FUSED)
def test_fused_convolution_in_inference(ran, case):
    (h, width, c), (kh, kw, f), pool = case
    x, w, b = draw(N, h, width, c), draw(kh, kw, c, f, seed=1), draw(f, seed=2)
    arrays = x, w, b, *normalisation(f)
    y = fused.conv_bn_relu_infer(*grouped(arrays), pool=pool)
    _, *rest = grouped(arrays)
    prepared = fused.conv_bn_relu_prepared(*rest, pool=pool)
    for _ in range(2):  # with the checks, and without
        np.testing.assert_array_equal(prepared(x), y)
    assert ran == ["conv_bn_relu", "conv_bn_relu_prepared", "conv_bn_relu"]
    taped = tape.taped(prepared)
    for i in (0, 1, 2):  # recorded, and repeated
        np.testing.assert_array_equal(taped(x[i : i + 1]), y[i : i + 1])
    assert ran[3:] == ["taped"]
    numpycnn.use("numpy")
    agree([y], [fused.conv_bn_relu_infer(*grouped(doubled(arrays)), pool=pool)], WINOGRAD)


# ---- all others -------------------------------------------------------------------------------


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("shape", [(N, 28, 28, 32), (N, 14, 14, 64), (N, 7, 7, 96), (N, 256)])
def test_batch_norm(ran, shape, train):
    c = shape[-1]
    x, gamma, beta = draw(*shape) * 3 + 2, draw(c, seed=1), draw(c, seed=2)
    running = draw(c, seed=3), np.abs(draw(c, seed=4)) + 1
    updated = []

    def op(x, gamma, beta, mean, var):
        updated.append((mean.copy(), var.copy()))
        return ops.batch_norm(x, gamma, beta, *updated[-1], train)

    agree(*both_passes(op, ops.batch_norm_backward, (x, gamma, beta, *running)))
    agree(*updated)
    assert ran == ["batch_norm", "batch_norm_backward"]


@pytest.mark.parametrize("name", ["layer_norm", "group_norm"])
@pytest.mark.parametrize("shape", [(N, 28, 28, 32), (N, 7, 7, 96), (N, 256)])
def test_layer_and_group_norm(ran, name, shape):
    c = shape[-1]
    arrays = draw(*shape) * 3 + 2, draw(c, seed=1), draw(c, seed=2)
    op, backward = getattr(ops, name), getattr(ops, f"{name}_backward")
    agree(*both_passes(op, backward, arrays, *([4] if name == "group_norm" else [])))
    assert ran == [name, f"{name}_backward"]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("d", "k"), [(7 * 7 * 64, 256), (256, 128), (92, 10)])
def test_dense(ran, d, k, bias):
    arrays = draw(N, d), draw(d, k, seed=1), draw(k, seed=2) if bias else None
    agree(*both_passes(ops.dense, ops.dense_backward, arrays))
    assert ran == ["dense", "dense_backward"]


@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize(
    ("shape", "size", "stride"),
    [((28, 28, 32), 2, None), ((14, 14, 64), 2, None), ((7, 7, 96), 3, 2), ((7, 7, 96), 7, None)],
)
def test_pooling(ran, kind, shape, size, stride):
    name = f"{kind}_pool2d"
    op, backward = getattr(ops, name), getattr(ops, f"{name}_backward")
    agree(*both_passes(op, backward, [draw(N, *shape)], size, stride))
    assert ran == [name, f"{name}_backward"]


@pytest.mark.parametrize("name", ["relu", "leaky_relu"])
@pytest.mark.parametrize("shape", [(N, 28, 28, 32), (N, 14, 14, 64), (N, 7, 7, 96), (N, 256)])
def test_activations(ran, name, shape):
    op, backward = getattr(ops, name), getattr(ops, f"{name}_backward")
    agree(*both_passes(op, backward, [draw(*shape)]))
    assert ran == [name]  # its backward pass is in NumPy in both backends


@pytest.mark.parametrize("generator", ["PCG64", "MT19937", "Philox", "SFC64"])
@pytest.mark.parametrize("shape", [(N, 14, 14, 32), (5, 7, 7, 3), (1,), (0, 3)])
def test_dropout_draws_and_gives_the_same_bits(ran, generator, shape):
    """Twice in a row, of an odd number of values too; -0.0 and NaN * 0 are the reference's."""
    x, dy = draw(*shape), draw(*shape, seed=1)
    if x.size > 1:
        x.flat[:4] = np.nan, np.inf, -np.inf, -0.0
    results = []
    for which in ("numba", "numpy"):
        numpycnn.use(which)
        rng, values = np.random.Generator(getattr(np.random, generator)(3)), []
        for rate in (0.1, 0.7, 1 - 1e-9):
            with np.errstate(invalid="ignore"):
                y, cache = ops.dropout(x, rate, rng)
            values += [y, cache.mask, ops.dropout_backward(dy, cache)]
        later = [*rng.integers(1 << 32, size=3, dtype=np.uint32), rng.random()]  # both kinds
        results.append([a.tobytes() for a in values] + later)
        assert {a.dtype for a in values} == {np.dtype(np.float32)}
    assert results[0] == results[1]
    assert ran == 3 * ["dropout", "dropout_backward"]


@pytest.mark.parametrize("name", ["silu", "gelu", "hard_swish"])
@pytest.mark.parametrize("shape", [(N, 28, 28, 32), (N, 256)])
def test_activations_with_a_gate(ran, name, shape):
    op, backward = getattr(ops, name), getattr(ops, f"{name}_backward")
    agree(*both_passes(op, backward, [3 * draw(*shape)]))
    assert ran == [name, "hard_swish_backward"][: 1 + (name == "hard_swish")]


@pytest.mark.parametrize("decay", [0.0, 0.01])
@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("shape", [(3, 3, 64, 96), (7 * 7 * 64, 256), (96,)])
def test_adam(ran, shape, decoupled, decay):
    """Three steps; what is compared is the way that the values went, not the values."""
    states = []
    for which, dtype in (("numba", np.float32), ("numpy", np.float64)):
        numpycnn.use(which)
        value, m, v = draw(*shape).astype(dtype), np.zeros(shape, dtype), np.zeros(shape, dtype)
        for t in (1, 2, 3):
            grad = draw(*shape, seed=t).astype(dtype)
            numbers = t, 1e-2, 0.9, 0.999, 1e-7, decay, decoupled
            update.adam_update(value, grad, m, v, *numbers)
        states.append((value, m, v))
    agree(*states)
    assert ran == 3 * ["adam_update"]
