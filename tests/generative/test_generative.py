"""Generative runs: resumed to the same bits, diverged and collapsed runs found out, and what
`generate` draws.
"""

import argparse
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import numpycnn as nc
from numpycnn import generative, layers, models, ops, optim
from numpycnn.cli import parser
from numpycnn.data import Dataset
from numpycnn.errors import (
    CheckpointError,
    DatasetError,
    RunFolderError,
    ShapeError,
    TrainingDiverged,
)
from numpycnn.generative import drawing, latent
from numpycnn.layers.traverse import named_buffers
from numpycnn.models.coder import one_hot, with_classes
from numpycnn.report import grids

SMALL = {"filters": (4, 6), "depth": 1, "input_shape": (8, 8, 1)}
SMALL_GAN = SMALL | {"latent": 3}


def dataset(n=40):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (n, 8, 8, 1), dtype=np.uint8), np.arange(n) % 2
    return Dataset("noise", images, labels, images[:12], labels[:12], ("shirt", "Bag"))


def arguments(out, epochs=2, **more):
    given = {
        "seed": 0,
        "batch_size": 16,
        "limit": None,
        "conditional": True,
        "latent": 3,
        "name": "trial",
        "beta": None,
    }
    given |= {"val": False, "command": "python examples/trial.py", "run": "trial", "constants": {}}
    return argparse.Namespace(**{**given, "out": out, "epochs": epochs, "resume": False, **more})


class Stop(Exception):
    """What ends a run in the middle."""


class Asked:
    """In the place of StopRequest: Ctrl-C comes in the fourth step."""

    def __init__(self):
        self.requested = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def give_up(self, out):
        raise Stop


def train_gan(args, batch_norm=False):
    """Two networks and two optimisers, with classes, the generator stepped every other time.

    The penalty's second-order pass is for critics without batch norm.
    """
    data, net = (
        dataset(),
        models.build("gan", seed=1, classes=2, batch_norm=batch_norm, **SMALL_GAN),
    )
    both = optim.OptimizerGroup(
        generator=optim.EMA(optim.Adam(net.generator.params(), 1e-3), net.generator, 0.5),
        critic=optim.RMSProp(net.critic.params(), 1e-3),
    )

    def picture():
        return latent.draw(net, 8, np.random.default_rng(0), np.arange(8) % 2)

    run = generative.Run(args, net, both, data, picture, 8)
    slope = None if batch_norm else layers.InputGradient(net.critic)
    for x, labels, rng in run.steps():
        both.generator.lr = 1e-3 * (1 - run.progress)
        hot = one_hot(labels, 2)
        fake, drawn = net.generator.forward(
            with_classes(rng.standard_normal((len(x), 3), np.float32), hot), train=True
        )
        score, seen = net.critic.forward(with_classes(fake, hot), train=True)
        both.critic.zero_grad()
        net.critic.backward(score, seen)
        if slope:
            g, cache = slope.forward(with_classes(x, hot))
            penalty, dg = ops.gradient_penalty(g)
            slope.backward(dg, cache)
            run.log(penalty=penalty)
        both.critic.step()
        if run.step % 2:
            both.generator.zero_grad()
            net.generator.backward(net.critic.backward(score, seen)[..., :1], drawn)
            both.generator.step()
        run.log(score=float(score.mean()))
    both.generator.copy_to(net.generator)
    run.finish()
    return net, both, run


def bits(net, both):
    arrays = [p.value for p in net.params()] + [b for _, b in sorted(named_buffers(net).items())]
    return [array.tobytes() for array in arrays + list(both.state_arrays().values())]


@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_resumed_run_has_the_same_bits(tmp_path, each_backend, monkeypatch, batch_norm):
    """Interrupted in the second epoch: weights, running statistics, both optimisers and history go
    on.
    """
    whole_net, whole_both, whole = train_gan(arguments(tmp_path / "whole"), batch_norm)

    asked, log = Asked(), generative.Run.log

    def ask_in_the_fourth_step(run, **numbers):
        log(run, **numbers)
        asked.requested = run.epoch == 1 and run.step == 0

    with monkeypatch.context() as patch:
        patch.setattr(generative.run, "StopRequest", lambda: asked)
        patch.setattr(generative.Run, "log", ask_in_the_fourth_step)
        with pytest.raises(Stop):
            train_gan(arguments(tmp_path / "cut"), batch_norm)
    net, both, run = train_gan(arguments(tmp_path / "cut", resume=True), batch_norm)
    assert bits(net, both) == bits(whole_net, whole_both)
    for row, other in zip(run.history, whole.history, strict=True):
        assert {**row, "seconds": 0} == {**other, "seconds": 0}
    assert both.critic.steps == 6
    assert both.generator.steps == 2
    assert len(list((tmp_path / "cut").glob("epoch-*.png"))) == 2
    again = nc.load(tmp_path / "cut" / "last.npz")
    z = np.ones((2, 3), np.float32)
    assert again.decode(z, [0, 1]).tobytes() == net.decode(z, [0, 1]).tobytes()


def test_resume_wants_the_same_settings_and_a_run(tmp_path):
    with pytest.raises(RunFolderError, match="train without --resume"):
        train_gan(arguments(tmp_path / "none", resume=True))
    train_gan(arguments(tmp_path, epochs=1))
    with pytest.raises(CheckpointError, match="trained with seed 0, not 5"):
        train_gan(arguments(tmp_path, epochs=1, resume=True, seed=5))
    with pytest.raises(CheckpointError, match="trained with constants"):
        train_gan(arguments(tmp_path, epochs=1, resume=True, constants={"LEARNING_RATE": 0.5}))


def test_a_new_run_keeps_the_old_one(tmp_path):
    train_gan(arguments(tmp_path, epochs=1))
    before = (tmp_path / "last.npz").read_bytes()
    train_gan(arguments(tmp_path, epochs=1))
    assert (tmp_path / "previous-1" / "last.npz").read_bytes() == before
    assert (tmp_path / "previous-1" / "epoch-001.png").exists()


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("three years")
    with pytest.raises(RunFolderError, match="no run's folder"):
        train_gan(arguments(tmp_path, epochs=1))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_time_of_a_resumed_run_is_that_of_all_its_parts(tmp_path):
    _, _, run = train_gan(arguments(tmp_path, epochs=1))
    _, _, again = train_gan(arguments(tmp_path, epochs=1, resume=True))
    assert 0 < sum(row["seconds"] for row in run.history) < again.before < again.elapsed


def test_held_out_images_take_the_place_of_the_test_images(saved):
    whole, held = (generative.load(str(saved / "data.npz"), val) for val in (False, True))
    assert (len(held.x_train), len(held.x_test)) == (32, 8)
    together = np.concatenate([held.x_train, held.x_test])
    assert sorted(x.tobytes() for x in together) == sorted(x.tobytes() for x in whole.x_train)


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ("", "runs/vae-fashion-mnist"),
        ("--latent 2 --data mnist", "runs/vae-mnist-latent-2"),
        ("--conditional --seed 3 --val", "runs/vae-fashion-mnist-conditional-val-seed-3"),
        ("--epochs 7 --classes 1,6", "runs/vae-fashion-mnist-epochs-7-classes-1-6"),
        ("--beta 0.01 --epochs 7", "runs/vae-fashion-mnist-beta-0.01-epochs-7"),
        ("--seed 3 --out here/there", "here/there"),
        ("--seed 3 --out=here/there --resume", "here/there"),
    ],
)
def test_runs_that_differ_do_not_share_a_folder(monkeypatch, given, folder):
    monkeypatch.setattr("sys.argv", ["vae.py", *given.split()])
    monkeypatch.setattr("sys.excepthook", None)
    args = generative.arguments("doc", "vae", 20, 64, ["latent", "beta", "conditional", "classes"])
    assert args.out.as_posix() == folder
    assert args.command == " ".join(
        [
            "python examples/vae.py",
            *given.replace("--out here/there", "").replace("--out=here/there --resume", "").split(),
        ]
    )


def a_run(tmp_path, picture, **more):
    more = {"conditional": False, **more}
    net = models.build("autoencoder", latent=2, **SMALL)
    return generative.Run(
        arguments(tmp_path, **more), net, optim.Adam(net.params(), 1e-3), dataset(), picture, 6
    )


def test_a_diverged_run_says_so_and_keeps_what_was_good(tmp_path):
    run = a_run(tmp_path, lambda: np.zeros((6, 8, 8, 1)))
    before = (tmp_path / "last.npz").read_bytes()
    steps = run.steps()
    next(steps)
    run.log(loss=1.0)
    next(steps)
    with pytest.raises(TrainingDiverged, match="epoch 1, step 2"):
        run.log(loss=np.nan)
    next(run.net.params()).value[...] = np.inf
    with pytest.raises(
        TrainingDiverged, match=f"a weight is not finite in epoch 1, step {run.per_epoch},"
    ):
        list(steps)
    assert (tmp_path / "last.npz").read_bytes() == before


@pytest.mark.parametrize("alike", [True, False])
def test_a_collapsed_run_says_so(tmp_path, capsys, alike):
    one = dataset().x_test[:1] / np.float32(255)
    images = one.repeat(6, axis=0) if alike else latent.unit(dataset().x_test[:6])
    run = a_run(tmp_path, lambda: images, epochs=1)
    for _ in run.steps():
        run.log(loss=1.0)
    assert ("collapsed" in capsys.readouterr().err) == alike
    assert (run.history[0]["spread"] < 0.1) == alike
    run.finish(loss=2.0)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["loss"] == 2.0
    assert result["spread"] == run.history[0]["spread"]


def test_test_images_that_are_all_alike_are_refused_at_the_start(tmp_path):
    few = dataset()
    few = replace(few, x_test=few.x_test[:2], y_test=few.y_test[:2])
    with pytest.raises(DatasetError, match="are alike"):
        generative.Run(
            arguments(tmp_path, conditional=True), models.build("lenet5"), None, few, None, 6
        )
    assert not list(tmp_path.iterdir())


def test_one_image_a_class_is_a_collapse_too(tmp_path, capsys):
    """Images of different classes differ, so a conditional network is looked at class by class."""
    run = a_run(
        tmp_path,
        lambda: np.tile(latent.unit(dataset().x_test[:2]), (3, 1, 1, 1)),
        epochs=1,
        conditional=True,
    )
    for _ in run.steps():
        run.log(loss=1.0)
    assert run.history[0]["spread"] == 0
    assert "collapsed" in capsys.readouterr().err


def test_spread_by_hand():
    """Variances 0.25 and 0 within the classes, 0.1875 in all."""
    images = np.array([0, 1, 1, 1.0]).reshape(4, 1, 1, 1).repeat(2, axis=1)
    assert latent.spread(images) == pytest.approx(np.sqrt(0.1875))
    assert latent.spread(images, [0, 0, 1, 1]) == pytest.approx(np.sqrt(0.125))
    assert latent.spread((255 * images).astype(np.uint8)) == pytest.approx(np.sqrt(0.1875))


def test_elbo_is_its_definition():
    """Reconstruction and divergence summed pixel by pixel for one image after the other, the same
    draws.
    """
    net, data = models.build("vae", classes=2, latent=3, **SMALL), dataset()
    got = latent.elbo(net, data, np.random.default_rng(4), batch_size=12)
    e = np.random.default_rng(4).standard_normal((12, 3), np.float32)
    total = np.zeros(2)
    for i, x in enumerate(latent.unit(data.x_test)):
        hot = one_hot(data.y_test[i : i + 1], 2)
        mean, log_var = np.split(net.encoder.infer(with_classes(x[None], hot))[0].astype(float), 2)
        z = (mean + np.exp(log_var / 2) * e[i]).astype(np.float32)[None]
        p = 1 / (1 + np.exp(-net.decoder.infer(with_classes(z, hot))[0].astype(float)))
        total += (
            -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(),
            0.5 * (np.exp(log_var) + mean**2 - 1 - log_var).sum(),
        )
    assert got["reconstruction"] == pytest.approx(total[0] / 12, rel=1e-4)
    assert got["kl"] == pytest.approx(total[1] / 12, rel=1e-4)
    assert got["negative_elbo"] == pytest.approx(total.sum() / 12, rel=1e-4)


def test_noise_is_clipped_and_has_its_deviation():
    x = np.full((50, 28, 28, 1), 0.5, np.float32)
    noisy = latent.add_noise(x, 0.1, np.random.default_rng(0))
    assert noisy.dtype == np.float32
    assert noisy.std() == pytest.approx(0.1, rel=0.02)
    assert latent.add_noise(x, 5, np.random.default_rng(0)).max() == 1


def test_the_way_between_codes_stays_on_the_sphere():
    first, second = np.array([3.0, 0, 0]), np.array([0, 3.0, 0])
    way = drawing.between(first, second, 5)
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), 3, rtol=1e-6)
    np.testing.assert_allclose(way[[0, -1]], [first, second], atol=1e-6)
    np.testing.assert_allclose(way[2], np.array([3, 3, 0]) / np.sqrt(2), rtol=1e-6)
    np.testing.assert_allclose(drawing.between(first, 2 * first, 3)[1], 1.5 * first, rtol=1e-6)


def test_a_grid_is_made_row_by_row():
    images = np.arange(5, dtype=np.uint8)[:, None, None, None].repeat(2, 1).repeat(3, 2)
    picture = grids.grid(images, columns=3)
    gap, scale = grids.GAP, grids.SCALE
    assert picture.shape == (2 * (2 * scale + gap) + gap, 3 * (3 * scale + gap) + gap, 1)
    assert picture[gap, gap, 0] == 0
    assert picture[gap + 2 * scale + gap, gap + 3 * scale + gap, 0] == 4
    assert picture[-gap - 1, -gap - 1, 0] == grids.PAPER  # no sixth image
    np.testing.assert_array_equal(
        grids.grid(np.array([[[[0.5]]]])).max(initial=0, where=[[[True]]]), 255
    )
    with pytest.raises(ShapeError, match="N, H, W"):
        grids.grid(np.zeros((3, 4)))


def test_names_on_a_map_do_not_cover_each_other():
    """Three in one place go up, one beside the other; one that is free stays."""
    places = grids.apart([(0, 0), (0.5, 0.1), (5, 0), (0, 0)], (2, 1))
    assert (places[0], places[2]) == ((0, 0), (5, 0))
    for i, (x, y) in enumerate(places):
        assert all(abs(x - a) >= 2 or abs(y - b) >= 1 for a, b in places[:i])
        assert y < 3


@pytest.fixture
def saved(tmp_path):
    """A conditional GAN, a VAE with a map, an autoencoder, and the data they were trained on."""
    data = dataset()
    np.savez(
        tmp_path / "data.npz",
        x_train=data.x_train,
        y_train=data.y_train,
        x_test=data.x_test,
        y_test=data.y_test,
    )
    facts = {"classes": list(data.classes), "data": str(tmp_path / "data.npz")}
    for name, form in (
        ("gan", {"classes": 2, "latent": 3}),
        ("vae", {"latent": 2}),
        ("autoencoder", {"latent": 2}),
    ):
        nc.save(tmp_path / f"{name}.npz", models.build(name, **SMALL, **form), **facts)
    return tmp_path


@pytest.mark.parametrize(
    ("command", "size"),
    [
        ("gan --count 16 --out a.png", (146, 38)),  # 8 columns of 16 pixels and a gap of 2; 2 rows
        ("gan --count 3 --class bag --out a.png", (56, 20)),
        ("gan --count 2 --walk --out a.gif", (38, 20)),
        ("gan --count 2 --walk --out a.png", (38, 218)),
        ("gan --count 2 --interpolate --out a.png", (146, 38)),
        ("gan --out a.png", (146, 146)),  # by default 8 rows
        ("gan --walk --out a.png", (146, 218)),
        ("gan --walk --out a.gif", (146, 38)),  # a film has 2
        ("vae --interpolate --out a.png", (146, 146)),
        ("vae --count 4 --interpolate --out a.gif", (74, 20)),
        ("vae --count 8 --reconstruct --out a.png", (146, 38)),
        ("autoencoder --count 3 --interpolate --out a.png", (146, 56)),
        ("vae --map --out a.png", (1312, 1120)),
    ],
)
def test_generate_draws(saved, capsys, command, size):
    name, *rest = command.split()
    rest[-1] = str(saved / rest[-1])
    assert parser.main(["generate", str(saved / f"{name}.npz"), *rest, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["out"] == rest[-1]
    with Image.open(rest[-1]) as picture:
        assert picture.size == size
        assert getattr(picture, "n_frames", 1) == {"walk": 72, "interpolate": 14}.get(
            next((w for w in ("walk", "interpolate") if f"--{w}" in command), ""), 1
        ) or rest[-1].endswith(".png")


def test_a_class_has_a_column_of_its_own(tmp_path):
    """Of three classes 6 columns, not 8: one below the other are samples of one class."""
    net = models.build("gan", classes=3, latent=3, **SMALL)
    given = {
        "checkpoint": "x",
        "count": 12,
        "seed": 0,
        "class_name": None,
        "out": str(tmp_path / "a.png"),
    }
    kinds = dict.fromkeys(("map", "walk", "interpolate", "reconstruct"))
    assert drawing.run(net, argparse.Namespace(**given, **kinds)) == 12
    wanted = latent.draw(net, 12, np.random.default_rng(0), np.arange(12) % 3)
    with Image.open(tmp_path / "a.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), grids.grid(wanted, columns=6)[..., 0])


def shows(path, images, columns):
    """The picture begins with the grid of these images, but for rounding."""
    grid = grids.grid(images, columns)[..., 0]
    with Image.open(path) as picture:
        assert np.abs(np.asarray(picture)[: len(grid)].astype(int) - grid).max() <= 1


def test_an_autoencoders_codes_are_joined_by_a_line(saved):
    """They are no Gaussian's: the middle row is what is read back from the mean of the two ends'
    codes.
    """
    net, out = nc.load(saved / "autoencoder.npz"), str(saved / "line.png")
    assert (
        parser.main(
            [
                "generate",
                str(saved / "autoencoder.npz"),
                "--interpolate",
                "--count",
                "1",
                "--out",
                out,
            ]
        )
        == 0
    )
    x = dataset().x_test
    first, second = net.encode(latent.unit(x[[0, len(x) // 2]]))
    wanted = net.decode(np.linspace(first, second, 8, dtype=np.float32))
    shows(out, wanted, columns=8)


def test_what_comes_back_of_images_stands_below_them(saved):
    net, out = nc.load(saved / "vae.npz"), str(saved / "back.png")
    assert (
        parser.main(
            ["generate", str(saved / "vae.npz"), "--reconstruct", "--count", "8", "--out", out]
        )
        == 0
    )
    x = latent.unit(latent.evenly(8, dataset().x_test))
    shows(out, np.concatenate([x, net.decode(net.encode(x))]), columns=8)


def test_a_walk_is_drawn_from_the_codes_of_its_seed(saved):
    net, out = nc.load(saved / "gan.npz"), str(saved / "walk.png")
    command = [
        "generate",
        str(saved / "gan.npz"),
        "--walk",
        "--count",
        "2",
        "--seed",
        "5",
        "--out",
        out,
    ]
    assert parser.main(command) == 0
    places = np.random.default_rng(5).standard_normal((2, drawing.STOPS, net.latent), np.float32)
    ends = net.decode(
        np.ascontiguousarray(places[:, -1]), np.arange(2)
    )  # it goes round: from the last to the first
    shows(out, ends, columns=2)


def test_evenly_takes_as_many_as_asked_from_start_to_end():
    x = np.arange(10)
    assert latent.evenly(4, x).tolist() == [0, 2, 5, 7]
    assert latent.evenly(10, x).tolist() == latent.evenly(99, x).tolist() == x.tolist()
    assert latent.evenly(3, x[:0]).tolist() == []


def test_of_two_names_that_differ_in_case_the_one_that_is_meant_is_drawn(saved):
    net = nc.load(saved / "gan.npz")
    args = argparse.Namespace(checkpoint="x", count=2, class_name="A")
    for names, wanted in ((["A", "a"], 0), (["a", "A"], 1), (["b", "a"], 1)):
        net.metadata["classes"] = names
        assert drawing._labels(net, args).tolist() == [wanted] * 2


def test_a_class_is_drawn_alone_and_the_seed_fixes_it(saved):
    """The bag alone is the second of each pair when all are drawn in turn from the same codes."""
    net = nc.load(saved / "gan.npz")
    every = latent.draw(net, 6, np.random.default_rng(0), np.arange(6) % 2)
    bags = latent.draw(net, 6, np.random.default_rng(0), np.ones(6, int))
    np.testing.assert_allclose(bags[1::2], every[1::2], rtol=1e-5)
    assert not np.allclose(bags[::2], every[::2])


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("gan --class shoe", "unknown class 'shoe'; did you mean"),
        ("vae --class bag", "not trained with classes"),
        ("gan --map", "has no encoder|2 dimensions"),
        ("gan --reconstruct", "has no encoder"),
        ("autoencoder", "no distribution to draw from"),
        ("autoencoder --walk", "codes that can be drawn"),
        ("vae --walk --data synthetic", "--data is for --reconstruct and --map"),
        ("vae --out a.jpg", "expected a .png"),
        ("vae --out a.gif", "needs --walk or --interpolate"),
        ("vae --map --out a.gif", "needs --walk or --interpolate"),
        ("vae --map --class bag --out a.png", "leave --class out"),
        ("vae --reconstruct --class bag --out a.png", "leave --class out"),
    ],
)
def test_generate_refuses_in_one_line(saved, capsys, command, message):
    name, *rest = command.split()
    assert parser.main(["generate", str(saved / f"{name}.npz"), *rest]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert re.search(message, said)


@pytest.mark.parametrize("name", ["vae", "gan"])
def test_a_conditional_network_wants_labels_that_it_knows(name):
    net, z = models.build(name, latent=3, classes=2, **SMALL), np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match="trained with 2 classes: give labels"):
        net.decode(z)
    for wrong in ([0, 2], [0, -1]):
        with pytest.raises(ValueError, match="label"):
            net.decode(z, np.array(wrong))
    with pytest.raises(ShapeError, match="not one-hot"):
        net.decode(z, np.eye(2))


def test_a_generator_alone_can_only_draw():
    net = models.build("gan", latent=3, critic=False, **SMALL)
    with pytest.raises(ValueError, match="has no critic"):
        net.infer(np.zeros((1, 3), np.float32))
    assert net.decode(np.zeros((1, 3), np.float32)).shape == (1, 8, 8, 1)


def test_a_map_has_as_many_images_as_asked(saved, capsys):
    command = ["generate", str(saved / "vae.npz"), "--map", "--json", "--out"]
    for count, wanted in (([], 12), (["--count", "5"], 5)):
        assert parser.main([*command, str(saved / f"{wanted}.png"), *count]) == 0
        assert json.loads(capsys.readouterr().out)["images"] == wanted


def test_generate_writes_over_nothing(saved, capsys, monkeypatch):
    monkeypatch.chdir(saved)
    command = ["generate", "vae.npz", "--count", "1", "--json"]
    for name in ("grid.png", "grid-2.png", "grid-3.png"):
        assert parser.main(command) == 0
        assert json.loads(capsys.readouterr().out)["out"] == name
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    assert parser.main([*command, "--seed", "1", "--out", "grid-2.png"]) == 2
    assert "no file is written over" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before
