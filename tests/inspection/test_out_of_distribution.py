"""Out of distribution: the formula in loops, cases with a known answer, and the checkpoint."""

import json
import math

import numpy as np
import pytest

import numpycnn as nc
from numpycnn.errors import CheckpointError
from numpycnn.inspection import out_of_distribution
from numpycnn.layers import Dense, Flatten, Sequential, Standardize
from numpycnn.training import checkpoint
from tests.helpers import arrays, pictures, same, small

RNG = np.random.default_rng(0)


def two_halves(n=2000, rng=RNG):
    """Images (n, 2, 2, 1), one half bright, and a network that predicts which half."""
    x = rng.integers(0, 40, (n, 2, 2, 1), dtype=np.uint8)
    x[np.arange(n), np.arange(n) % 2] += 150
    dense = Dense(4, 2)
    dense.w.value[...] = [[1, 0], [1, 0], [0, 1], [0, 1]]
    return x, Sequential(Standardize(), Flatten(), dense)


@pytest.fixture
def known():
    """The network of two_halves with its metadata, as load gives it."""
    x, net = two_halves()
    net.metadata = json.loads(json.dumps({"familiarity": out_of_distribution.fit(net, x)}))
    return net


def test_the_formula_in_loops(known):
    stored = known.metadata["familiarity"]
    rng = np.random.default_rng(9)
    halves, noise = two_halves(60, rng)[0], rng.integers(0, 256, (60, 2, 2, 1))
    x = (halves + np.linspace(0, 0.3, 60)[:, None, None, None] * (noise - halves)).astype(np.uint8)
    result = out_of_distribution.in_distribution(known, x)
    assert 0.2 < np.mean(result) < 0.8
    for image, found in zip(x, result, strict=True):
        f = [int(p) / 255 for p in image.ravel()]
        length = math.sqrt(sum(p * p for p in f))
        distances = [
            sum(
                (p / length - m) ** 2 / v
                for p, m, v in zip(f, mean, stored["variances"], strict=True)
            )
            for mean in stored["means"]
        ]
        assert found == (min(distances) <= stored["limit"])


def test_one_in_a_hundred_is_strange_and_so_is_what_has_no_half(known):
    fresh = out_of_distribution.in_distribution(known, two_halves(5000)[0])
    assert 0.98 < np.mean(fresh) < 1
    columns = two_halves(500)[0].transpose(0, 2, 1, 3).copy()
    blank = np.repeat(np.arange(256, dtype=np.uint8), 4).reshape(-1, 2, 2, 1)
    for strange in columns, blank:
        assert not any(out_of_distribution.in_distribution(known, strange))


def test_brightness_does_not_matter(known):
    x = two_halves(200)[0] / np.float32(255)
    assert out_of_distribution.in_distribution(known, x) == out_of_distribution.in_distribution(
        known, x / 2
    )


def test_a_large_set_is_thinned_evenly_and_a_small_one_refused():
    x, net = two_halves(3 * out_of_distribution.MOST)
    assert out_of_distribution.fit(net, x) == out_of_distribution.fit(net, x[::3])
    with pytest.raises(ValueError, match="at least 100 images"):
        out_of_distribution.fit(net, x[:99])


def test_a_class_that_is_never_named_and_a_feature_that_is_always_0():
    x, net = two_halves()
    x[1::2], x[:, 1] = x[::2], 0
    stored = out_of_distribution.fit(net, x)
    assert len(stored["means"]) == 1
    assert np.isfinite(stored["limit"])


def test_added_to_a_checkpoint_all_else_stays(tmp_path):
    path, net = tmp_path / "net.npz", small("alexnet")
    optimizer = nc.optim.Adam(net.params(), 1e-3)
    nc.save(path, net, optimizer, classes=["a", "b"])
    x = pictures(1200)[0]
    assert out_of_distribution.in_distribution(nc.load(path), x[:3]) == [None] * 3
    before, held = checkpoint.read(path)
    out_of_distribution.add(path, x)
    after, holds = checkpoint.read(path)
    assert same(held, holds)
    assert after.pop("familiarity") == out_of_distribution.fit(net, x)
    assert after == before
    net = nc.load(path)
    assert same(arrays(net), arrays(small("alexnet")))
    assert np.mean(out_of_distribution.in_distribution(net, x)) == pytest.approx(0.99, abs=1e-3)


@pytest.mark.parametrize(
    "change",
    [
        [],
        "text",
        {"means": []},
        {"means": [[1, 2]]},
        {"means": None},
        {"means": [0.5, 0.5, 0.5, 0.5]},
        {"means": [[0.5]]},
        {"variances": 1.0},
        {"variances": {}},
        {"limit": "far"},
        {"limit": None},
    ],
)
def test_a_foreign_note_is_refused(known, change):
    stored = known.metadata["familiarity"]
    known.metadata["familiarity"] = {**stored, **change} if isinstance(change, dict) else change
    with pytest.raises(CheckpointError, match="familiarity is not valid"):
        out_of_distribution.in_distribution(known, two_halves(3)[0])


def test_the_old_names_answer(known):
    with pytest.warns(DeprecationWarning, match="in_distribution"):
        assert out_of_distribution.familiar is out_of_distribution.in_distribution
    with pytest.raises(AttributeError, match="unfamiliar"):
        _ = out_of_distribution.unfamiliar


def test_only_networks_that_end_in_a_dense_layer():
    x, net = two_halves()
    with pytest.raises(TypeError, match="Dense"):
        out_of_distribution.fit(Sequential(*net.layers[:-1]), x)


def test_of_few_images_the_limit_is_raised():
    x, net = two_halves(1000)
    known = out_of_distribution.in_distribution
    net.metadata = {"familiarity": out_of_distribution.fit(net, x)}
    assert np.mean(known(net, x)) == pytest.approx(0.99, abs=1e-3)
    few = out_of_distribution.fit(net, x[:200])
    plain = out_of_distribution._distance(
        out_of_distribution._unit_rows(out_of_distribution._features(net, x[:200])),
        few["means"], few["variances"],
    )  # fmt: skip
    assert few["limit"] == pytest.approx(1.5 * np.quantile(plain, 0.99))
