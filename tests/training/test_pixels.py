"""The scale of pixels: one contract at every place where images come in."""

import warnings

import numpy as np
import pytest

import numpycnn as nc
from numpycnn.data import rows
from numpycnn.layers import Conv2D, Dense, Flatten, GlobalAvgPool, Layer, Sequential, Standardize
from numpycnn.training import pixels
from numpycnn.training.pixels import Scale
from tests.helpers import arrays, fit, pictures, same, small

pytestmark = pytest.mark.filterwarnings("ignore:classes? .* never predicted")
X, Y = pictures(48)
FLOATS = (X / 255).astype(np.float32)  # 0..1


def plain(seed=0):
    """A network without Standardize."""
    rng = np.random.default_rng(seed)
    return Sequential(Conv2D(1, 4, 3, rng=rng), GlobalAvgPool(), Dense(4, 4, rng=rng))


WAYS = {  # each gives images to a network
    "fit": lambda net, x: fit(net, x, Y, epochs=1),
    "validation": lambda net, x: fit(net, FLOATS, Y, validation=(x, Y), epochs=1),
    "augmented batch": lambda net, x: fit(net, FLOATS, Y, augment=lambda b, rng: x[: len(b)]),
    "evaluate": lambda net, x: nc.evaluate(net, x, Y),
    "predict": lambda net, x: nc.predict(net, x),
}
OTHER = {  # no pixels
    "0 to 255": FLOATS * 255,
    "0 to 255, float64": X.astype(float),
    "-1 to 1": FLOATS * 2 - 1,
    "mean 0, deviation 1": (FLOATS - FLOATS.mean()) / FLOATS.std(),
    "0 to 65535": FLOATS * 65535,
    "-128 to 127": X.astype(np.float32) - 128,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", OTHER)
def test_a_network_with_standardize_expects_pixels(way, kind):
    net = small()
    before = arrays(net)
    with pytest.raises(ValueError, match=r"expects uint8 .0 to 255. or floats from 0 to 1") as e:
        WAYS[way](net, OTHER[kind])
    assert ("x / 255" in str(e.value)) == ("255" in kind)
    assert "leave Standardize out" in str(e.value) or "astype('uint8')" in str(e.value)
    assert same(arrays(net), before)


@pytest.mark.parametrize("way", [*WAYS, "Standardize"])
def test_pixels_of_both_kinds_are_taken(way):
    for x in (X, FLOATS, FLOATS.astype(np.float64), np.round(FLOATS)):
        ways = WAYS | {"Standardize": lambda _, x: Standardize(0.3, 0.2).forward(x)}
        ways[way](small(), x)


def test_standardize_itself_refuses_what_is_plainly_no_pixel():
    for x in (FLOATS * 255, X.astype(float), -100 * FLOATS):
        with pytest.raises(ValueError, match=r"use x.astype\('uint8'\), or x / 255"):
            Standardize(0.3, 0.2).forward(x)
    normal = np.random.default_rng(0).standard_normal((9, 28, 28, 1))
    assert np.isfinite(Standardize(0.3, 0.2).forward(normal)[0]).all()  # of a gradient check
    assert np.isnan(Standardize().forward(np.full((1, 2), np.nan))[0]).all()
    assert Standardize().forward(np.zeros((0, 2, 2, 1), np.float32))[0].shape == (0, 2, 2, 1)


TRAINED = {  # (training images, images of another scale) for a network without Standardize
    "0..255, given 0..1": (FLOATS * 255, FLOATS),
    "0..1, given 0..255": (FLOATS, FLOATS * 255),
    "0..1, given uint8": (FLOATS, X),
    "0..1, given -1..1": (FLOATS, FLOATS * 2 - 1),
    "-1..1, given 0..255": (FLOATS * 2 - 1, FLOATS * 255),
    "-1..1, given 0..1": (FLOATS * 2 - 1, FLOATS),
    "0..1, divided by 255 twice": (FLOATS, FLOATS / 255),
    "standardised, given 0..255": ((FLOATS - 0.3) / 0.2, FLOATS * 255),
}


@pytest.mark.parametrize("kind", TRAINED)
def test_without_standardize_all_must_have_the_scale_of_training(kind, tmp_path):
    own, other = TRAINED[kind]
    with pytest.raises((ValueError, TypeError), match="the training images are"):
        fit(plain(), own, Y, validation=(other, Y))
    net = plain()
    before = arrays(net)
    with pytest.raises((ValueError, TypeError), match=r"the training images are|augment"):
        fit(net, own, Y, batch_size=48, augment=lambda batch, rng: other)
    assert same(arrays(net), before)
    fit(net, own, Y, out=tmp_path, validation=(own, Y))
    nc.save(tmp_path / "own.npz", net)
    restored = plain(1)
    nc.restore(tmp_path / "own.npz", restored)
    loaded = [nc.load(tmp_path / name) for name in ("last.npz", "best.npz", "own.npz")]
    for one in (net, restored, *loaded):
        for way in ("fit", "evaluate", "predict"):
            with pytest.raises(ValueError, match=r"but the network was trained on .* scale them"):
                WAYS[way](one, other)
        assert nc.predict(one, own).shape == (48, 4)
        one.pixel_scale = None  # the way out that the message names
        if other.dtype != np.uint8:
            assert nc.predict(one, other).shape == (48, 4)


def test_floats_cast_to_whole_numbers_are_no_pixels_of_that_network():
    net = small()
    fit(net, X, Y)
    for x in (np.round(FLOATS).astype(np.uint8), FLOATS / 255):
        with pytest.raises(ValueError, match="trained on uint8 from 0 to"):
            nc.predict(net, x)


def test_what_images_can_be_like_is_taken():
    """Dark, light, empty and single images are no other scale."""
    net = small()
    fit(net, X, Y)
    dark, light = (X // 40).astype(np.uint8), 255 - X // 40
    for x in (dark, light, X[:1], X * 0, X * 0 + 255, FLOATS * 0.3, FLOATS * 0, FLOATS[:0]):
        assert nc.predict(net, x).shape == (len(x), 4)
    net = plain()
    fit(net, FLOATS * 2 - 1, Y)
    for x in (FLOATS[:1], FLOATS * 1.5 - 1, FLOATS * 0, FLOATS[:31]):
        assert nc.predict(net, x).shape == (len(x), 4)


def test_augmentation_may_add_noise():
    def noise(batch, rng):
        return batch + rng.normal(0, 0.1, batch.shape)  # float64, and below 0

    net = small()
    assert fit(net, FLOATS, Y, augment=noise).epochs == 2
    assert fit(plain(), FLOATS, Y, augment=noise).epochs == 2


@pytest.mark.parametrize(
    ("augment", "kind", "message"),
    [
        (lambda b, rng: b.astype(int), TypeError, r"augment: .*int64.*astype\(x.dtype\)"),
        (lambda b, rng: b[:3], ValueError, r"augment made \(3, 12, 12, 1\) of a batch \(16, 12"),
        (lambda b, rng: None, ValueError, "augment made NoneType"),
        (lambda b, rng: b * np.float32(np.nan), ValueError, "NaN or infinite"),
        (lambda b, rng: (b, 3), ValueError, "augment made tuple"),
    ],
)
def test_what_an_augmentation_must_return(augment, kind, message):
    net = small()
    before = arrays(net)
    with pytest.raises(kind, match=message):
        fit(net, X, Y, augment=augment)
    assert same(arrays(net), before)


class Divide(Layer):
    """A user's own first layer, which takes floats from 0 to 255."""

    def forward(self, x, train=False):
        return x / 255, None

    def backward(self, dy, cache):
        return dy / 255


def test_only_the_first_layer_that_sees_pixels_counts():
    rng = np.random.default_rng(0)
    own = Sequential(Divide(), Standardize(0.3, 0.2), Flatten(), Dense(144, 4, rng=rng))
    assert not pixels.standardizes(own)
    assert fit(own, FLOATS * 255, Y).epochs == 2
    flat = Sequential(Flatten(), Sequential(Standardize(), Dense(144, 4, rng=rng)))
    assert pixels.standardizes(flat)
    assert not pixels.standardizes(Dense(4, 4, rng=rng))


def test_the_scale_of_many_images_is_that_of_all(monkeypatch):
    monkeypatch.setattr(rows, "MOST", 7)
    assert pixels.measure(FLOATS) == Scale("float", FLOATS.min(), FLOATS.max())
    assert pixels.measure(X) == Scale("uint8", X.min(), X.max())
    bad = FLOATS.copy()
    bad[40, 1, 2, 0], bad[41, 0, 0, 0] = np.nan, np.inf
    with pytest.raises(ValueError, match=r"2 values .* the first is x\[40, 1, 2, 0\]"):
        pixels.measure(bad)


def test_predict_leaves_what_is_not_finite_to_its_image():
    x = FLOATS.copy()
    x[3, 1, 2, 0], x[4] = np.inf, np.nan
    assert np.isfinite(nc.predict(small(), x)[[0, 1, 2, 5]]).all()
    with pytest.raises(ValueError, match="from 0 to 255"):
        nc.predict(small(), np.where(np.arange(48)[:, None, None, None] == 3, 255, x))


@pytest.mark.parametrize(("mean", "std"), [(72.9, 90.0), (33.3, 78.6), (4.0, 20.0)])
def test_a_mean_of_pixels_up_to_255_gives_a_warning(mean, std):
    """They would make all images alike, nearly, and batch norm would make that hard to see."""
    with pytest.warns(UserWarning, match=r"not .* divide both by 255"):
        nc.models.build("vgg", mean=mean, std=std)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nc.models.build("vgg", mean=mean / 255, std=std / 255)
