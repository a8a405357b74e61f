"""A network as JSON and back, repr, and what looks like state but is not found."""

import collections
import json
import warnings

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import layers, models
from numpycnn.errors import CheckpointError
from numpycnn.gradient_check import double
from numpycnn.layers import structure
from numpycnn.layers.traverse import generators, named_buffers, named_params, uncovered
from numpycnn.training import contents


def rng():
    return np.random.default_rng(3)


def through_json(net, classes=contents.LAYERS):
    return structure.unpack(json.loads(json.dumps(structure.pack(net))), classes)


ONE_OF_EACH = {
    "Add": lambda: layers.Add(layers.Identity(), layers.ReLU()),
    "AvgPool2D": lambda: layers.AvgPool2D((2, 3), stride=1),
    "BatchNorm": lambda: layers.BatchNorm(3, momentum=0.5, eps=1e-3),
    "Concat": lambda: layers.Concat(layers.Identity(), layers.Tanh()),
    "Conv2D": lambda: layers.Conv2D(2, 3, (1, 3), stride=(2, 1), padding=1, bias=False, rng=rng()),
    "ConvBNReLU": lambda: layers.ConvBNReLU(
        layers.Conv2D(1, 2, 3, rng=rng()), layers.BatchNorm(2), 2
    ),
    "ConvTranspose2D": lambda: layers.ConvTranspose2D(2, 3, 3, stride=2, rng=rng()),
    "Dense": lambda: layers.Dense(3, 4, bias=False, rng=rng()),
    "Dropout": lambda: layers.Dropout(0.3, rng=rng()),
    "ELU": lambda: layers.ELU(0.5),
    "Flatten": layers.Flatten,
    "Frozen": lambda: layers.Frozen(layers.Dense(3, 4, rng=rng())),
    "GELU": layers.GELU,
    "GlobalAvgPool": layers.GlobalAvgPool,
    "GroupNorm": lambda: layers.GroupNorm(2, 6, eps=1e-3),
    "HardSwish": layers.HardSwish,
    "Identity": layers.Identity,
    "InputGradient": lambda: layers.InputGradient(layers.Sequential(layers.Dense(3, 1, rng=rng()))),
    "LayerNorm": lambda: layers.LayerNorm(3, eps=1e-3),
    "LeakyReLU": lambda: layers.LeakyReLU(0.2),
    "MaxPool2D": lambda: layers.MaxPool2D(3, stride=2),
    "MirrorBatchNorm": lambda: layers.MirrorBatchNorm(3, momentum=0.5),
    "MirrorConv2D": lambda: layers.MirrorConv2D(2, 3, (1, 3), padding=(0, 1), bias=True, rng=rng()),
    "MirrorMean": layers.MirrorMean,
    "PReLU": lambda: layers.PReLU(4),
    "ReLU": layers.ReLU,
    "Reshape": lambda: layers.Reshape(2, -1),
    "Sampling": lambda: layers.Sampling(rng()),
    "Sequential": lambda: layers.Sequential(layers.ReLU(), layers.Tanh()),
    "SiLU": layers.SiLU,
    "Sigmoid": layers.Sigmoid,
    "SqueezeExcite": lambda: layers.SqueezeExcite(6, 4, rng=rng()),
    "Standardize": lambda: layers.Standardize(0.3, 0.4),
    "Tanh": layers.Tanh,
    "Upsample2D": lambda: layers.Upsample2D((2, 3)),
}


def test_every_layer_has_a_case():
    public = {
        name
        for name, kind in vars(layers).items()
        if isinstance(kind, type) and issubclass(kind, layers.Layer) and kind is not layers.Layer
    }
    assert public == set(ONE_OF_EACH)


@pytest.mark.parametrize("make", ONE_OF_EACH.values(), ids=ONE_OF_EACH)
def test_every_layer_comes_back_with_its_arguments_shapes_and_generators(make):
    layer = make()
    again = through_json(layer)
    assert type(again) is type(layer)
    assert repr(again) == repr(layer)
    assert structure.pack(again) == structure.pack(layer)
    shapes = {path: param.value.shape for path, param in named_params(layer).items()}
    assert {path: param.value.shape for path, param in named_params(again).items()} == shapes
    assert named_buffers(again).keys() == named_buffers(layer).keys()
    assert generators(again).keys() == generators(layer).keys()


@pytest.mark.parametrize("name", models.MODELS)
def test_every_model_comes_back_whole(name, tmp_path):
    net = models.build(name, seed=1)
    nc.save(tmp_path / "net.npz", net)
    net.spec = None  # as if it were nobody's model: the structure alone must do
    nc.save(tmp_path / "own.npz", net)
    for file in ("net.npz", "own.npz"):
        again = nc.load(tmp_path / file)
        for path, param in named_params(net).items():
            np.testing.assert_array_equal(named_params(again)[path].value, param.value)
        assert repr(again) == repr(net)


REPRS = {
    'Conv2D(1, 32, 3, padding="same")': lambda: layers.Conv2D(1, 32, 3, rng=rng()),
    'Conv2D(1, 2, (1, 3), stride=2, padding="valid", bias=False)': lambda: layers.Conv2D(
        1, 2, (1, 3), stride=(2, 2), padding="valid", bias=False, rng=rng()
    ),
    'Conv2D(8, 8, 3, padding="same", dilation=2, groups=8)': lambda: layers.Conv2D(
        8, 8, 3, dilation=(2, 2), groups=8, rng=rng()
    ),
    "GroupNorm(2, 6)": lambda: layers.GroupNorm(2, 6),
    "SqueezeExcite(6, reduction=4)": lambda: layers.SqueezeExcite(6, 4, rng=rng()),
    "Dense(3, 4)": lambda: layers.Dense(3, 4, rng=rng()),
    "LeakyReLU(negative_slope=0.2)": lambda: layers.LeakyReLU(0.2),
    "MaxPool2D(size=3, stride=2)": lambda: layers.MaxPool2D(3, 2),
    "Sequential(ReLU(), Tanh())": lambda: layers.Sequential(layers.ReLU(), layers.Tanh()),
    "Dropout(0.3)": lambda: layers.Dropout(0.3),
}


@pytest.mark.parametrize("text", REPRS)
def test_repr_is_what_to_type(text):
    assert repr(REPRS[text]()) == text
    assert repr(eval(text, vars(layers).copy())) == text


class Named(layers.Sequential):
    """Attributes of its own, named as what models, fit and load note on a network."""

    def __init__(self, *layers, input_shape=28, spec="3x3", metadata="mine"):
        super().__init__(*layers)
        self.input_shape, self.spec, self.metadata = input_shape, spec, metadata


@pytest.mark.filterwarnings("ignore:this network has layers of yours")
def test_attributes_named_as_what_load_notes_are_left_alone(tmp_path):
    net = Named(layers.Dense(3, 2, rng=rng()), spec={"kind": 3})
    nc.save(tmp_path / "c.npz", net)
    again = nc.load(tmp_path / "c.npz", layers=[Named])
    assert (again.input_shape, again.spec) == (28, {"kind": 3})
    assert again.metadata["input_shape"] is None
    x = rng().standard_normal((4, 3)).astype(np.float32)
    with pytest.warns(UserWarning, match="one class only"):
        assert len(nc.evaluate(net, x, np.zeros(4, int))["confusion"]) == 2
    with pytest.raises(nc.errors.ShapeError, match="needs the shape"):
        net.summary()
    with pytest.raises(CheckpointError, match="expected Named: "):
        nc.restore(tmp_path / "c.npz", Named(layers.Dense(3, 4, rng=rng())))
    nc.save(tmp_path / "c.npz", Named(input_shape=(np.int64(3), 4)))
    assert nc.load(tmp_path / "c.npz", layers=[Named]).input_shape == (3, 4)


class Swish(layers.Layer):
    """y = x s(b x), its factor b kept as an attribute."""

    def __init__(self, b=1.0):
        self.b = b

    def forward(self, x, train=False):
        s = 1 / (1 + np.exp(-self.b * x))
        return x * s, (x, s)

    def backward(self, dy, cache):
        x, s = cache
        return dy * (s + self.b * x * s * (1 - s))


def changed(how, tmp_path):
    """A small network that was changed after it was built, saved and loaded; and itself."""
    net = models.build("lenet5", seed=2)
    how(net)
    nc.save(tmp_path / "c.npz", net)
    return net, nc.load(tmp_path / "c.npz")


def swap_activations(net):
    net.layers = [
        layers.LeakyReLU(0.3) if isinstance(one, layers.Tanh) else one for one in net.layers
    ]


def new_head(net):
    net.layers[-1] = layers.Dense(84, 3, rng=rng())


def insert_dropout(net):
    net.layers.insert(-1, layers.Dropout(0.4, rng=rng()))


def change_stride(net):
    net.layers[1].padding = "valid"
    net.layers[1].padding = "same"
    net.layers[3].size = net.layers[3].stride = (2, 2)
    net.layers[0].mean = 0.5


def share_a_layer(net):
    extra = layers.Dense(84, 84, rng=rng())
    net.layers[-1:-1] = [extra, layers.Tanh(), extra]


def tie_two_weights(net):
    first, second = (layers.Dense(84, 84, rng=rng()) for _ in range(2))
    second.w = first.w
    net.layers[-1:-1] = [first, layers.Tanh(), second]


class Kept(layers.Layer):
    """x @ w, its weight in a list or a tuple inside a dict."""

    def __init__(self, inside=list):
        self.kept = {"all": inside([layers.Param("w", np.eye(3, dtype=np.float32))])}

    def config(self):
        return {}

    def forward(self, x, train=False):
        return x @ self.kept["all"][0].value, x


@pytest.mark.filterwarnings("ignore:this network has layers of yours")
def test_a_weight_in_a_list_that_was_tied_is_tied_again(tmp_path):
    net = layers.Sequential(Kept(), Kept())
    net.layers[1].kept["all"] = net.layers[0].kept["all"]
    nc.save(tmp_path / "c.npz", net)
    again = nc.load(tmp_path / "c.npz", layers=[Kept])
    assert again.layers[1].kept["all"][0] is again.layers[0].kept["all"][0]


class Fixed(Kept):
    def __init__(self):
        super().__init__(tuple)


def test_a_weight_in_a_tuple_that_was_tied_is_told_of_at_save(tmp_path):
    net = layers.Sequential(Fixed(), Fixed())
    net.layers[1].kept["all"] = net.layers[0].kept["all"]
    with pytest.warns(UserWarning, match=r"'1.kept.all.0', in a tuple: keep it in a list"):
        nc.save(tmp_path / "c.npz", net)


@pytest.mark.parametrize(
    "how",
    [swap_activations, new_head, insert_dropout, change_stride, share_a_layer, tie_two_weights],
)
def test_a_changed_network_loads_as_it_is(how, tmp_path):
    net, again = changed(how, tmp_path)
    x = rng().integers(0, 256, (4, 28, 28, 1), dtype=np.uint8)
    np.testing.assert_array_equal(nc.predict(again, x), nc.predict(net, x))
    assert repr(again) == repr(net)
    assert len(named_params(again)) == len(named_params(net))


def test_what_was_one_is_one_again(tmp_path):
    _, again = changed(share_a_layer, tmp_path)
    assert again.layers[-4] is again.layers[-2]
    _, again = changed(tie_two_weights, tmp_path)
    assert again.layers[-4].w is again.layers[-2].w
    shared = rng()
    net = through_json(layers.Sequential(layers.Dropout(0.1, shared), layers.Dropout(0.2, shared)))
    assert net.layers[0].rng is net.layers[1].rng


def test_a_layer_of_ones_own_is_told_of_at_save_and_loads_by_its_class(tmp_path):
    net = models.build("lenet5", seed=2)
    net.layers[2] = Swish(0.5)
    with pytest.warns(UserWarning, match=r"load\(path, layers=\[Swish\]\)"):
        nc.save(tmp_path / "c.npz", net)
    with pytest.raises(CheckpointError, match=r"'Swish'.*layers=\[Swish\].*--net"):
        nc.load(tmp_path / "c.npz")
    again = nc.load(tmp_path / "c.npz", layers=[Swish])
    assert again.layers[2].b == 0.5
    x = rng().integers(0, 256, (4, 28, 28, 1), dtype=np.uint8)
    np.testing.assert_array_equal(nc.predict(again, x), nc.predict(net, x))


class Forgetful(layers.Layer):
    def __init__(self, size):
        self.w = layers.Param("w", np.ones(size, np.float32))

    def forward(self, x, train=False):
        return x * self.w.value, x

    def backward(self, dy, x):
        self.w.add_grad((dy * x).sum(axis=0))
        return dy * self.w.value


def test_a_layer_that_forgets_its_arguments_is_told_of_at_save(tmp_path):
    net = layers.Sequential(Forgetful(3))
    assert repr(net) == "Sequential(Forgetful(...))"
    with pytest.warns(UserWarning, match=r"restore\(path, net\) can: .*self.size = size"):
        nc.save(tmp_path / "c.npz", net)
    with pytest.raises(CheckpointError, match=r"numpycnn.restore\(path, net\)"):
        nc.load(tmp_path / "c.npz")
    other = layers.Sequential(Forgetful(3))
    other.layers[0].w.value *= 0
    nc.restore(tmp_path / "c.npz", other)
    np.testing.assert_array_equal(other.layers[0].w.value, np.ones(3))


class Scaled(layers.Dense):
    """Takes an argument more than the config() that it inherits knows."""

    def __init__(self, *arguments, gain=1.0, **named):
        super().__init__(*arguments, **named)
        self.gain = gain


class Percent(layers.ReLU):
    """Keeps another value than it was given."""

    def __init__(self, rate):
        self.rate = rate / 100


class Square(layers.Dense):
    """Is given other arguments than its config() returns."""

    def __init__(self):
        super().__init__(3, 3)


class Wider(layers.Dense):
    def config(self):
        return {**super().config(), "out_features": 5}


WRONG_CONFIG = {
    "without its argument gain.* write a config": lambda: Scaled(3, 3, gain=5.0),
    "Percent's rate is 0.005 after load, 0.5 here": lambda: Percent(50),
    r"restore\(path, net\) can: Square.__init__.* unexpected": Square,
    r"param/1.w is \(3, 5\) after load, \(3, 3\)|shape \(3, 5\)": lambda: Wider(3, 3),
}


@pytest.mark.parametrize("sentence", WRONG_CONFIG)
def test_a_config_that_makes_another_layer_is_told_of_at_save(sentence, tmp_path):
    net = layers.Sequential(layers.ReLU(), layers.Frozen(WRONG_CONFIG[sentence]()))
    with pytest.warns(UserWarning, match=sentence):
        nc.save(tmp_path / "c.npz", net)
    nc.restore(tmp_path / "c.npz", net)  # nothing is lost


class Right(Scaled):
    """A constructor that is its config()'s, and draws from NumPy's own state."""

    def __init__(self, in_features, out_features, bias=True, gain=np.nan):
        super().__init__(in_features, out_features, bias, gain=gain)
        self.drawn = np.random.random()  # noqa: NPY002

    def config(self):
        return {**super().config(), "gain": self.gain}


def test_trying_the_way_back_says_and_changes_nothing_where_it_is_right(tmp_path):
    np.random.seed(0)  # noqa: NPY002
    net = layers.Sequential(Right(3, 3), layers.Frozen(layers.BatchNorm(3)))
    drawn = np.random.get_state()[2]  # noqa: NPY002
    with pytest.warns(UserWarning, match="layers of yours") as told:
        nc.save(tmp_path / "c.npz", net)
    assert len(told) == 1
    assert told[0].filename == __file__
    assert np.random.get_state()[2] == drawn  # noqa: NPY002


def test_a_network_in_float64_loads_in_float64(tmp_path):
    inside = layers.Sequential(layers.Dense(3, 4, rng=rng()), layers.BatchNorm(4))
    double(inside)
    net = layers.Sequential(layers.Frozen(inside), double(layers.Dense(4, 2, rng=rng())))
    nc.save(tmp_path / "c.npz", net)
    x = rng().standard_normal((5, 3))
    again = nc.load(tmp_path / "c.npz").infer(x)
    assert again.dtype == "float64"
    np.testing.assert_array_equal(again, net.infer(x))


def leaky(slope):
    """Another class at each call, each named as one of this library's."""

    class ReLU(layers.Layer):
        def forward(self, x, train=False):
            return np.where(x > 0, x, slope * x), x

    return ReLU


@pytest.mark.filterwarnings("ignore:this network has layers of yours")
def test_a_class_named_as_one_of_this_librarys_is_never_taken_for_it(tmp_path):
    own = leaky(0.5)
    nc.save(tmp_path / "c.npz", layers.Sequential(own()))
    with pytest.raises(CheckpointError, match=r"'ReLU'.*layers=\[ReLU\]"):
        nc.load(tmp_path / "c.npz")
    x = np.array([-1.0])
    np.testing.assert_array_equal(nc.load(tmp_path / "c.npz", layers=[own]).infer(x), [-0.5])
    with pytest.warns(UserWarning, match="ReLU is numpycnn's in one of them"):
        nc.restore(tmp_path / "c.npz", layers.Sequential(layers.ReLU()))


def test_a_network_whose_layers_are_replaced_by_ones_of_the_same_name_is_no_model(tmp_path):
    net = models.build("vgg", seed=2)
    net.layers = [leaky(0.5)() if type(one) is layers.ReLU else one for one in net.layers]
    assert contents.structure_of(net) != contents.structure_of_model("vgg", {})


def test_a_file_without_the_mark_loads_as_before():
    packed = structure.pack(layers.Sequential(leaky(0.5)()))
    assert "own" not in str(packed)
    assert type(structure.unpack(packed, contents.LAYERS).layers[0]) is layers.ReLU
    own = leaky(0.1)
    assert type(structure.unpack(packed, contents.LAYERS | {"ReLU": own}).layers[0]) is own


def test_two_classes_of_one_name_are_told_of_at_save_and_refused_by_load(tmp_path):
    one, other = leaky(0.5), leaky(0.25)
    net = layers.Sequential(one(), layers.Frozen(other()))
    with pytest.warns(UserWarning, match=r"restore\(path, net\) can: two classes are named ReLU"):
        nc.save(tmp_path / "c.npz", net)
    with pytest.raises(ValueError, match="two classes named ReLU"):
        nc.load(tmp_path / "c.npz", layers=[one, other])


def test_restoring_into_another_network_of_the_same_shapes_is_told_of(tmp_path):
    nc.save(tmp_path / "c.npz", models.build("lenet5", seed=2))
    other = models.build("lenet5", seed=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nc.restore(tmp_path / "c.npz", other)
    swap_activations(other)
    with pytest.warns(
        UserWarning, match="Tanh is in the file|LeakyReLU is 'Tanh'|Tanh in the file"
    ):
        nc.restore(tmp_path / "c.npz", other)


# ---- discovery ----------------------------------------------------------------------------------


class Nested(layers.Layer):
    """Parameters and layers in dicts, lists and tuples at any depth."""

    def __init__(self):
        self.table = {
            "a": [layers.Param("p", np.ones(2, np.float32))],
            "b": {"c": (layers.ReLU(),)},
        }
        self.heads = [[layers.Dense(2, 2, rng=rng())], {"x": layers.BatchNorm(2)}]
        self.table["itself"] = self.table

    def forward(self, x, train=False):
        x, first = self.heads[0][0].forward(x * self.table["a"][0].value, train)
        return x, (x, first)


def test_params_and_layers_are_found_at_any_depth():
    net = Nested()
    assert set(named_params(net)) == {
        "p", "heads.0.0.w", "heads.0.0.b", "heads.1.x.gamma", "heads.1.x.beta",
    }  # fmt: skip
    assert set(named_buffers(net)) == {"heads.1.x.running_mean", "heads.1.x.running_var"}
    assert [name for name, _ in net.children()] == ["table.b.c.0", "heads.0.0", "heads.1.x"]


class Box:
    def __init__(self, inside):
        self.inside = inside


class Hiding(layers.Layer):
    def __init__(self, **hidden):
        vars(self).update(hidden)

    def forward(self, x, train=False):
        return x, None

    def backward(self, dy, cache):
        return dy


HIDDEN = {
    "a plain array": {"weight": np.ones((2, 3), np.float32)},
    "an array in a list": {"weights": [np.ones(3)]},
    "a Param in an object": {"box": Box(layers.Param("w", np.ones(2)))},
    "a layer in an object": {"box": Box(layers.Dense(2, 2, rng=rng()))},
    "a Param in a set": {"all": {layers.Param("w", np.ones(2))}},
    "a counter": {"count": np.zeros(1, np.int64)},
    "a Param in a list in an object": {"box": Box([layers.Param("w", np.ones(2))])},
    "a Param in an object in a list": {"boxes": [Box(layers.Param("w", np.ones(2)))]},
    "a layer in an object in a dict": {"boxes": {"a": Box(layers.ReLU())}},
    "a Param in a deque": {"queue": collections.deque([layers.Param("w", np.ones(2))])},
    "a Param in an array": {"table": np.array([layers.Param("w", np.ones(2))], object)},
}


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN)
def test_what_looks_like_state_and_is_not_found_is_named_by_save_fit_and_gradcheck(
    hidden, tmp_path
):
    name = next(iter(hidden))
    layer = Hiding(**hidden)
    net = layers.Sequential(layers.Flatten(), layer, layers.Dense(4, 2, rng=rng()))
    assert len(uncovered(net)) == 1
    assert f"1 Hiding.{name}" in uncovered(net)[0]
    with pytest.warns(UserWarning, match=f"Hiding.{name}"):
        nc.save(tmp_path / "c.npz", net)
    x, y = np.zeros((4, 2, 2, 1), np.uint8), np.arange(4) % 2
    with pytest.warns(UserWarning, match=f"Hiding.{name}"):
        nc.fit(layers.Sequential(layers.Standardize(), *net.layers), x, y, epochs=1, progress=False)
    result = nc.gradcheck(layer, rng().standard_normal((3, 4)), raise_error=False)
    assert any(f"Hiding.{name}" in note for note in result.notes)
    assert f"Hiding.{name}" in str(result)


def test_what_looks_like_state_in_a_frozen_layer_is_named_and_its_class_too(tmp_path):
    net = layers.Sequential(layers.Frozen(layers.Sequential(Hiding(mean=np.zeros(1)))))
    with pytest.warns(UserWarning, match=r"layers=\[Hiding\]") as told:
        nc.save(tmp_path / "c.npz", net)
    assert any("0.0 Hiding.mean (1,) is an array" in str(one.message) for one in told)


class Table(layers.Layer):
    """Arrays as arguments, a cache of whole numbers, a module, a list that holds itself."""

    def __init__(self, order, more):
        self.order, self.more = order, more
        self._places, self.module, self.loop = np.argsort(order), layers, []
        self.loop.append(self.loop)


def test_arguments_and_caches_are_no_state():
    assert uncovered(Table(np.array([1, 0]), {"a": [np.ones(2)]})) == []


@pytest.mark.parametrize(
    ("names", "layer"),
    [
        (named_buffers, Hiding(inner={1: layers.BatchNorm(2), "1": layers.BatchNorm(2)})),
        (generators, Hiding(inner={1: layers.Dropout(0.5), "1": layers.Dropout(0.5)})),
        (named_buffers, layers.Frozen(Hiding(buffer_names=["w"], w=np.ones(1),
                                             param=layers.Param("w", np.zeros(1))))),
    ],
)  # fmt: skip
def test_two_arrays_or_generators_of_one_name_are_refused(names, layer):
    with pytest.raises(ValueError, match=r"are named (inner\.1\.|w).*its own name"):
        names(layer)


class Beside(layers.Sequential):
    """A chain, and layers beside it: one that keeps running statistics, one that draws, another."""

    def __init__(self):
        super().__init__(layers.Dense(3, 2, rng=rng()))
        self.norm, self.more = layers.BatchNorm(3), {"drop": layers.Dropout(0.5), "on": self.layers}
        self.shortcut = layers.Dense(3, 2, bias=False, rng=rng())


def test_a_layer_beside_the_list_of_a_sequential_is_named_where_it_keeps_what_is_not_saved():
    net = layers.Sequential(Beside())
    assert [sentence.partition(" stands")[0] for sentence in uncovered(net)] == [
        "0 Beside.norm (BatchNorm)", "0 Beside.more.drop (Dropout)",
    ]  # fmt: skip
    assert all("not saved: put it among them" in sentence for sentence in uncovered(net))


@pytest.mark.parametrize("name", models.MODELS)
def test_nothing_of_this_librarys_is_uncovered(name):
    assert uncovered(models.build(name)) == []
    assert uncovered(layers.Sequential(layers.Frozen(models.build(name)))) == []


@pytest.mark.parametrize("name", ["params", "buffers", "children", "config", "summary"])
def test_a_value_that_would_hide_a_method_gets_a_sentence(name):
    with pytest.raises(TypeError, match=rf"Hiding.{name} is a method of every layer.*another name"):
        setattr(Hiding(), name, {})
