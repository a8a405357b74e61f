"""The baselines that the generative networks are compared with, on cases whose answer is known."""

import argparse
import json
import types
from dataclasses import replace

import numpy as np
import pytest

import numpycnn as nc
from benchmarks.generative import baselines, common, elbo, samples, ship
from benchmarks.generative.pictures import copied
from numpycnn import data, models
from numpycnn.errors import RunFolderError


def images(n=60, seed=0):
    return np.random.default_rng(seed).random((n, 4, 3, 1)).astype(np.float32)


def test_pca_error_is_what_the_components_leave():
    """Of the training images it is the sum of the variances left out; of all components nothing."""
    x = images()
    parts = baselines.principal(x)
    variances = parts[1]
    assert (np.diff(variances) <= 0).all()
    for k in (0, 3, 12):
        wanted = variances[k:].sum() * (len(x) - 1) / len(x) / 12
        assert baselines.pca_error(parts, x, k).mean() == pytest.approx(wanted, abs=1e-12)


def test_pca_gaussian_has_the_mean_and_variance_of_its_components():
    x = (0.5 + 0.01 * np.random.default_rng(1).standard_normal((400, 4, 3, 1))).astype(
        np.float32
    )  # nothing is clipped
    parts = baselines.principal(x)
    drawn = baselines.pca_gaussian(parts, (4, 3, 1), 5, 40_000, np.random.default_rng(0))
    assert drawn.shape == (40_000, 4, 3, 1)
    codes = (drawn.reshape(len(drawn), -1) - parts[0]) @ parts[2]
    np.testing.assert_allclose(codes.var(axis=0)[:5], parts[1][:5], rtol=0.05)
    np.testing.assert_allclose(codes[:, 5:], 0, atol=1e-6)
    wide = baselines.pca_gaussian(
        (parts[0], 1e6 * parts[1], parts[2]), (4, 3, 1), 5, 50, np.random.default_rng(0)
    )
    assert (wide.min(), wide.max()) == (0, 1)


def test_filters_clean_each_image_alone():
    pytest.importorskip("scipy")
    x = np.full((3, 9, 9, 1), 0.25, np.float32)
    x[1] = 0.75
    noisy = x.copy()
    noisy[:, 4, 4] = 1
    np.testing.assert_array_equal(baselines.median(noisy, 3), x)
    cleaned = baselines.wiener(noisy, 3)
    assert cleaned.shape == x.shape
    assert np.abs(cleaned[1, 2:-2, 2:-2] - 0.75).max() < 0.25
    assert cleaned[0, 4, 4] < 1


def test_the_floor_of_grey_pixels_by_hand():
    """Half grey costs log 2 each; black and white nothing."""
    x = np.array([0.5, 0.5, 0, 1]).reshape(1, 2, 2, 1)
    assert elbo.floor(x) == pytest.approx(2 * np.log(2))
    assert elbo.floor(np.full((3, 1, 1, 1), 0.1)) == pytest.approx(
        -0.1 * np.log(0.1) - 0.9 * np.log(0.9)
    )


def test_a_measurement_is_written_and_a_run_that_is_not_finished_refused(tmp_path, capsys):
    common.header(["mse"])
    common.write(tmp_path / "results", "trial", {"mse": 0.01234, "seed": 0})
    assert json.loads((tmp_path / "results" / "trial.json").read_text()) == {
        "mse": 0.01234,
        "seed": 0,
    }
    assert capsys.readouterr().out.splitlines() == [
        "| run | mse |",
        "|---|---|",
        "| trial | 0.01234 | 0 |",
    ]
    with pytest.raises(RunFolderError, match="not finished"):
        common.finished(tmp_path)
    (tmp_path / "result.json").write_text(json.dumps({"run": "wgan_gp-fashion-mnist-seed-1"}))
    assert common.result_of(tmp_path, "gan", "wgan_gp")["run"] == "wgan_gp-fashion-mnist-seed-1"
    with pytest.raises(
        RunFolderError, match=r"is a run of wgan_gp\.py; this measures runs of vae or gan"
    ):
        common.finished(tmp_path, "vae", "gan")


def test_a_shipped_generator_draws_the_same_and_fits(tmp_path):
    net = models.build("gan", seed=2, classes=10)
    z, labels = (
        np.random.default_rng(0).standard_normal((3, net.latent), np.float32),
        np.array([1, 2, 3]),
    )
    for buffer in dict(nc.layers.base.named_buffers(net)).values():
        buffer += 0.25
    nc.save(tmp_path / "small.npz", ship.shipped(net))
    again = nc.load(tmp_path / "small.npz")
    assert again.critic is None
    assert again.decode(z, labels).tobytes() == net.decode(z, labels).tobytes()
    assert (tmp_path / "small.npz").stat().st_size < ship.LIMIT
    nc.save(tmp_path / "vae.npz", ship.shipped(models.build("vae", classes=10)))
    assert (tmp_path / "vae.npz").stat().st_size < ship.LIMIT


def test_two_measurements_of_a_run_have_files_of_their_own(monkeypatch):
    """A VAE has an ELBO, and its samples are judged."""
    shown, net = data.load("synthetic").limit(20), models.build("vae", latent=2)
    shown = replace(shown, x_test=shown.x_test[:20], y_test=shown.y_test[:20])
    monkeypatch.setattr(
        elbo,
        "finished",
        lambda folder, *names: ({"run": "vae", "seed": 0, "seconds": 60}, net, shown),
    )
    given = {"count": samples.COUNT, "classifier": samples.CLASSIFIER}
    assert elbo.measure("run")[0] == "elbo-vae"
    assert samples.title("vae", argparse.Namespace(**given)) == "samples-vae"
    assert samples.title("vae", argparse.Namespace(**given | {"count": 500})) == "samples-vae-500"
    assert (
        samples.title("vae", argparse.Namespace(**given | {"classifier": "a/b.npz"}))
        == "samples-vae-b"
    )
    assert samples.title("vae", argparse.Namespace(**given), 40) == "samples-vae-mixture-40"


def test_a_mixture_has_the_codes_of_the_images():
    """Of two heaps of codes, three times as many in one, as many are drawn, with their mean and
    variance.
    """
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(-3, 0.1, (300, 2)), rng.normal(5, 1, (900, 2))]).astype(
        np.float32
    )
    net = types.SimpleNamespace(classes=0, encode=lambda x, labels: x, decode=lambda z, labels: z)
    drawn = samples.mixed(net, x, 2, 4000)
    low = (drawn < 1).all(axis=1)
    assert low.mean() == pytest.approx(0.25, abs=0.02)
    np.testing.assert_allclose(drawn[low].std(axis=0), 0.1, rtol=0.15)
    np.testing.assert_allclose(drawn[~low].mean(axis=0), 5, atol=0.15)
    np.testing.assert_allclose(drawn[~low].std(axis=0), 1, rtol=0.1)
    assert samples.mixed(net, x, 2, 50).tobytes() == samples.mixed(net, x, 2, 50).tobytes()


def test_a_card_says_what_was_measured():
    result = {
        "data": "fashion-mnist",
        "command": "python examples/gan.py --conditional",
        "epochs": 24,
        "seed": 3,
    }
    result |= {"name": "a run's"}
    samples_of = {
        "frechet": 1.2345,
        "share_of_gaussian": 0.0971,
        "rarest_class": 0.0712,
        "class_right": 0.912,
    }
    text = ship.card("gan", result | {"seconds": 1500.0, "threads": 1}, samples_of)
    assert "`python examples/gan.py --conditional`: 24 epochs, seed 3" in text
    assert text.startswith("# gan\n")
    assert "| time | 25 min, threads: 1 |" in text
    assert "| Frechet distance | 1.23 to" in text
    assert "9.7% of a PCA-Gaussian's" in text
    assert "the rarest class has 7.1% of the samples; 91.2% are classified" in text
    text = ship.card(
        "vae", result | {"seconds": 1500.0, "threads": 1}, samples_of | {"class_right": None}
    )
    assert "the rarest class has 7.1% of the samples |" in text


def test_the_last_grid_and_the_curves_are_copied(tmp_path):
    run, out = tmp_path / "run", tmp_path / "out"
    run.mkdir()
    with pytest.raises(RunFolderError, match="not finished"):
        copied(run, out)
    (run / "result.json").write_text(json.dumps({"run": "gan-mnist-seed-1"}))
    with pytest.raises(RunFolderError, match="no epoch-"):
        copied(run, out)
    for name in ("epoch-001", "epoch-002", "curves"):
        (run / f"{name}.png").write_text(name)
    grid, curves = copied(run, out)
    assert (grid.name, grid.read_text()) == ("gan-mnist-seed-1.png", "epoch-002")
    assert (curves.name, curves.read_text()) == ("gan-mnist-seed-1-curves.png", "curves")


def test_the_judge_is_the_network_that_is_shipped():
    """Its features lead to its own answers, floats and bytes are judged alike, and it judges no
    other data.
    """
    net, d = nc.load("pretrained:paper"), data.load("synthetic")
    shown = replace(d.limit(20), name="fashion-mnist", x_test=d.x_test[:20], y_test=d.y_test[:20])
    judge = samples.Judge("pretrained:paper", shown)
    assert judge.test.shape == (20, 92)
    np.testing.assert_allclose(
        judge.head.infer(judge.test), net.infer(shown.x_test), rtol=1e-3, atol=1e-3
    )
    judge.gaussian = 2.0
    asked = net.infer(shown.x_test).argmax(axis=1)
    measured = judge.measure(shown.x_test / np.float32(255), asked)
    assert measured["frechet"] == pytest.approx(0, abs=1e-3)
    assert (measured["precision"], measured["recall"], measured["class_right"]) == (1, 1, 1)
    halves = judge.measure(np.repeat(shown.x_test[:10], 2, axis=0))
    assert halves["share_of_gaussian"] == pytest.approx(halves["frechet"] / 2)
    with pytest.raises(ValueError, match="not on synthetic"):
        samples.Judge("pretrained:paper", replace(shown, name="synthetic"))
