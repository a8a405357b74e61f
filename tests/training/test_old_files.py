"""Files that commit 9cbd640 wrote, before classes and modules were renamed: they are read for ever.

Both checkpoints hold, as metadata, what that commit computed from them: outputs as they were saved,
and outputs after one more step of training with the restored optimiser.
"""

import pathlib

import numpy as np
import pytest

import numpycnn
from numpycnn import backend, models, optim
from numpycnn.inspection import out_of_distribution
from numpycnn.layers.traverse import all_finite
from numpycnn.ops import bce_with_logits, softmax_cross_entropy
from numpycnn.training import checkpoint

FOLDER = pathlib.Path(__file__).parents[1] / "data_files"
CLASSIFIER = FOLDER / "ema_muon_before_0.2.npz"  # vgg, EMA of Muon: "Averaged Muon" in the file
GAN = FOLDER / "optimizer_group_before_0.2.npz"  # Adam and RMSProp: "Together" in the file
IMAGES = np.linspace(0, 1, 2 * 8 * 8, dtype=np.float32).reshape(2, 8, 8, 1)
NOISE = np.linspace(-1, 1, 2 * 4, dtype=np.float32).reshape(2, 4)


@pytest.fixture(autouse=True)
def numpy_backend(monkeypatch):
    monkeypatch.setattr(backend, "_current", "numpy")


def agree(outputs, noted):
    """Equal but for what another machine's matrix product may round otherwise."""
    np.testing.assert_allclose(outputs, np.array(noted, np.float32), rtol=1e-4, atol=1e-5)


def untrained(path, seed=9):
    """Another network of the same kind, to be filled."""
    metadata, _ = checkpoint.read(path)
    return models.build(metadata["model"], seed=seed, **metadata["arguments"])


def test_load_gives_the_same_logits():
    net = numpycnn.load(CLASSIFIER)
    agree(net.infer(IMAGES), net.metadata["logits"])
    assert not np.allclose(untrained(CLASSIFIER).infer(IMAGES), net.metadata["logits"], atol=0.1)


def test_training_goes_on_with_the_average_and_momentum_of_the_file():
    net = untrained(CLASSIFIER)
    optimizer = optim.EMA(optim.Muon(net.params(), lr=1.0, weight_decay=1e-3), net, decay=0.9)
    metadata = checkpoint.restore(CLASSIFIER, net, optimizer)
    assert metadata["optimizer"]["class"] == optimizer.title == "Averaged Muon"
    assert (optimizer.steps, optimizer.lr) == (3, 0.02)
    agree(net.infer(IMAGES), metadata["logits"])
    agree(optimizer.average.infer(IMAGES), metadata["average_logits"])

    rng = np.random.default_rng(3)
    x, labels = rng.random((4, 8, 8, 1), dtype=np.float32), rng.integers(0, 3, 4)
    logits, cache = net.forward(x, train=True)  # with dropout: the random state is the file's too
    net.backward(softmax_cross_entropy(logits, labels)[1], cache)
    optimizer.step()
    agree(net.infer(IMAGES), metadata["logits_a_step_later"])
    agree(optimizer.average.infer(IMAGES), metadata["average_logits_a_step_later"])
    assert not np.allclose(metadata["logits"], metadata["logits_a_step_later"], atol=1e-2)


def test_a_group_of_optimisers_goes_on_each_where_it_was():
    net = untrained(GAN)
    optimizer = optim.OptimizerGroup(
        generator=optim.Adam(net.generator.params()), critic=optim.RMSProp(net.critic.params())
    )
    metadata = checkpoint.restore(GAN, net, optimizer)
    assert metadata["optimizer"]["class"] == optimizer.title == "Together"
    assert (optimizer.generator.steps, optimizer.generator.lr) == (2, 0.005)
    assert (optimizer.critic.steps, optimizer.critic.lr) == (3, 0.02)
    agree(net.infer(NOISE), metadata["scores"])
    agree(numpycnn.load(GAN).infer(NOISE), metadata["scores"])

    z = np.random.default_rng(2).standard_normal((3, 4), dtype=np.float32)
    score, cache = net.forward(z, train=True)
    net.backward(bce_with_logits(score, np.ones_like(score))[1], cache)
    optimizer.generator.step()
    optimizer.critic.step()
    agree(net.infer(NOISE), metadata["scores_a_step_later"])
    assert not np.allclose(metadata["scores"], metadata["scores_a_step_later"], atol=1e-3)


def test_an_optimiser_of_another_kind_is_still_refused():
    net = untrained(CLASSIFIER)
    with pytest.raises(numpycnn.errors.CheckpointError, match="Averaged Muon"):
        checkpoint.restore(CLASSIFIER, net, optim.Muon(net.params()))
    assert all_finite(net)


def test_what_the_file_knows_of_its_training_images_is_read():
    """The metadata's "familiarity" was fitted to noise: ramps pass, an all-black image does not."""
    net = numpycnn.load(CLASSIFIER)
    images = np.concatenate([IMAGES, np.zeros((1, 8, 8, 1), np.float32)])
    assert out_of_distribution.familiar(net, images) == [True, True, False]
