"""The architectures: counts, shapes, gradients, what a seed fixes, what is refused."""

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import layers, models
from numpycnn.errors import ShapeError, UnknownNameError
from numpycnn.gradient_check import check_network
from numpycnn.layers.traverse import named_buffers, named_params, walk

SMALL = {  # arguments that make each small, for images of at least 12 x 12
    "alexnet": {"filters": (6, 8), "hidden": (16, 12)},
    "densenet": {"depth": 7, "growth": 3, "filters": 4, "dropout": 0.2, "blocks": 3},
    "keras_cnn": {"filters": (6, 8), "hidden": 12},
    "lenet5": {},
    "mirror_vgg": {"filters": (4, 6), "dropout": (0.1, 0.2), "depth": 1},
    "resnet": {"depth": 8, "filters": (4, 6, 8)},
    "vgg": {"filters": (6, 8), "dropout": (0.1, 0.2), "depth": 1},
}


def counted(net):
    return sum(p.value.size for p in net.params()), sum(b.size for b in named_buffers(net).values())


def test_vgg_has_at_most_the_papers_parameters():
    trained, running = counted(models.build("vgg"))
    assert (trained, running) == (196_026, 752)
    assert trained + running <= 198_351
    table = models.build("vgg").summary((28, 28, 1))
    assert (table.total, table.trainable, table.non_trainable) == (196_778, 196_026, 752)


def test_alexnet_counts_by_hand():
    """conv (k*k*C + 1) F, dense (D + 1) K; two pools leave 7x7."""
    tuned = (25 + 1) * 32 + (25 * 32 + 1) * 64 + (49 * 64 + 1) * 256 + 257 * 128 + 129 * 10
    assert counted(models.build("alexnet")) == (tuned, 0)
    untuned = (9 + 1) * 16 + (9 * 16 + 1) * 32 + (49 * 32 + 1) * 128 + 129 * 64 + 65 * 10
    form = {"filters": (16, 32), "kernel_size": 3, "hidden": (128, 64), "dropout": 0}
    assert counted(models.build("alexnet", **form)) == (untuned, 0)


def test_vgg_is_made_as_the_paper_says():
    net = models.build("vgg")
    kinds = [type(layer) for layer in net.layers]
    for i, kind in enumerate(kinds):
        if kind is layers.Conv2D:
            assert kinds[i + 1 : i + 3] == [layers.BatchNorm, layers.ReLU]
            assert net.layers[i].w.value.shape[:2] == (3, 3)
    filters = [layer.w.value.shape[3] for layer in net.layers if type(layer) is layers.Conv2D]
    assert filters == sorted(filters)
    assert kinds.count(layers.Dense) == 1
    assert kinds[-2:] == [layers.GlobalAvgPool, layers.Dense]
    rates = [layer.rate for layer in net.layers if type(layer) is layers.Dropout]
    assert rates == [0.1, 0.2, 0.3]


def test_every_architecture_is_tested():
    assert SMALL.keys() == {function.__name__ for function in models.CLASSIFIERS}


@pytest.mark.parametrize(
    ("filters", "trained", "running"),
    [((10, 18, 24), 29_564, 208), ((16, 32, 46), 97_830, 376), ((24, 44, 64), 190_034, 528)],
)
def test_mirror_vgg_counts_by_hand(filters, trained, running):
    """9 * 2C * F a convolution (first 9 * 1 * F), gamma and beta F each, dense (F + 1) * 10."""
    a, b, c = filters
    convolutions = 9 * (a + 2 * a * a + 2 * a * b + 2 * b * b + 2 * b * c + 2 * c * c)
    by_hand = convolutions + 4 * (a + b + c) + 10 * (c + 1)
    assert counted(models.build("mirror_vgg", filters=filters)) == (by_hand, 4 * (a + b + c))
    assert (by_hand, 4 * (a + b + c)) == (trained, running)


def test_mirror_vgg_refuses_a_width_that_a_pool_does_not_halve():
    with pytest.raises(ShapeError, match="30 columns are no multiple of that: pad the images"):
        models.build("mirror_vgg", input_shape=(28, 30, 1))
    assert models.build("mirror_vgg", input_shape=(27, 28, 1))  # rows may be left out below


def test_resnet_counts():
    """ResNet-20 with projections has 272,474 trained parameters for 3 channels.

    One channel takes 2 * 9 * 16 away.
    """
    assert counted(models.build("resnet", input_shape=(32, 32, 3)))[0] == 272_474
    assert counted(models.build("resnet"))[0] == 272_186
    deeper = {32: 466_906, 56: 855_770}  # as published for option A, plus the projections' 2,752
    for depth, published in deeper.items():
        assert counted(models.build("resnet", depth=depth, input_shape=(32, 32, 3)))[0] == published


def test_resnet_has_as_many_layers_as_it_says_and_halves_twice():
    net = models.build("resnet", depth=14)
    convs = [
        layer
        for _, layer in walk(net)
        if type(layer) is layers.Conv2D and layer.w.value.shape[0] == 3
    ]
    assert len(convs) + 1 == 14
    assert [layer.w.value.shape[3] for layer in convs if layer.stride == (2, 2)] == [32, 64]
    assert net.infer(np.zeros((1, 27, 30, 1), np.float32)).shape == (1, 10)  # odd sizes fit too


@pytest.mark.parametrize("depth", [2, 19, 21])
def test_resnet_refuses_other_depths(depth):
    with pytest.raises(ValueError, match=f"6 n \\+ 2 for 3 stages.*not {depth}"):
        models.build("resnet", depth=depth)


def test_densenet_counts():
    """DenseNet (L=40, k=12) has 1,019,722 trained parameters for 3 channels (the source's table:
    1.0 M).
    """
    assert counted(models.build("densenet", depth=40, input_shape=(32, 32, 3)))[0] == 1_019_722
    assert counted(models.build("densenet"))[0] == 270_418


def test_densenet_grows_and_compresses():
    net = models.build("densenet", depth=7, growth=5, filters=8, compression=0.5)
    shapes = [layer.w.value.shape[2:] for _, layer in walk(net) if type(layer) is layers.Conv2D]
    assert shapes == [(1, 8), (8, 5), (13, 6), (6, 5), (11, 5), (5, 5)]
    with pytest.raises(ValueError, match=r"3 n \+ 4 for 3 blocks, not 23"):
        models.build("densenet", depth=23)


def test_keras_cnn_and_lenet_have_their_published_counts():
    assert counted(models.build("keras_cnn")) == (225_034, 0)
    assert counted(models.build("lenet5")) == (61_706, 0)


def test_vgg_in_other_forms():
    plain = models.build("vgg", batch_norm=False, activation="elu")
    kinds = [type(layer) for layer in plain.layers]
    assert layers.BatchNorm not in kinds
    assert kinds.count(layers.ELU) == 6
    assert layers.ReLU not in kinds
    slopes = [layer.alpha.value.shape for layer in models.build("vgg", activation="prelu").layers
              if type(layer) is layers.PReLU]  # fmt: skip
    assert slopes == [(32,), (32,), (64,), (64,), (92,), (92,)]
    head = 7 * 7 * 92 * 128 + 128 + 128 * 10 + 10
    assert counted(models.build("vgg", head="dense"))[0] == 196_026 - (92 * 10 + 10) + head
    with pytest.raises(UnknownNameError, match="did you mean dense"):
        models.build("vgg", head="dens")
    with pytest.raises(UnknownNameError, match="did you mean relu or prelu or elu"):
        models.build("vgg", activation="rellu")


def test_weights_of_one_deviation():
    w = np.concatenate(
        [p.value.ravel() for p in models.build("alexnet", init=0.01).params() if p.value.ndim > 1]
    )
    assert w.std() == pytest.approx(0.01, rel=0.01)
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="positive and finite"):
            models.build("alexnet", init=wrong)


@pytest.mark.parametrize("name", SMALL)
def test_gradients(name):
    net = models.build(name, classes=3, input_shape=(12, 12, 2), **SMALL[name])
    result = check_network(net, np.random.default_rng(0).standard_normal((3, 12, 12, 2)))
    assert result.ok, str(result)


@pytest.mark.parametrize("more", [{"head": "dense"}, {"batch_norm": False, "activation": "tanh"}])
def test_gradients_of_vggs_other_forms(more):
    net = models.build("vgg", classes=3, input_shape=(12, 12, 2), **SMALL["vgg"], **more)
    result = check_network(net, np.random.default_rng(0).standard_normal((3, 12, 12, 2)))
    assert result.ok, str(result)


@pytest.mark.parametrize("name", SMALL)
def test_training_lowers_the_loss(name):
    rng = np.random.default_rng(0)
    y = np.arange(32) % 4
    x = rng.integers(0, 60, (32, 12, 12, 1)).astype(np.uint8)
    x[y == 1, ::3] += 120  # plain, stripes across, stripes down, bright
    x[y == 2, :, ::3] += 120
    x[y == 3] += 60
    still = {
        "densenet": {"dropout": 0.0},
        "alexnet": {"dropout": 0},
        "keras_cnn": {"dropout": (0, 0)},
    }.get(name, {})
    net = models.build(
        name, classes=4, input_shape=(12, 12, 1), mean=0.1, std=0.2, **{**SMALL[name], **still}
    )
    loss = nc.fit(net, x, y, epochs=15, batch_size=8, lr=5e-3, progress=False)["loss"]
    assert loss[-1] < 0.5 * loss[0]


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(
    ("shape", "classes"), [((28, 28, 1), 10), ((32, 32, 3), 7), ((13, 18, 2), 2)]
)
def test_other_images_and_classes(name, shape, classes, each_backend):
    net = models.build(name, input_shape=shape, classes=classes, **SMALL[name])
    x = np.random.default_rng(0).random((3, *shape), dtype=np.float32)
    logits, cache = net.forward(x, train=True)
    assert logits.shape == (3, classes)
    assert logits.dtype == np.float32
    assert net.backward(np.ones_like(logits), cache).shape == x.shape
    assert all(np.isfinite(p.grad).all() and p.grad.dtype == np.float32 for p in net.params())


@pytest.mark.parametrize("name", SMALL)
def test_the_seed_fixes_weights_and_dropout(name):
    x = np.random.default_rng(0).random((2, 28, 28, 1), dtype=np.float32)
    a, b, other = models.build(name, seed=3), models.build(name, seed=3), models.build(name, seed=4)
    for p, q, r in zip(a.params(), b.params(), other.params(), strict=True):
        assert p.value.tobytes() == q.value.tobytes()
        assert p.value.ndim == 1 or not np.array_equal(p.value, r.value)
    assert a.forward(x, train=True)[0].tobytes() == b.forward(x, train=True)[0].tobytes()


def test_two_networks_share_nothing():
    a, b = models.build("vgg", seed=0), models.build("vgg", seed=0)
    assert not {id(p) for p in a.params()} & {id(p) for p in b.params()}
    next(a.params()).value[...] = 7
    assert not (next(b.params()).value == 7).any()


def test_the_functions_take_rng_and_classes():
    for function in models.CLASSIFIERS:
        net = function(classes=3, rng=np.random.default_rng(1))
        assert net.infer(np.zeros((1, 28, 28, 1), np.float32)).shape == (1, 3)


def test_the_networks_standardise_by_the_given_mean_and_deviation():
    net = models.build("vgg", mean=0.25, std=0.5)
    y, _ = net.layers[0].forward(np.full((1, 28, 28, 1), 255, np.uint8))
    np.testing.assert_allclose(y, 1.5, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        *((name, {}) for name in SMALL),
        ("vgg", {"head": "dense", "hidden": 9, "activation": "prelu", "batch_norm": False}),
        ("alexnet", {"init": 0.01}),
    ],
)
def test_it_computes_what_it_computed(name, more, tmp_path):
    """A network loads again from its name and arguments."""
    net = models.build(name, seed=1, classes=4, **SMALL[name], **more)
    x = np.random.default_rng(0).random((4, 28, 28, 1), dtype=np.float32)
    net.forward(x, train=True)  # running statistics move
    nc.save(tmp_path / "net.npz", net)
    again = nc.load(tmp_path / "net.npz")
    assert again.infer(x).tobytes() == net.infer(x).tobytes()
    assert named_params(again).keys() == named_params(net).keys()


def test_unknown_names_come_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean vgg"):
        models.build("vggg")
    with pytest.raises(UnknownNameError, match="argument of vgg 'filter'; did you mean filters"):
        models.build("vgg", filter=(1, 2))


def test_wrong_arguments_are_refused_in_one_line():
    with pytest.raises(ValueError, match="dropout's rate"):
        models.build("alexnet", dropout=1)
    for name, wrong in (
        ("vgg", {"filters": (4, 8, 8, 8)}),
        ("keras_cnn", {"dropout": (0.1,)}),
        ("densenet", {"blocks": 0}),
        ("resnet", {"filters": ()}),
    ):
        with pytest.raises(ValueError, match=r"dropout must be one rate|at least one"):
            models.build(name, **wrong)
    with pytest.raises(ShapeError, match=r"x\[None\]"):
        models.build("vae").infer(np.zeros((28, 28, 1), np.float32))
    with pytest.raises(ShapeError, match="std > 0"):
        models.build("vgg", std=0.0)
    with pytest.raises(ShapeError, match=r"layer 1 \(Conv2D\): .*transpose\(0, 2, 3, 1\)"):
        models.build("vgg").infer(np.zeros((2, 1, 28, 28), np.float32))


def test_one_rate_of_dropout_is_for_all_levels():
    for name, count in (("vgg", 3), ("keras_cnn", 2)):
        rates = [
            layer.rate
            for layer in models.build(name, dropout=0.25).layers
            if isinstance(layer, layers.Dropout)
        ]
        assert rates == [0.25] * count


# ---- autoencoders and generators --------------------------------------------------------------

TINY = {"filters": (3, 4), "depth": 1, "input_shape": (4, 4, 1)}
PAIRS = {
    "autoencoder": ("autoencoder", {"latent": 2}, (3, 4, 4, 1), (3, 4, 4, 1)),
    "denoiser": ("denoiser", {}, (3, 4, 4, 1), (3, 4, 4, 1)),
    "vae": ("vae", {"latent": 2}, (3, 4, 4, 1), (3, 4, 4, 1)),
    "conditional vae": ("vae", {"latent": 2, "classes": 3}, (3, 4, 4, 4), (3, 4, 4, 1)),
    "gan": ("gan", {"latent": 2}, (3, 2), (3, 1)),
    "conditional gan": ("gan", {"latent": 2, "classes": 3}, (3, 5), (3, 1)),
    "gan whose critic has batch norm": ("gan", {"latent": 2, "batch_norm": True}, (3, 2), (3, 1)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_gradients_pass_through_one_network_into_the_other(name):
    """The whole chain: encoder, draw, decoder; generator, critic; with the class given to both."""
    model, form, shape, out = PAIRS[name]
    net, x = models.build(model, **TINY, **form), np.random.default_rng(1).random(shape)
    result = nc.gradcheck(net, x, elements=20, tolerance=1e-4)
    assert result.ok
    assert net.forward(x.astype(np.float32), train=True)[0].shape == out


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_of_networks_load_again(name, tmp_path):
    model, form, shape, _ = PAIRS[name]
    net, x = (
        models.build(model, seed=4, **TINY, **form),
        np.random.default_rng(1).random(shape, np.float32),
    )
    net.forward(x, train=True)  # moves running statistics and generators
    nc.save(tmp_path / "net.npz", net)
    again = nc.load(tmp_path / "net.npz")
    assert again.infer(x).tobytes() == net.infer(x).tobytes()
    assert again.forward(x, train=True)[0].tobytes() == net.forward(x, train=True)[0].tobytes()


def test_what_is_decoded_is_an_image_of_its_class():
    rng = np.random.default_rng(0)
    for model in ("vae", "gan"):
        net = models.build(model, classes=3, latent=2, **TINY)
        z = rng.standard_normal((3, 2), np.float32)
        images = net.decode(z, [0, 1, 2])
        assert images.shape == (3, 4, 4, 1)
        assert images.dtype == np.float32
        assert 0 <= images.min() <= images.max() <= 1
        assert not np.allclose(net.decode(z, [1, 1, 2])[0], images[0], atol=1e-6)
        np.testing.assert_allclose(net.decode(z, [1, 1, 2])[1:], images[1:], rtol=1e-5)


def test_the_code_has_the_size_that_it_is_said_to_have():
    x = np.zeros((2, 28, 28, 1), np.float32)
    assert models.build("autoencoder", latent=64).encode(x).shape == (2, 64)
    assert models.build("vae").encode(x).shape == (2, 20)
    assert models.build("vae", latent=2, classes=10).encode(x, [3, 4]).shape == (2, 2)


def test_bytes_have_the_code_of_the_pixels_that_they_stand_for():
    """With the class beside them too: its plane is 1 in the unit of pixels in [0, 1], not in that
    of bytes.
    """
    bytes_ = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 1), dtype=np.uint8)
    for classes, labels in ((0, None), (3, [0, 1, 2])):
        net = models.build("vae", latent=2, classes=classes, **TINY)
        np.testing.assert_allclose(
            net.encode(bytes_, labels),
            net.encode(bytes_ / np.float32(255), labels),
            rtol=1e-4,
            atol=1e-5,
        )


@pytest.mark.parametrize("name", ["autoencoder", "denoiser", "vae", "gan"])
def test_an_image_that_cannot_be_halved_is_refused(name):
    with pytest.raises(ShapeError, match="3 levels halve the image to 1/4"):
        models.build(name, input_shape=(30, 28, 1))
