"""`numpycnn train --from`, and what suits the data where the person leaves it open."""

import json
import os
import signal
import types

import numpy as np
import pytest
from PIL import Image

import numpycnn as nc
from numpycnn import models
from numpycnn.cli import recipes, suiting
from numpycnn.data.dataset import Dataset
from tests.helpers import arrays, finish, same, write_data

pytestmark = pytest.mark.filterwarnings("ignore:classes? .* never predicted")
SHORT = ["--epochs", 2, "--batch-size", 16]


@pytest.fixture
def start(data, no_report, run):
    """A vgg of four classes in "start", and three classes of other images in new.npz."""
    few = ["--filters", "4,6", "--dropout", "0.1", "--epochs", 1]
    assert run("train", "--data", data, *few, "--out", "start")[0] == 0
    rng = np.random.default_rng(5)
    parts = {}
    for part, n in (("train", 60), ("test", 21)):
        y = np.arange(n) % 3
        x = rng.integers(0, 60, (n, 12, 12, 1), dtype=np.uint8)
        x[np.arange(n), y * 4] += 190  # a light row
        parts |= {f"x_{part}": x, f"y_{part}": y}
    return write_data("new.npz", **parts, classes=np.array(["a", "b", "c"]))


@pytest.mark.parametrize("freeze", [(), ("--freeze", 4), ("--freeze", "all")])
def test_the_body_is_kept_and_the_head_is_new(start, run, freeze):
    before = arrays(nc.load("start/best.npz"))
    command = ["train", "--from", "start/best.npz", "--data", start, *freeze, *SHORT]
    code, out, err = run(*command, "--out", "tuned", "--json")
    assert code == 0, err
    assert "begun with start/best.npz" in err
    assert json.loads(out)["model"] == "vgg"
    net, dataset = nc.load("tuned/best.npz"), nc.data.load(start)
    assert net.metadata["classes"] == ["a", "b", "c"]
    assert (net.layers[0].mean, net.layers[0].std) == (dataset.mean, dataset.std)
    assert np.array_equal(arrays(net)["1.w"], before["1.w"]) == bool(freeze)
    assert arrays(net)[f"{len(net.layers) - 1}.w"].shape == (6, 3)
    assert run("evaluate", "tuned/best.npz", "--json")[0] == 0


def test_a_fine_tuned_network_is_one_for_every_command(start, run):
    """Also one made in Python: once its file could be loaded by no command."""
    data = nc.data.load(start)
    net = models.with_new_head(nc.load("start/best.npz"), 3, mean=data.mean, std=data.std)
    nc.save("tuned.npz", models.freeze(net, 4), classes=["a", "b", "c"], data=start)
    for command in (
        ["evaluate", "tuned.npz"], ["inspect", "tuned.npz", "--out", "page"],
        ["summary", "tuned.npz"], ["export", "tuned.npz", "--to", "safetensors"],
        ["explain", "tuned.npz", f"{start}:0", "--out", "page.html"],
    ):  # fmt: skip
        code, _, err = run(*command)
        assert code == 0, err
    Image.fromarray(data.x_test[0, ..., 0]).save("one.png")
    code, out, _ = run("predict", "one.png", "--checkpoint", "tuned.npz", "--json")
    assert code == 0
    assert json.loads(out)["predictions"][0]["probabilities"].keys() == {"a", "b", "c"}


def test_fine_tuning_resumes_to_the_same_bits_without_the_file_that_it_began_with(
    start, run, monkeypatch
):
    command = ["train", "--from", "start/best.npz", "--freeze", 4, "--data", start, *SHORT]
    assert run(*command, "--out", "whole")[0] == 0

    stopped = []

    def end_step(self, *given, original=nc.training.run.FitRun.end_step):
        original(self, *given)
        if len(stopped) == 0 and self.epoch == 1 and self.out and self.step == 2:
            stopped.append(1)
            os.kill(os.getpid(), 2)

    monkeypatch.setattr(nc.training.run.FitRun, "end_step", end_step)
    assert run(*command, "--out", "parts")[0] == 130
    os.rename("start", "elsewhere")
    code, _, err = run("train", "--resume", "--out", "parts", "--augment", "auto")
    assert code == 0, err
    assert same(arrays(nc.load("parts/last.npz")), arrays(nc.load("whole/last.npz")))
    code, _, err = run("train", "--resume", "--out", "parts", "--freeze", "all")
    assert (code, "has freeze 4, not all" in err) == (2, True)


def test_a_run_on_mapped_data_that_was_killed_ends_with_the_same_bits(data, no_report, run):
    found = nc.data.load(data)
    os.mkdir("mapped")
    for part in ("train", "test"):
        np.save(f"mapped/x_{part}.npy", getattr(found, f"x_{part}"))
        np.save(f"mapped/y_{part}.npy", getattr(found, f"y_{part}"))
    command = ["train", "--data", "mapped", "--model", "alexnet", *SHORT]
    assert run(*command, "--out", "whole")[0] == 0
    killed = [*command, "--out", "killed"]
    code = "from numpycnn.cli import parser; from tests.faults.dying import die_at; "
    code += f"die_at('replace', 4); parser.main({list(map(str, killed))})"
    assert finish("-c", code)[0] == -signal.SIGKILL
    assert len(nc.load("killed/last.npz").metadata["fit"]["history"]["loss"]) == 1
    code, _, err = run("train", "--resume", "--out", "killed")
    assert code == 0, err
    for name in ("last.npz", "best.npz"):
        assert same(arrays(nc.load(f"killed/{name}")), arrays(nc.load(f"whole/{name}")))


def test_what_from_refuses(start, run):
    lines = {
        ("--model", "vgg"): "--from brings a network that is made already: leave out --model",
        ("--filters", "4,6"): "leave out --filters",
        ("--freeze", 40): "expected 1 to",
    }
    for more, line in lines.items():
        code, out, err = run("train", "--from", "start/best.npz", "--data", start, *more)
        assert (code, out, line in err) == (2, "", True), err
    assert "give --data" in run("train", "--from", "start/best.npz")[2]
    assert "give --from" in run("train", "--data", start, "--freeze", 3)[2]
    assert run("train", "--from", "gone.npz", "--data", start)[0] in (1, 3)
    x, y = np.random.default_rng(0).integers(0, 256, (8, 12, 12, 2), np.uint8), np.arange(8) % 2
    write_data("two.npz", ["a", "b"], x_train=x, y_train=y, x_test=x, y_test=y)
    code, _, err = run("train", "--from", "start/best.npz", "--data", "two.npz")
    assert (code, "do not fit this network, which was made for (12, 12, 1)" in err) == (2, True)


@pytest.mark.parametrize("options", [(), ("--grey",)])
def test_colour_pictures_keep_their_colours_unless_told(start, run, options):
    rng = np.random.default_rng(0)
    for k in range(24):
        name = f"photos/{'ab'[k % 2]}/{k}.png"
        os.makedirs(os.path.dirname(name), exist_ok=True)
        pixels = rng.integers(0, 256, (20 + k, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(name)
    command = ["train", "--from", "start/best.npz", "--data", "photos", *options, *SHORT]
    code, _, err = run(*command, "--out", "tuned")
    assert code == 0, err
    net = nc.load("tuned/best.npz")
    assert net.input_shape == (12, 12, 1 if options else 3)
    assert f"12 x 12 pixels, {'grey' if options else 'in colour'}" in err
    assert run("train", "--resume", "--out", "tuned")[0] == 0
    assert run("evaluate", "tuned/best.npz")[0] == 0
    assert run("predict", "photos/a/0.png", "--checkpoint", "tuned/best.npz")[0] == 0


def of(name, labels, channels=1, classes=None):
    labels = np.asarray(labels)
    x = np.zeros((len(labels), 4, 4, channels), np.uint8)
    return Dataset(name, x, labels, x, labels, classes)


def complete(dataset, **given):
    return recipes.complete(given, dataset)


def test_augmentation_follows_the_nature_of_the_data():
    labels = np.arange(60) % 3
    for name, channels, steps in (
        ("fashion-mnist", 1, "flip,crop"), ("mnist", 1, "crop"), ("emnist-letters", 1, "crop"),
        ("cifar10", 3, "flip,crop"), ("photos", 3, "flip,crop"), ("scans", 1, "crop"),
    ):  # fmt: skip
        dataset = of(name, labels, channels)
        assert complete(dataset).augment == steps
        assert complete(dataset, augment="auto", model="alexnet").augment == steps
        assert complete(dataset, augment="erase").augment == "erase"
        known = suiting.known(dataset)
        assert complete(dataset, model="alexnet").augment == ("none" if known else steps)


def test_few_images_get_enough_steps_and_many_what_the_recipe_says():
    small = complete(of("photos", np.arange(240) % 4, 3))
    assert (small.batch_size, small.val) == (16, 20)
    steps = -(-220 // 16)
    assert small.epochs * steps >= suiting.STEPS > (small.epochs - 1) * steps
    assert complete(of("photos", np.arange(12) % 4, 3)).epochs == suiting.LONGEST
    large = types.SimpleNamespace(**suiting.length(recipes.RECIPES["vgg"], 55_000))
    assert (large.epochs, large.batch_size) == (4, 32)
    given = complete(of("photos", np.arange(120) % 4, 3), epochs=3, batch_size=8)
    assert (given.epochs, given.batch_size) == (3, 8)
    patient = suiting.length(recipes.RECIPES["keras_cnn"], 100)
    assert patient["patience"] / patient["epochs"] >= 3 / 12


def test_every_class_is_validated_and_tiny_data_keep_most_images():
    labels = np.repeat([0, 1, 2], [400, 30, 2])
    dataset = of("photos", labels)
    n = suiting.validation(labels)
    (_, y), (_, y_val) = dataset.split(n)
    assert set(y) == set(y_val) == {0, 1, 2}
    assert suiting.validation(np.arange(12) % 4) == 2
    assert suiting.validation(np.arange(55_000) % 10) == 55_000 // 12


def test_few_images_are_noted_and_a_network_with_one_answer():
    text = suiting.few(np.repeat([0, 1, 2], [400, 30, 2]), ("cat", "dog", "cow"))
    assert "2 of 3 classes (cow 2, dog 30); below 50" in text
    assert suiting.few(np.arange(200) % 4, "abcd") is None
    assert "cat 400 and cow 2" in suiting.unequal(
        np.repeat([0, 1, 2], [400, 30, 2]), ("cat", "dog", "cow")
    )
    assert suiting.unequal(np.arange(9) % 2, "abc") is None
    answers = np.zeros(9, int)
    assert "answers a for all 9" in suiting.one_class(answers, np.arange(9) % 2, "ab")
    assert suiting.one_class(answers, answers, "ab") is None
    assert suiting.one_class(np.arange(9) % 2, np.arange(9) % 2, "ab") is None


@pytest.mark.parametrize("counts", [(300, 20, 8), (5, 5, 5)])
def test_unequal_and_tiny_data_end_in_more_than_one_class(
    data, no_report, run, counts, monkeypatch
):
    monkeypatch.setattr(suiting, "STEPS", 100)  # of 800, for time
    monkeypatch.setattr(suiting, "LONGEST", 25)
    rng = np.random.default_rng(0)

    def images(counts):
        y = np.repeat([0, 1, 2], counts)
        x = rng.integers(0, 90, (len(y), 12, 12, 3), dtype=np.uint8)
        x[np.arange(len(y)), :, :, y] += 90  # its colour
        return x, y

    (x, y), (x_test, y_test) = images(counts), images((10, 10, 10))
    classes = np.array(["a", "b", "c"])
    write_data("own.npz", x_train=x, y_train=y, x_test=x_test, y_test=y_test, classes=classes)
    few = ["--filters", "4,6", "--dropout", "0.1"]
    code, out, err = run("train", "--data", "own.npz", *few, "--out", "own", "--json")
    assert code == 0, err
    assert sum(recall > 0.5 for recall in json.loads(out)["per_class"].values()) > 1
    assert "few training images" in err
    assert "augmentation: flip,crop; colour pictures are taken for photographs" in err
