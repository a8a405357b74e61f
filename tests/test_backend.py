"""The checks that every op has: layouts, dtypes, foreign caches, wrong shapes; and use()."""

import copy
import inspect
import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

import numpycnn
from numpycnn import backend, ops
from numpycnn.errors import NumpyCNNError, ShapeError, UnknownNameError
from numpycnn.ops import fused, update
from tests import naive

IMAGE = (2, 5, 6, 3)
PAIRS = (2, 6, 5, 4)
# name: the shapes of its floating arguments, and the rest
OPS = {
    "conv2d": ({"x": IMAGE, "w": (3, 2, 3, 4), "b": (4,)}, {"stride": (1, 2)}),
    "conv_transpose2d": ({"x": IMAGE, "w": (3, 2, 4, 3), "b": (4,)}, {"stride": 2}),
    "max_pool2d": ({"x": IMAGE}, {"size": 3, "stride": 2}),
    "avg_pool2d": ({"x": IMAGE}, {"size": 2}),
    "global_avg_pool": ({"x": IMAGE}, {}),
    "batch_norm": ({"x": IMAGE, "gamma": (3,), "beta": (3,)}, {"train": True}),
    "mirror_batch_norm": ({"x": PAIRS, "gamma": (2,), "beta": (2,)}, {"train": True}),
    "mirror_conv2d": ({"x": PAIRS, "w": (3, 3, 4, 2), "b": (2,)}, {"padding": 1}),
    "mirror_mean": ({"x": (3, 6)}, {}),
    "dense": ({"x": (4, 3), "w": (3, 5), "b": (5,)}, {}),
    "relu": ({"x": IMAGE}, {}),
    "leaky_relu": ({"x": IMAGE}, {"negative_slope": 0.2}),
    "prelu": ({"x": IMAGE, "alpha": (3,)}, {}),
    "elu": ({"x": IMAGE}, {"alpha": 0.8}),
    "sigmoid": ({"x": IMAGE}, {}),
    "tanh": ({"x": IMAGE}, {}),
    "silu": ({"x": IMAGE}, {}),
    "gelu": ({"x": IMAGE}, {}),
    "hard_swish": ({"x": IMAGE}, {}),
    "softmax": ({"x": (4, 7)}, {}),
    "layer_norm": ({"x": IMAGE, "gamma": (3,), "beta": (3,)}, {}),
    "group_norm": ({"x": PAIRS, "gamma": (4,), "beta": (4,)}, {"groups": 2}),
    "channel_scale": ({"x": IMAGE, "s": (2, 3)}, {}),
    "dropout": ({"x": IMAGE}, {"rate": 0.4}),
    "upsample2d": ({"x": IMAGE}, {"size": (2, 3)}),
    "gaussian_sample": ({"mean": (4, 3), "log_var": (4, 3)}, {}),
}
every_op = pytest.mark.parametrize("name", OPS)


def test_the_table_has_every_op():
    losses = {"softmax_cross_entropy", "bce_with_logits", "mse", "gaussian_kl", "gradient_penalty"}
    losses |= {"distillation"}
    plain = {n for n in ops.__all__ if not n.endswith("_backward")} - losses - {"im2col", "col2im"}
    assert plain == set(OPS)
    assert {f"{n}_backward" for n in plain} <= set(ops.__all__)


DEFAULTS = {
    "conv2d": {"b": None, "stride": 1, "padding": "same", "dilation": 1, "groups": 1},
    "conv2d_backward": {"input_gradient": True},
    "conv_transpose2d": {"b": None, "stride": 1, "padding": "same"},
    "max_pool2d": {"size": 2, "stride": None},
    "avg_pool2d": {"size": 2, "stride": None},
    "batch_norm": {"momentum": 0.9, "eps": 1e-5},
    "mirror_batch_norm": {"momentum": 0.9, "eps": 1e-5},
    "mirror_conv2d": {"b": None, "stride": 1, "padding": "same", "first": False},
    "mirror_conv2d_backward": {"input_gradient": True},
    "dense": {"b": None},
    "dropout": {"rng": None, "train": True},
    "gaussian_sample": {"rng": None, "train": True},
    "upsample2d": {"size": 2},
    "leaky_relu": {"negative_slope": 0.01},
    "elu": {"alpha": 1.0},
    "layer_norm": {"eps": 1e-5},
    "group_norm": {"eps": 1e-5},
    "conv_bn_relu": {
        "stride": 1,
        "padding": "same",
        "momentum": 0.9,
        "eps": 1e-5,
        "pool": 1,
        "keep": True,
    },
    "conv_bn_relu_prepared": {"stride": 1, "padding": "same", "eps": 1e-5, "pool": 1},
    "conv_bn_relu_backward": {"input_gradient": True},
}


def defaults(function):
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}


def test_a_default_stands_in_the_op_and_nowhere_else():
    everything = {**vars(ops), **vars(fused), **vars(update)}
    decorated = {name: op for name, op in everything.items() if hasattr(op, "check")}
    assert set(DEFAULTS) <= set(decorated)
    for name, op in decorated.items():
        assert defaults(op) == DEFAULTS.get(name, {}), name
        assert defaults(op.check) == {}, name


def test_a_check_takes_the_arguments_of_its_op_by_their_names():
    """By name or by place: what the signature shows is what can be called."""
    for name in OPS:
        op = getattr(ops, name)
        assert [*inspect.signature(op.check).parameters] == [*inspect.signature(op).parameters]


@pytest.mark.parametrize("name", sorted({*OPS} & {*DEFAULTS} - {"dropout", "gaussian_sample"}))
def test_what_is_not_given_has_the_default(each_backend, name):
    """All that may be left out is left out, then given by name, then by place: the same bits."""
    op, chosen = getattr(ops, name), DEFAULTS[name]
    required = {key: a for key, a in arrays(name).items() if key not in chosen}
    if name.endswith("batch_norm"):
        c = len(required["gamma"])
        required |= {"running_mean": np.zeros(c), "running_var": np.ones(c), "train": False}
    required |= {"groups": 2} if name == "group_norm" else {}
    wanted = op(**required)[0]
    np.testing.assert_array_equal(op(**required, **chosen)[0], wanted)
    np.testing.assert_array_equal(op(*required.values(), *chosen.values())[0], wanted)


def test_the_decorator_fills_in_what_is_missing():
    seen = []

    def check(x, size, stride):
        seen.append((x, size, stride))
        return x, size, stride

    @backend.op(check)
    def pool(x, size=2, stride=None, *, option=True):
        return x, size, stride, option

    assert pool(1) == (1, 2, None, True)
    assert pool(1, 3) == (1, 3, None, True)
    assert pool(1, stride=4) == (1, 2, 4, True)
    assert pool(1, 3, 4, option=False) == (1, 3, 4, False)
    assert pool(stride=4, x=1) == (1, 2, 4, True)
    assert seen == [(1, 2, None), (1, 3, None), (1, 2, 4), (1, 3, 4), (1, 2, 4)]
    for given, named in [((), {}), ((1, 2, 3, 4), {}), ((1, 2), {"size": 3}), ((1,), {"sise": 3})]:
        with pytest.raises(TypeError, match="check"):
            pool(*given, **named)


def test_im2col_and_col2im_have_the_defaults_of_convolution():
    for function in ops.im2col, ops.col2im:
        assert defaults(function) == {"stride": 1, "padding": "same", "dilation": 1}


def arrays(name, dtype=np.float32, seed=71):
    rng = np.random.default_rng(seed)
    return {key: rng.standard_normal(shape).astype(dtype) for key, shape in OPS[name][0].items()}


def forward(name, arguments):
    rest = dict(OPS[name][1])
    if name.endswith("batch_norm"):
        c = len(arguments["gamma"])
        rest |= {"running_mean": np.zeros(c, np.float32), "running_var": np.ones(c, np.float32)}
    if name in ("dropout", "gaussian_sample"):
        rest["rng"] = np.random.default_rng(72)
    return getattr(ops, name)(**arguments, **rest)


def backward(name, dy, cache):
    gradients = getattr(ops, f"{name}_backward")(dy, cache)
    return gradients if isinstance(gradients, tuple) else (gradients,)


def run(name, arguments, layout="contiguous"):
    """y and the gradients, with an upstream gradient of the same layout."""
    y, cache = forward(name, arguments)
    dy = naive.lay_out(np.random.default_rng(73).standard_normal(y.shape).astype(y.dtype), layout)
    kept = dy.copy()
    gradients = backward(name, dy, cache)
    np.testing.assert_array_equal(dy, kept)
    return (y, *gradients)


# ---- layouts and dtypes -----------------------------------------------------------------------


@every_op
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_layout_gives_the_same_bits_and_no_input_is_written_to(each_backend, name, dtype):
    wanted = run(name, arrays(name, dtype))
    for layout in naive.LAYOUTS:
        arguments = {key: naive.lay_out(a, layout) for key, a in arrays(name, dtype).items()}
        for a, b in zip(run(name, arguments, layout), wanted, strict=True):
            np.testing.assert_array_equal(a, b)
        for key, array in arrays(name, dtype).items():
            np.testing.assert_array_equal(arguments[key], array)


@every_op
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_stay_forward_and_backward(each_backend, name, dtype):
    assert [a.dtype for a in run(name, arrays(name, dtype))] == [dtype] * (1 + len(OPS[name][0]))


@every_op
def test_gradients_have_the_shapes_of_what_they_are_gradients_of(each_backend, name):
    _, *gradients = run(name, arrays(name))
    assert [g.shape for g in gradients] == list(OPS[name][0].values())
    assert all(g.flags.writeable for g in gradients)


@every_op
@pytest.mark.parametrize(
    ("dtype", "becomes"),
    [
        (">f4", np.float32),
        (np.float16, np.float32),
        (">f2", np.float32),
        (">f8", np.float64),
        (np.longdouble, np.float64),
    ],
)
def test_other_floating_kinds_are_converted(each_backend, name, dtype, becomes):
    foreign = arrays(name, np.dtype(dtype))
    for a, b in zip(
        run(name, foreign),
        run(name, {k: v.astype(becomes) for k, v in foreign.items()}),
        strict=True,
    ):
        assert a.dtype == becomes
        assert a.dtype.isnative
        np.testing.assert_array_equal(a, b)


@every_op
def test_float64_in_one_argument_raises_all(each_backend, name):
    for key in OPS[name][0]:
        mixed = {
            k: a.astype(np.float64 if k == key else np.float32) for k, a in arrays(name).items()
        }
        wanted = np.float32 if key in ("b", "beta") else np.float64  # a bias follows the rest
        assert {a.dtype for a in run(name, mixed)} == {np.dtype(wanted)}


@every_op
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, bool, np.complex64, object, "U3", "M8[s]"])
def test_what_is_not_floating_is_refused(each_backend, name, dtype):
    for key in OPS[name][0]:
        arguments = arrays(name)
        arguments[key] = np.zeros(arguments[key].shape, dtype)
        with pytest.raises(TypeError, match=f"{key} must be floating point, not"):
            forward(name, arguments)


def test_pixels_get_a_hint(each_backend):
    with pytest.raises(TypeError, match=r"uint8; scale images first \(layers.Standardize does\)"):
        ops.conv2d(np.zeros(IMAGE, np.uint8), np.zeros((1, 1, 3, 1), np.float32))


@pytest.mark.parametrize(
    "name", ["relu", "leaky_relu", "elu", "sigmoid", "tanh", "silu", "gelu", "hard_swish"]
)
def test_the_shape_of_a_single_number_stays(name):
    assert getattr(ops, name)(np.float32(0.3))[0].shape == ()


def test_nan_passes_relu_and_max_pool(each_backend):
    x = np.ones((1, 4, 4, 33), np.float32)
    x[0, 1, 2, ::2] = np.nan
    assert np.isnan(ops.relu(x)[0][0, 1, 2, ::2]).all()
    assert np.isnan(ops.relu(-x)[0][0, 1, 2, ::2]).all()
    y = ops.max_pool2d(x, 2)[0]
    assert np.isnan(y[0, 0, 1, ::2]).all()
    assert np.isnan(y).sum() == 17


@every_op
def test_nan_in_the_upstream_gradient_is_not_hidden(each_backend, name):
    y, cache = forward(name, {k: np.abs(a) for k, a in arrays(name).items()})
    dy = np.full_like(y, np.nan)
    dx, *others = backward(name, dy, cache)
    # max pooling's losers, and pixels in no window, get nothing; everything else gets the NaN
    assert np.isnan(dx).any() if "pool2d" in name else np.isnan(dx).all()
    assert all(np.isnan(g).all() for g in others if name != "prelu")


# ---- backward's check -------------------------------------------------------------------------


@every_op
def test_a_missing_or_foreign_cache_is_refused(each_backend, name):
    y, cache = forward(name, arrays(name))
    _, foreign = ops.relu(y) if name != "relu" else ops.tanh(y)
    for wrong, came in (
        (None, "NoneType"),
        (tuple(cache), "tuple"),
        (foreign, "(relu|tanh)'s"),
        (y, "ndarray"),
    ):
        with pytest.raises(
            ValueError, match=f"{name}_backward needs the cache that {name} returned, not {came}"
        ):
            backward(name, y, wrong)


@every_op
def test_an_upstream_gradient_of_another_shape_is_refused(each_backend, name):
    y, cache = forward(name, arrays(name))
    for wrong in (y[:1], y[..., :1], y[None], y.ravel(), np.float32(1)):
        with pytest.raises(ShapeError, match=f"{name}_backward: dy has the shape"):
            backward(name, wrong, cache)
    with pytest.raises(TypeError, match="dy must be floating point, not int64"):
        backward(name, np.ones(y.shape, np.int64), cache)


@every_op
def test_an_upstream_gradient_is_brought_into_the_forward_passs_dtype(each_backend, name):
    y, cache = forward(name, arrays(name))
    dy = np.random.default_rng(74).standard_normal(y.shape)
    for a, b in zip(
        backward(name, dy, cache), backward(name, dy.astype(np.float32), cache), strict=True
    ):
        assert a.dtype == np.float32
        np.testing.assert_array_equal(a, b)


@every_op
def test_a_cache_has_names_and_copies_keep_them(each_backend, name):
    y, cache = forward(name, arrays(name))
    assert (cache.op, cache.shape, cache.dtype) == (name, y.shape, y.dtype)
    assert len(cache.fields) == len(cache) > 0
    for copied in copy.copy(cache), copy.deepcopy(cache), pickle.loads(pickle.dumps(cache)):
        assert type(copied) is backend.Cache
        assert vars(copied) == vars(cache)
        for field, kept in zip(cache.fields, cache, strict=True):
            assert getattr(cache, field) is kept
            np.testing.assert_array_equal(getattr(copied, field), kept)
    with pytest.raises(AttributeError, match=f"a cache has {cache.fields[0]}.*, but no 'xhatt'"):
        _ = cache.xhatt


@every_op
def test_a_cache_may_be_used_twice_and_travel(each_backend, name):
    y, cache = forward(name, arrays(name))
    dy = np.random.default_rng(75).standard_normal(y.shape).astype(np.float32)
    first = [g.copy() for g in backward(name, dy, cache)]
    for again in (cache, pickle.loads(pickle.dumps(cache))):
        for a, b in zip(first, backward(name, dy, again), strict=True):
            np.testing.assert_array_equal(a, b)


@every_op
def test_both_backends_agree(name):
    pytest.importorskip("numba")
    before, results = backend.backend(), []
    for dtype in (np.float32, np.float64):
        for which in ("numpy", "numba"):
            numpycnn.use(which)
            results.append(run(name, arrays(name, dtype)))
        numpycnn.use(before)
        for a, b in zip(*results[-2:], strict=True):
            assert a.dtype == b.dtype
            naive.agree(b, a)


@every_op
def test_a_cache_of_one_backend_is_good_in_the_other(name):
    """Someone who calls use() between the passes."""
    pytest.importorskip("numba")
    before = backend.backend()
    for there, back in (("numpy", "numba"), ("numba", "numpy")):
        numpycnn.use(there)
        y, cache = forward(name, arrays(name))
        dy = np.random.default_rng(76).standard_normal(y.shape).astype(np.float32)
        wanted = backward(name, dy, cache)
        numpycnn.use(back)
        for a, b in zip(backward(name, dy, cache), wanted, strict=True):
            naive.agree(a, b)
    numpycnn.use(before)


# ---- use() ------------------------------------------------------------------------------------


def test_use_changes_the_backend_and_the_threads(each_backend):
    assert backend.backend() == each_backend
    numpycnn.use("numpy", threads=1)
    assert (backend.backend(), backend.threads()) == ("numpy", 1)
    numpycnn.use("numpy", threads=np.int64(2))
    assert backend.threads() == 2
    numpycnn.use("numpy")
    assert backend.threads() == 2  # stays


def test_using_is_for_one_thread_and_ends(each_backend):
    """Two threads that each step out and back, in an order that would leave the other's behind."""
    inside, left, seen = threading.Event(), threading.Event(), []

    def first():
        with backend.using("numpy"):
            inside.set()
            assert left.wait(10)
            numpycnn.use(each_backend)  # what others choose meanwhile
            seen.append(backend.backend())
        seen.append(backend.backend())

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(10)
    with backend.using("numpy"):
        assert backend.backend() == "numpy"
        with pytest.raises(KeyError), backend.using(each_backend):
            raise KeyError(backend.backend())
        assert backend.backend() == "numpy"
    assert backend.backend() == each_backend
    left.set()
    thread.join()
    assert seen == ["numpy", each_backend]
    assert backend.backend() == each_backend


@pytest.mark.parametrize("name", ["torch", "", None, "NumPy"])
def test_unknown_backends(name):
    before = backend.backend()
    with pytest.raises(UnknownNameError, match="there are 'numba' and 'numpy'"):
        numpycnn.use(name)
    assert backend.backend() == before


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2"])
def test_impossible_numbers_of_threads(threads):
    before = backend.backend(), backend.threads()
    with pytest.raises(ValueError, match="threads must be a whole number of at least 1"):
        numpycnn.use("numpy", threads=threads)
    assert (backend.backend(), backend.threads()) == before


def test_without_numba_only_numpy_can_be_used(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UnknownNameError, match="numba is not installed: `pip install numba`"):
        numpycnn.use("numba")


def python(code, **environment):
    """stdout of a fresh interpreter that finds the same numpycnn."""
    root = os.path.dirname(os.path.dirname(numpycnn.__file__))
    path = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH")) if p)
    clean = {k: v for k, v in os.environ.items() if not k.startswith("NUMPYCNN_")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**clean, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


TRAIN_A_STEP = """
import sys, numpy as np, numpycnn
{use}
from numpycnn import layers, models, ops, optim
rng = np.random.default_rng(0)
net = models.vgg(filters=(4, 6), depth=1, input_shape=(8, 8, 1), rng=rng)
optimiser = optim.Adam(net.params())
y, cache = net.forward(rng.standard_normal((4, 8, 8, 1), np.float32), train=True)
net.backward(ops.softmax_cross_entropy(y, [0, 1, 2, 3])[1], cache)
optimiser.step()
head = layers.Sequential(layers.ConvTranspose2D(1, 2, 2, 2), layers.PReLU(2), layers.AvgPool2D())
y, cache = head.forward(np.ones((1, 4, 4, 1), np.float32))
head.backward(y, cache)
print(*[m for m in sys.modules if m.startswith(("numba", "llvmlite", "numpycnn.kernels"))])
"""


@pytest.mark.parametrize(
    ("use", "environment"), [("numpycnn.use('numpy')", {}), ("", {"NUMPYCNN_BACKEND": "numpy"})]
)
def test_numpy_never_imports_numba(use, environment):
    assert python(TRAIN_A_STEP.format(use=use), **environment) == ""


def test_importing_numpycnn_imports_nothing_heavy():
    heavy = "('numpy', 'numba', 'matplotlib', 'PIL', 'pooch')"
    assert python(f"import sys, numpycnn; print([m for m in {heavy} if m in sys.modules])") == "[]"


def test_the_environment_chooses():
    code = "from numpycnn import backend; print(backend.backend(), backend.threads())"
    assert python(code, NUMPYCNN_BACKEND="numpy", NUMPYCNN_THREADS="1") == "numpy 1"


def test_an_unknown_backend_in_the_environment_is_an_error_of_ours():
    code = """
from numpycnn import backend
try:
    backend.backend()
except backend.UnknownNameError as e:
    print(e)
"""
    assert (
        python(code, NUMPYCNN_BACKEND="cupy")
        == "unknown backend 'cupy'; there are 'numba' and 'numpy'"
    )


def test_errors_are_what_callers_would_catch():
    assert issubclass(ShapeError, ValueError)
    assert issubclass(ShapeError, NumpyCNNError)
    assert issubclass(UnknownNameError, ValueError)


def test_the_options_of_a_backward_pass(each_backend):
    """By name alone, as the signature says; nothing else is taken for one."""
    _, cache = ops.conv2d(np.zeros(IMAGE, np.float32), np.zeros((1, 1, 3, 1), np.float32))
    dy = np.zeros(cache.shape, np.float32)
    assert ops.conv2d_backward(dy, cache, input_gradient=False)[0] is None
    assert ops.conv2d_backward(dy, cache, input_gradient=True)[0].shape == IMAGE
    assert ops.conv2d_backward(dy, cache)[0].shape == IMAGE
    for given, named in [((), {"train": False}), ((True,), {}), ((True, 1), {})]:
        with pytest.raises(TypeError, match=r"conv2d_backward\(\) (got|takes)"):
            ops.conv2d_backward(dy, cache, *given, **named)


@pytest.mark.parametrize("wrong", ["abc", "0", "-2", "1.5", "\u0664"])
def test_a_wrong_number_of_threads_in_the_environment_is_refused(monkeypatch, wrong):
    monkeypatch.setenv("NUMPYCNN_THREADS", wrong)
    monkeypatch.setattr(backend, "_threads", None)
    with pytest.raises(ValueError, match="NUMPYCNN_THREADS must be a whole number"):
        backend.threads()
