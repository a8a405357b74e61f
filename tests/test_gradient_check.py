"""The checker is checked: right layers pass, wrong ones fail with a reason, and nothing given
changes.
"""

import copy
import pickle
import subprocess
import sys
import time

import numpy as np
import pytest

import numpycnn
from numpycnn import backend, layers, models, ops
from numpycnn.errors import NumpyCNNError
from numpycnn.gradient_check import GradCheckError, check_network, gradcheck


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def conv(*args, **kwargs):
    return layers.Conv2D(*args, rng=np.random.default_rng(1), **kwargs)


# ---- wrong layers, one mistake each -----------------------------------------------------------


class NoVarianceTerm(layers.BatchNorm):
    def backward(self, dy, cache):
        xhat, gamma, inv_std, _ = cache
        axes = tuple(range(dy.ndim - 1))
        self.gamma.add_grad((dy * xhat).sum(axes))
        self.beta.add_grad(dy.sum(axes))
        return gamma * inv_std * (dy - dy.mean(axes))


class NoMeanTerm(layers.BatchNorm):
    def backward(self, dy, cache):
        xhat, gamma, inv_std, _ = cache
        super().backward(dy, cache)
        return gamma * inv_std * (dy - xhat * (dy * xhat).mean(tuple(range(dy.ndim - 1))))


class TransposedKernel(layers.Conv2D):
    def backward(self, dy, cache):
        dx, dw, db = ops.conv2d_backward(dy, cache)
        self.w.add_grad(np.ascontiguousarray(dw.swapaxes(0, 1)))
        self.b.add_grad(db)
        return dx


class WrongMask(layers.ReLU):
    def backward(self, dy, cache):
        return dy * (dy > 0)


class ForgottenMask(layers.ReLU):
    def backward(self, dy, cache):
        return dy


class NoBiasGradient(layers.Dense):
    def backward(self, dy, cache):
        dx, dw, _ = ops.dense_backward(dy, cache)
        self.w.add_grad(dw)
        return dx


class Scaled(layers.Tanh):
    def backward(self, dy, cache):
        return 1.001 * super().backward(dy, cache)


class Overwrites(layers.Dense):
    def backward(self, dy, cache):
        dx, self.w.grad, self.b.grad = ops.dense_backward(dy, cache)
        return dx


class DrawsAgain(layers.Dropout):
    def backward(self, dy, cache):
        return dy * (self.rng.random(dy.shape) >= self.rate) / (1 - self.rate)


class MeanForSum(layers.Dense):
    def backward(self, dy, cache):
        dx, dw, db = ops.dense_backward(dy, cache)
        self.w.add_grad(dw)
        self.b.add_grad(db / len(dy))
        return dx


class WrongShape(layers.Flatten):
    def backward(self, dy, cache):
        return dy


class NoDx(layers.Tanh):
    def backward(self, dy, cache):
        pass


class Float32Dx(layers.Tanh):
    def backward(self, dy, cache):
        return super().backward(dy, cache).astype(np.float32)


class WritesX(layers.ReLU):
    def forward(self, x, train=False):
        x[x < 0] = 0
        return super().forward(x, train)


class WritesDy(layers.Layer):
    def forward(self, x, train=False):
        return np.tanh(x), np.tanh(x)

    def backward(self, dy, cache):
        dy *= 1 - cache**2
        return dy


class SpoilsCache(layers.Layer):
    def forward(self, x, train=False):
        return np.tanh(x), np.tanh(x)

    def backward(self, dy, cache):
        cache *= cache
        return dy * (1 - cache)


class ForgetsCache(layers.Layer):
    def forward(self, x, train=False):
        return np.tanh(x)


class MixesCasts(layers.Layer):
    def forward(self, x, train=False):
        return x.astype(np.float32), None


class Noisy(layers.Layer):
    def forward(self, x, train=False):
        return x + np.random.default_rng().random(), None

    def backward(self, dy, cache):
        return dy


class SameName(layers.Layer):
    def __init__(self):
        self.a, self.b = layers.Param("w", np.ones(1)), layers.Param("w", np.ones(1))

    def forward(self, x, train=False):
        return x * self.a.value * self.b.value, x

    def backward(self, dy, cache):
        self.a.add_grad((dy * cache).sum(keepdims=True) * self.b.value)
        self.b.add_grad((dy * cache).sum(keepdims=True) * self.a.value)
        return dy * self.a.value * self.b.value


RNG = np.random.default_rng(1)
WRONG = [
    (NoVarianceTerm(3), draw(4, 3, 2, 3), r"x\[.*ratio"),
    (NoMeanTerm(3), draw(5, 3), r"x .*WRONG"),
    (TransposedKernel(2, 3, 3, rng=RNG), draw(2, 5, 5, 2), r"w\[.*differences"),
    (WrongMask(), draw(3, 7), r"x\["),
    (ForgottenMask(), draw(3, 7), r"backward gives .*, differences 0"),
    (NoBiasGradient(4, 3, rng=RNG), draw(2, 4), "gradient of b is None"),
    (Scaled(), draw(2, 4), r"ratio 1\.001"),
    (Overwrites(4, 3, rng=RNG), draw(2, 4), "overwrote the gradient of w"),
    (DrawsAgain(0.5, RNG), draw(6, 6), "x"),
    (MeanForSum(4, 3, rng=RNG), draw(2, 4), r"b\[.*ratio 0\.5"),
    (WrongShape(), draw(2, 3, 3, 1), r"has the shape \(2, 9\), expected the shape \(2, 3, 3, 1\)"),
    (NoDx(), draw(2, 3), "gradient of x is None"),
    (Float32Dx(), draw(2, 3), "is float32: float64 in"),
    (WritesX(), draw(2, 3), "forward writes into its input"),
    (WritesDy(), draw(2, 3), "backward writes into dy"),
    (SpoilsCache(), draw(2, 3), "second backward with the same cache"),
    (ForgetsCache(), draw(2, 3), r"forward must return a pair \(y, cache\)"),
    (MixesCasts(), draw(2, 3), "float64 in must give float64 out, not float32"),
    (Noisy(), draw(2, 3), "two results for one input"),
]


def test_two_parameters_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two parameters are named w"):
        gradcheck(SameName(), draw(2, 3))


@pytest.mark.parametrize(
    ("layer", "x", "message"), WRONG, ids=[type(row[0]).__name__ for row in WRONG]
)
def test_wrong_layers_fail_and_say_why(layer, x, message):
    with pytest.raises(GradCheckError, match=message) as caught:
        gradcheck(layer, x)
    assert isinstance(caught.value, NumpyCNNError)
    assert isinstance(caught.value, ValueError)
    assert not caught.value.result.ok
    assert str(caught.value) == f"\n{caught.value.result}"  # a table of lines
    assert str(caught.value).count("\n") > 3


def test_an_all_ones_upstream_gradient_would_miss_the_batch_norm():
    right, wrong, ones = layers.BatchNorm(3), NoVarianceTerm(3), np.ones((4, 3))
    dx = [bn.backward(ones, bn.forward(draw(4, 3), train=True)[1]) for bn in (right, wrong)]
    np.testing.assert_allclose(dx[0], dx[1], atol=1e-12)


@pytest.mark.parametrize("size", [(3, 5), (40, 50)])
def test_a_single_wrong_element_in_a_small_array_and_a_wrong_share_of_a_large_one(size):
    class Border(layers.Tanh):
        def backward(self, dy, cache):
            dx = super().backward(dy, cache)
            dx[:, 0] *= 1.01
            return dx

    assert not gradcheck(Border(), draw(*size), raise_error=False).ok


def test_result_reads_as_a_table():
    result = gradcheck(conv(2, 3, 3), draw(2, 5, 4, 2))
    assert result
    assert result.ok
    *exact, single = result.rows
    assert [(r.name, r.elements) for r in exact] == [("x", 80), ("w", 54), ("b", 3)]
    assert all(r.checked == r.elements + 4 for r in exact)
    assert result.max_error == max(r.error for r in exact) < 1e-7
    assert (single.name, single.elements) == (f"float32, {backend.backend()}", 80 + 54 + 3 + 120)
    assert 0 < single.error < 1e-5
    lines = str(result).splitlines()
    assert lines[0] == "gradcheck Conv2D: x (2, 5, 4, 2) -> y (2, 5, 4, 3), train=True"
    assert len({line.index("ok") for line in lines[2:5]}) == 1
    assert lines[-1].startswith("passed: largest relative error")


# ---- kinks ------------------------------------------------------------------------------------


class Absolute(layers.Layer):
    def forward(self, x, train=False):
        return np.abs(x), np.sign(x)

    def backward(self, dy, cache):
        return dy * cache


class Staircase(layers.Layer):
    """A straight-through estimator: nowhere a derivative, but where it is 0."""

    def forward(self, x, train=False):
        return np.round(x), None

    def backward(self, dy, cache):
        return dy


@pytest.mark.parametrize(
    "layer", [layers.ReLU(), layers.LeakyReLU(0.1), layers.PReLU(3), Absolute()]
)
@pytest.mark.parametrize("near", [0.0, 1e-9, -3e-6, 1e-5 / 3])
def test_elements_within_the_step_of_zero_are_counted_and_right_layers_pass(layer, near):
    x = np.where(np.arange(30).reshape(10, 3) % 5 == 0, near, draw(10, 3))
    result = gradcheck(layer, x)
    assert result.rows[0].kinks >= 6
    assert result.max_error < 1e-6


def test_a_wrong_backward_is_not_excused_by_the_kinks_around_it():
    x = np.where(np.arange(30).reshape(10, 3) % 2 == 0, 0.0, draw(10, 3))
    assert not gradcheck(ForgottenMask(), x, raise_error=False).ok
    assert not gradcheck(ForgottenMask(), np.zeros((4, 4)), raise_error=False).ok


@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 1), ((2, 3), (1, 2))])
def test_ties_of_max_pooling_are_left_out_and_the_check_goes_on_beside_them(size, stride):
    constant = gradcheck(layers.MaxPool2D(size, stride), np.full((1, 5, 6, 2), 0.5)).rows[0]
    assert constant.left_out >= 50
    assert constant.checked >= 60
    half = np.maximum(draw(2, 6, 6, 2) - 1, 0)
    row = gradcheck(layers.MaxPool2D(size, stride), half).rows[0]
    assert 0 < row.kinks < row.checked


def test_where_nothing_can_be_checked_the_result_is_not_ok():
    class Kinks(Absolute):
        def forward(self, x, train=False):
            return np.abs((x * 1e9) % 2 - 1), 1

    result = gradcheck(Kinks(), draw(3, 3), raise_error=False)
    assert not result.ok
    assert not gradcheck(Staircase(), draw(3, 3), raise_error=False).ok


def test_curved_and_saturated_functions_have_no_kinks():
    x = np.linspace(-30, 30, 60).reshape(6, 10)
    for layer in (layers.Sigmoid(), layers.Tanh()):
        row = gradcheck(layer, x).rows[0]
        assert (row.kinks, row.checked) == (0, 64)


class Masked(layers.Layer):
    """y = where(seen, x, low), or x + where(seen, 0, low), of neighbours that are added up."""

    def __init__(self, low, add, slope=1.0, forgets=False):
        self.low, self.add, self.slope, self.forgets = low, add, slope, forgets

    def forward(self, x, train=False):
        y, seen, low = x @ np.ones((3, 3), x.dtype), np.tri(3) > 0, x.dtype.type(self.low)
        return y + low * ~seen if self.add else np.where(seen, y, low), seen

    def backward(self, dy, seen):
        kept = dy if self.add != self.forgets else np.where(seen, dy, 0)
        return self.slope * kept @ np.ones((3, 3), dy.dtype)


@pytest.mark.parametrize("low", [-1e9, np.finfo(np.float32).min])
@pytest.mark.parametrize("add", [False, True])
def test_the_low_value_of_a_mask_hides_no_wrong_gradient(low, add):
    assert gradcheck(Masked(low, add), draw(2, 3, 3)).rows[0].left_out == 0
    for wrong in Masked(low, add, 0.0), Masked(low, add, 1.001):
        assert not gradcheck(wrong, draw(2, 3, 3), raise_error=False).ok
    if low == -1e9:  # of a larger one nobody can tell, as it swallows x itself
        assert not gradcheck(Masked(low, add, forgets=True), draw(2, 3, 3), raise_error=False).ok


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_the_step_follows_the_scale(scale):
    net = layers.Sequential(layers.Dense(4, 5, rng=RNG), layers.BatchNorm(5), layers.Tanh())
    net.layers[1].eps = 1e-5 * scale**2
    assert gradcheck(net, scale * draw(6, 4)).max_error < 1e-5


# ---- what stays, and what goes in -------------------------------------------------------------


def test_the_callers_layer_stays_as_it_was():
    net = layers.Sequential(
        conv(1, 3, 3), layers.BatchNorm(3), layers.Dropout(0.5, np.random.default_rng(3))
    )
    x = draw(2, 4, 4, 1).astype(np.float32)
    _, cache = net.forward(x, train=True)
    net.backward(np.ones((2, 4, 4, 3), np.float32), cache)
    before, x_before = pickle.dumps(net), x.copy()
    gradcheck(net, x)
    check_network(layers.Sequential(net, layers.GlobalAvgPool()), x)
    assert pickle.dumps(net) == before
    assert np.array_equal(x, x_before)


def test_dropout_keeps_its_mask_and_eval_mode_is_checked_too():
    for train in (True, False):
        dropout = layers.Dropout(0.5, np.random.default_rng(0))
        assert (
            gradcheck(layers.Sequential(layers.Tanh(), dropout), draw(4, 5), train=train).max_error
            < 1e-7
        )
    assert gradcheck(layers.BatchNorm(3), draw(1, 3), train=False).ok


def test_integer_input():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 1)).astype(np.uint8)
    assert gradcheck(layers.Standardize(0.3, 0.2), pixels).rows[0].checked > 0

    class Embedding(layers.Layer):
        def __init__(self):
            self.w = layers.Param("w", draw(7, 3).astype(np.float32))

        def forward(self, x, train=False):
            return self.w.value[x], x

        def backward(self, dy, cache):
            dw = np.zeros(self.w.value.shape, dy.dtype)
            np.add.at(dw, cache, dy)
            self.w.add_grad(dw)

    assert [row.name for row in gradcheck(Embedding(), np.array([[1, 2], [6, 1]])).rows[:-1]] == [
        "w"
    ]
    assert "nothing to check" in str(gradcheck(layers.Identity(), np.arange(3), raise_error=False))


def test_a_layer_that_does_not_inherit_from_layer():
    class Scale:
        def __init__(self, factor):
            self.s, self.factor, self.inside = (
                layers.Param("s", np.float32([0.5, 2])),
                factor,
                layers.Tanh(),
            )

        def forward(self, x, train):
            y, cache = self.inside.forward(x * self.s.value, train)
            return y, (x, cache)

        def backward(self, dy, cache):
            x, cache = cache
            dy = self.inside.backward(dy, cache)
            self.s.add_grad((dy * x).sum(axis=0) * self.factor)
            return dy * self.s.value

    assert [row.name for row in gradcheck(Scale(1), draw(4, 2)).rows[:-1]] == ["x", "s"]
    with pytest.raises(GradCheckError, match=r"ratio 2\b"):
        gradcheck(Scale(2), draw(4, 2))


def test_a_parameter_called_x():
    class Named(layers.Layer):
        def __init__(self):
            self.x = layers.Param("x", np.ones(3))

        def forward(self, x, train=False):
            return x * self.x.value, x

        def backward(self, dy, cache):
            self.x.add_grad((dy * cache).sum(axis=0))
            return dy * self.x.value

    assert [row.name for row in gradcheck(Named(), draw(4, 3)).rows[:-1]] == ["(input)", "x"]


def test_one_seed_gives_one_result():
    net = layers.Sequential(conv(2, 3, 3), layers.ReLU())
    x = draw(2, 9, 9, 2)
    one, two, other = (
        str(gradcheck(net, x, seed=seed)) for seed in (1, 1, np.random.default_rng(1))
    )
    assert one == two != other


# ---- networks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vgg", "alexnet"])
def test_the_papers_networks_in_seconds(name):
    images = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1)).astype(np.uint8)
    start = time.process_time()
    result = check_network(models.build(name), images, seed=1)
    assert time.process_time() - start < 60
    assert result.ok, str(result)
    names = [row.name for row in result.rows]
    assert "1 Conv2D.w" in names
    assert names[-1] == "whole network and loss"


def test_a_wrong_layer_in_a_network_is_named():
    net = layers.Sequential(conv(1, 3, 3), NoVarianceTerm(3), layers.ReLU(), layers.GlobalAvgPool())
    result = check_network(net, draw(2, 6, 6, 1))
    wrong = [row.name for row in result.rows if row.verdict == "WRONG"]
    assert wrong == [
        "1 NoVarianceTerm.x", "1 NoVarianceTerm.x, train=False", "whole network and loss",
    ]  # fmt: skip


def test_a_wrong_joint_is_seen_by_the_last_row():
    class OneBranch(layers.Add):
        def backward(self, dy, cache):
            self.branches[1].backward(dy, cache[1])
            return self.branches[0].backward(dy, cache[0])

    joint = OneBranch(layers.Identity(), conv(2, 2, 3))
    net = layers.Sequential(conv(1, 2, 3), joint, layers.GlobalAvgPool())
    result = check_network(net, draw(2, 6, 6, 1))
    assert [row.verdict for row in result.rows].count("WRONG") == 1
    assert result.rows[-1].verdict == "WRONG"


def test_labels_may_be_given_and_problems_name_the_layer():
    net = layers.Sequential(Overwrites(4, 3, rng=RNG), SpoilsCache())
    result = check_network(net, draw(3, 4), labels=np.array([0, 1, 2]))
    assert any(
        problem.startswith("0 Overwrites: a second backward overwrote")
        for problem in result.problems
    )
    assert any(problem.startswith("1 SpoilsCache: ") for problem in result.problems)


def test_shared_layers_and_residuals():
    shared = layers.Dense(4, 4, rng=RNG)
    residual = layers.Add(layers.Identity(), copy.deepcopy(shared))
    net = layers.Sequential(shared, layers.Tanh(), shared, residual)
    assert gradcheck(net, draw(3, 4)).max_error < 1e-6


# ---- the name ---------------------------------------------------------------------------------

ORDERS = {
    "function first": "import numpycnn; f = numpycnn.gradcheck; "
    "from numpycnn.gradcheck import check_network",
    "module first": "import numpycnn.gradcheck",
    "a name of the module first": "from numpycnn.gradcheck import check_network; import numpycnn",
    "from the top": "from numpycnn import gradcheck; import numpycnn; "
    "gradcheck(L.Tanh(), np.ones((1, 2)))",
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_numpycnn_gradcheck_can_be_called_whatever_was_imported_first(order):
    code = f"import numpy as np; import numpycnn.layers as L; {order}; "
    code += "print(numpycnn.gradcheck(L.Tanh(), np.ones((1, 2))).ok)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stdout == "True\n", run.stderr


def test_top_level_name():
    assert numpycnn.gradcheck(layers.Tanh(), draw(2, 2)).ok


@pytest.mark.parametrize(
    "amounts", [{"directions": 0, "elements": 0}, {"directions": -1}, {"elements": 2.5}]
)
def test_a_check_of_nothing_is_refused(amounts):
    with pytest.raises(ValueError, match="of which one is above 0"):
        gradcheck(layers.ReLU(), np.ones((2, 3)), **amounts)
    with pytest.raises(ValueError, match="of which one is above 0"):
        check_network(
            models.build("lenet5", seed=0), np.ones((2, 28, 28, 1)), **{"directions": 0, **amounts}
        )
