"""The command line: what stands on standard output and standard error, exit codes, run folders, signals."""

import contextlib
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import files
from numpycnn.cli import parser, recipes
from numpycnn.data import augment
from numpycnn.errors import (
    CheckpointError,
    DatasetError,
    DownloadError,
    RunFolderError,
    ShapeError,
    TrainingDiverged,
)
from numpycnn.inspection import report
from numpycnn.training import checkpoint, loop
from tests.training.test_training import arrays, pictures, same, small

pytestmark = pytest.mark.filterwarnings("ignore:classes? .* never predicted")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUN = {"best.npz", "last.npz", "history.csv", "report.html", "result.json"}
TRAIN_KEYS = {
    "model",
    "data",
    "parameters",
    "epochs",
    "test_accuracy",
    "test_loss",
    "seconds",
    "out",
}


def write_data(path, classes=("one", "two", "three", "four"), **changes):
    (x, y), (x_test, y_test) = pictures(64), pictures(40, 1)
    content = {
        "x_train": x,
        "y_train": y,
        "x_test": x_test,
        "y_test": y_test,
        "classes": np.array(classes),
    }
    np.savez(path, **{**content, **changes})
    return str(path)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """An .npz with 64 small images; the working directory is beside it, and Fashion-MNIST out of reach."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NUMPYCNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NUMPYCNN_DATA", raising=False)
    return write_data(tmp_path / "data.npz")


@pytest.fixture
def no_report(monkeypatch):
    """The pictures take most of the time of such a small run."""
    monkeypatch.setattr(recipes.training_page, "write", lambda *a, **k: None)


@pytest.fixture
def run(capsys):
    """run("train", ...) -> exit code, standard output, standard error."""

    def call(*arguments):
        try:
            code = parser.main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return call


@pytest.fixture
def trained(data, no_report, run):
    """A run folder "run" of alexnet, one epoch."""
    code, _, err = run("train", "--model", "alexnet", "--data", data, "--epochs", 1, "--out", "run")
    assert code == 0, err
    return data


def start(*arguments, **settings):
    """The command in a process of its own."""
    command = [
        sys.executable,
        *(() if arguments[0] == "-c" else ("-m", "numpycnn")),
        *map(str, arguments),
    ]
    environment = {**os.environ, "PYTHONPATH": ROOT, **settings.pop("env", {})}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, **{**pipes, **settings})


def finish(*arguments, **settings):
    with start(*arguments, **settings) as process:
        out, err = process.communicate(timeout=120)
    assert "Traceback" not in err
    return process.returncode, out, err


# ---- train ------------------------------------------------------------------------------------


def test_train_leaves_a_whole_run(data, run, tmp_path):
    settings = [
        "--model",
        "vgg",
        "--epochs",
        2,
        "--batch-size",
        32,
        "--limit",
        48,
        "--val",
        8,
        "--lr",
        "0.002",
    ]
    code, out, err = run("train", "--data", data, *settings, "--out", "a run/größe", "--json")
    assert code == 0
    assert out.count("\n") == 1
    result = json.loads(out)
    assert result.keys() >= TRAIN_KEYS
    folder = tmp_path / "a run" / "größe"
    pictures = {"learning_curves.png", "confusion.png", "mistakes.png", "filters.png"}
    assert {path.name for path in folder.iterdir()} == RUN | pictures
    assert json.loads((folder / "result.json").read_text()) == result
    assert (result["model"], result["epochs"], result["data"]) == ("vgg", 2, data)
    net = nc.load(folder / "last.npz")
    dataset = nc.data.load(data)
    measured = nc.evaluate(net, dataset.x_test, dataset.y_test)
    assert result["test_accuracy"] == measured["accuracy"]
    assert result["test_loss"] == pytest.approx(measured["loss"], rel=1e-6)
    assert result["parameters"] == net.summary((12, 12, 1)).total
    lines = err.splitlines()
    assert [
        bool(re.match(r"epoch [12]/2  loss .*accuracy .*val_loss .*val_accuracy .* s$", x))
        for x in lines[-2:]
    ]
    said = [
        i
        for i, line in enumerate(lines)
        if re.search(r"40 training images, 2 epochs, 4 steps: about \d+ ", line)
    ]
    assert said
    assert said[0] < len(lines) - 2
    metadata = net.metadata
    assert metadata["classes"] == ["one", "two", "three", "four"]
    assert metadata["data_sha256"] == dataset.limit(48).sha256
    assert metadata["recipe"]["val"] == 8


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_train_on_floats_of_any_channels_ends_with_a_report(channels, data, run):
    x, x_test = (
        np.repeat(pictures(n, k)[0] / 255, channels, axis=3) for n, k in ((64, 0), (40, 1))
    )
    write_data("floats.npz", x_train=x, x_test=x_test)
    code, _, err = run(
        "train", "--model", "alexnet", "--data", "floats.npz", "--epochs", 1, "--out", "run"
    )
    assert code == 0, err
    assert os.path.exists("run/report.html")
    assert run("inspect", "run/last.npz")[0] == 0
    from PIL import Image

    Image.fromarray(pictures(1)[0][0, ..., 0]).save("photo.png")
    code, _, err = run("predict", "photo.png", "--checkpoint", "run/last.npz")
    assert (code, "the network wants images of 2 channels" in err) == (
        (2, True) if channels == 2 else (0, False)
    )


def test_two_trainings_at_once_have_a_folder_each(data, no_report, run, monkeypatch):
    train, out = recipes.train, []

    def beside(recipe, dataset, folder, *rest):
        out.append(folder)
        if len(out) == 1:
            assert run("train", "--model", "alexnet", "--data", data, "--epochs", 1)[0] == 0
        return train(recipe, dataset, folder, *rest)

    monkeypatch.setattr(recipes, "train", beside)
    assert run("train", "--model", "alexnet", "--data", data, "--epochs", 1)[0] == 0
    assert [str(folder) for folder in out] == [f"runs/alexnet-data.npz-{n}" for n in (1, 2)]
    assert all((folder / "last.npz").exists() for folder in out)


def test_a_training_that_never_began_leaves_no_folder(data, run, monkeypatch):
    def no_memory(*_):
        raise ShapeError("would need more bytes than there are")

    monkeypatch.setattr(recipes, "network", no_memory)
    assert run("train", "--model", "alexnet", "--data", data)[0] == 2
    assert os.listdir("runs") == []


def test_train_to_people_shows_each_class_and_the_report(trained, run):
    code, out, _ = run("train", "--resume", "--out", "run")
    assert code == 0
    names = [line.split()[0] for line in out.splitlines()]
    assert names[:4] == ["one", "two", "three", "four"]
    assert re.search(r"Test accuracy: \d+\.\d\d%", out)
    assert os.path.join("run", "report.html") in out


def test_the_validation_images_are_a_twelfth_unless_told(data, no_report, run):
    assert run("train", "--model", "alexnet", "--data", data, "--epochs", 1, "--out", "a")[0] == 0
    assert checkpoint.read("a/last.npz")[0]["recipe"]["val"] == 64 // 12
    assert checkpoint.read("a/last.npz")[0]["fit"]["settings"]["images"] == 64 - 64 // 12
    assert (
        run("train", "--model", "alexnet", "--data", data, "--epochs", 1, "--out", "b", "--val", 0)[
            0
        ]
        == 0
    )
    assert checkpoint.read("b/last.npz")[0]["fit"]["settings"]["images"] == 64
    assert np.isnan(checkpoint.read("b/last.npz")[0]["fit"]["history"]["val_loss"]).all()


def test_without_out_each_run_has_a_folder_of_its_own(data, no_report, run, tmp_path):
    for _ in range(2):
        assert run("train", "--model", "alexnet", "--data", data, "--epochs", 1)[0] == 0
    assert {p.name for p in (tmp_path / "runs").iterdir()} == {
        "alexnet-data.npz-1",
        "alexnet-data.npz-2",
    }


def test_without_data_and_network_it_says_that_it_draws(data, no_report, run, monkeypatch):
    def offline(*_, **__):
        raise DownloadError("no network")

    monkeypatch.setattr(nc.data.datasets.download, "fetch", offline)
    monkeypatch.setattr(nc.data.datasets, "SYNTHETIC_TRAIN", 200)
    monkeypatch.setattr(nc.data.datasets, "SYNTHETIC_TEST", 50)
    code, out, err = run(
        "train", "--model", "alexnet", "--epochs", 1, "--limit", 64, "--out", "run", "--json"
    )
    assert code == 0
    assert json.loads(out)["data"] == "synthetic"
    assert "Fashion-MNIST is not here" in err
    code, out, err = run("train", "--model", "alexnet", "--data", "fashion-mnist", "--out", "b")
    assert (code, out) == (4, "")
    assert not os.path.exists("b")


def test_missing_data_names_the_places(data, run, monkeypatch, tmp_path):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("NUMPYCNN_DATA", str(tmp_path / "empty"))
    monkeypatch.setattr(
        nc.data.datasets.download,
        "_fetch_from",
        lambda *_: (_ for _ in ()).throw(OSError("no route")),
    )
    monkeypatch.setattr(nc.data.datasets.download, "PAUSE", 0)
    code, out, err = run("train", "--data", "fashion-mnist")
    assert (code, out) == (4, "")
    assert err.count("\n") == 1
    assert str(tmp_path / "empty" / "fashion-mnist") in err
    assert str(tmp_path / "cache" / "fashion-mnist") in err


def test_each_recipe_is_whole():
    for name, recipe in recipes.RECIPES.items():
        assert name in nc.models.MODELS
        assert set(recipe) - {"patience"} == {"epochs", "batch_size", "lr", "schedule", "augment"}
        assert callable(nc.schedule.named(recipe["schedule"]))
        assert (augment.augmentation(recipe["augment"]) is None) == (recipe["augment"] == "none")


@pytest.mark.filterwarnings("ignore:class.* never predicted")
def test_patience_ends_a_training_that_gets_no_better(trained, run):
    settings = ["train", "--data", trained, "--lr", 0, "--epochs", 5]
    code, out, _ = run(*settings, "--patience", 2, "--out", "patient", "--json")
    assert (code, json.loads(out)["epochs"]) == (0, 3)
    code, _, err = run(*settings, "--patience", 2, "--val", 0)
    assert code == 2
    assert "--patience watches the accuracy on validation images" in err
    code, _, err = run("train", "--resume", "--out", "patient", "--patience", 3)
    assert code == 2
    assert "has patience 2, not 3" in err
    code, out, err = run("train", "--resume", "--out", "patient", "--json")
    assert (code, json.loads(out)["epochs"]) == (0, 3)
    assert "the run in patient is complete" in err


# ---- run folders ------------------------------------------------------------------------------


def test_a_folder_that_is_not_empty_is_refused(trained, run):
    before = {path: os.stat(f"run/{path}").st_mtime_ns for path in os.listdir("run")}
    code, out, err = run("train", "--data", trained, "--out", "run")
    assert (code, out) == (2, "")
    assert "--force" in err
    assert err.count("\n") == 1
    assert {path: os.stat(f"run/{path}").st_mtime_ns for path in os.listdir("run")} == before
    code, _, err = run("train", "--data", trained, "--out", "data.npz", "--force")
    assert (code, err) == (
        2,
        "numpycnn train: data.npz is a file; --out needs a folder, which may be new\n",
    )


def test_force_starts_anew_and_loses_nothing(trained, run):
    old = arrays(nc.load("run/best.npz"))
    settings = ["--model", "alexnet", "--data", trained, "--epochs", 2, "--seed", 5]
    assert run("train", *settings, "--out", "run", "--force")[0] == 0
    assert same(arrays(nc.load("run/previous-1/best.npz")), old)
    assert nc.load("run/last.npz").metadata["seed"] == 5
    with open("run/history.csv") as file:
        assert len(file.readlines()) == 3


def test_force_that_fails_leaves_the_old_run_as_it_was(trained, run):
    before = sorted(os.listdir("run"))
    assert run("train", "--data", trained, "--out", "run", "--force", "--schedule", "cosin")[0] == 2
    assert run("train", "--data", trained, "--out", "run", "--force", "--val", "64")[0] == 2
    assert run("train", "--data", "nowhere.npz", "--out", "run", "--force")[0] == 3
    assert sorted(os.listdir("run")) == before


def test_resume_refuses_another_run(trained, run):
    for setting in (
        ["--epochs", "9"],
        ["--model", "vgg"],
        ["--lr", "0.5"],
        ["--seed", "1"],
        ["--limit", "9"],
    ):
        code, out, err = run("train", "--resume", "--out", "run", *setting)
        assert (code, out) == (2, "")
        assert f"has {setting[0][2:]}" in err
    assert run("train", "--resume")[0] == 2
    assert run("train", "--resume", "--out", "nowhere")[0] == 2
    assert run("train", "--resume", "--force", "--out", "run")[0] == 2
    x, _ = pictures(64, seed=7)
    write_data("data.npz", x_train=x)  # other images under the same name
    code, _, err = run("train", "--resume", "--out", "run")
    assert code == 3
    assert "data" in err
    nc.save("run/last.npz", small())
    assert run("train", "--resume", "--out", "run")[0] == 3


def test_resume_of_a_complete_run_measures_it_again(trained, run):
    with open("run/result.json") as file:
        first = json.load(file)
    code, out, err = run("train", "--resume", "--out", "run", "--json")
    assert code == 0
    assert "complete" in err
    again = json.loads(out)
    assert {**again, "seconds": 0} == {**first, "seconds": 0}


def test_interrupted_and_resumed_as_if_never_interrupted(data, no_report, run, monkeypatch):
    command = ["train", "--model", "alexnet", "--data", data, "--epochs", 3, "--batch-size", 16]
    assert run(*command, "--out", "whole")[0] == 0
    end_step, seen = loop.Run.end_step, []

    def spy(self, *args):
        end_step(self, *args)
        if self.out:  # not one of the steps that are timed
            seen.append(1)
            if len(seen) == 6:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(loop.Run, "end_step", spy)
    code, out, err = run(*command, "--out", "it's a run")
    assert (code, out) == (130, "")
    assert err.endswith(
        """stopped; continue with: numpycnn train --resume --out 'it'"'"'s a run'\n"""
    )
    code, _, err = run("train", "--resume", "--out", "it's a run")
    assert code == 0
    assert re.search(r"6 steps left: about", err)
    assert same(arrays(nc.load("whole/last.npz")), arrays(nc.load("it's a run/last.npz")))
    with open("whole/history.csv") as a, open("it's a run/history.csv") as b:
        rows = [[line.split(",")[:-1] for line in file] for file in (a, b)]
    assert rows[0] == rows[1]


# ---- signals, pipes, terminals: in processes of their own ---------------------------------------


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_an_import_turns_into_an_import_error(signum, run, monkeypatch):
    """As C extensions do when their initialisation is interrupted. Without a signal it stays an error."""

    def broken(*_, **__):
        try:
            signal.raise_signal(signum)
        except KeyboardInterrupt:
            raise ImportError("initialization failed") from None

    monkeypatch.setattr(nc.models, "build", broken)
    assert run("summary", "vgg")[::2] == (128 + signum, "numpycnn summary: stopped\n")

    def missing(*_, **__):
        raise ImportError("no such module")

    monkeypatch.setattr(nc.models, "build", missing)
    assert run("summary", "vgg")[0] == 1


@pytest.mark.parametrize(
    ("signum", "place", "code"),
    [
        (signal.SIGINT, "epoch", 130),
        (signal.SIGTERM, "epoch", 143),
        (signal.SIGINT, r"\d+ training", 130),
    ],
)
def test_a_signal_saves_and_ends(signum, place, code, data, tmp_path):
    with start(
        "train", "--model", "alexnet", "--data", data, "--epochs", 9999, "--out", "run"
    ) as process:
        for line in process.stderr:
            if re.match(place, line):
                break
        process.send_signal(signum)
        rest = process.stderr.read()
        out = process.stdout.read()
    assert process.returncode == code
    assert out == ""
    assert "Traceback" not in rest
    assert rest.splitlines()[-1].startswith("numpycnn train: stopped")
    if place == "epoch":  # before, there may be nothing to save yet
        assert "continue with: numpycnn train --resume --out run" in rest.splitlines()[-1]
        assert checkpoint.read(tmp_path / "run" / "last.npz")[0]["recipe"]["epochs"] == 9999


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("place", ["data", "trial", "evaluation"])
def test_a_signal_elsewhere_ends_at_once(signum, place, data, run, monkeypatch):
    def hit(*_, **__):
        signal.raise_signal(signum)
        time.sleep(5)

    target = {"data": (nc.data, "load"), "trial": (loop, "_epoch"), "evaluation": (loop, "measure")}
    if place == "trial":
        epoch = loop._epoch

        def hit(run, *args):
            signal.raise_signal(signum)
            epoch(run, *args)

    monkeypatch.setattr(*target[place], hit)
    began = time.monotonic()
    code, out, err = run(
        "train", "--model", "alexnet", "--data", data, "--epochs", 1, "--out", "run"
    )
    assert (code, out) == (128 + signum, "")
    assert err.splitlines()[-1].startswith("numpycnn train: stopped")
    assert time.monotonic() - began < 30
    assert os.path.exists("run") == (place == "evaluation")


def test_a_terminal_sees_a_bar(data):
    pty = pytest.importorskip("pty")
    import fcntl
    import struct
    import termios

    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [
        "train",
        "--model",
        "alexnet",
        "--data",
        data,
        "--epochs",
        "4",
        "--batch-size",
        "8",
        "--json",
    ]
    code = f"from numpycnn import cli\nfrom numpycnn.cli import recipes\nrecipes.training_page.write = lambda *a, **k: None\ncli.main({command})"
    with start("-c", code, stderr=child, text=False) as process:
        os.close(child)
        shown = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while piece := os.read(parent, 65536):
                shown += piece
        json.loads(process.stdout.read())
    os.close(parent)
    text = shown.decode()
    bar = r"epoch [1-4]/4 \|.*\| \d+/32, \d\d:\d\d left, loss \d+\.\d+, accuracy +\d+\.\d%, \d+ images/s"
    assert re.search(bar, text)
    lines = [line.split("\r")[-1] for line in text.replace("\r\n", "\n").split("\n")]
    assert sum(bool(re.match(r"epoch [1-4]/4  loss", line)) for line in lines) == 4
    assert not any("|" in line for line in lines)  # no bar is left behind
    assert (
        max(len(piece) for line in text.split("\n") for piece in line.split("\r") if "|" in piece)
        <= 80
    )


def test_numpy_trains_without_numba_and_under_O(data):
    code = (
        "import sys\nfrom numpycnn.cli import main\n"
        "from numpycnn.cli import recipes\nrecipes.training_page.write = lambda *a, **k: None\n"
        "command = ['train', '--backend', 'numpy', '--model', 'alexnet', '--epochs', '1', '--limit', '24']\n"
        f"code = main([*command, '--data', {data!r}])\n"
        "print('numba' in sys.modules, code)"
    )
    env = {**os.environ, "PYTHONPATH": ROOT}
    done = subprocess.run(
        [sys.executable, "-O", "-c", code], env=env, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "False 0", done.stderr
    assert "compiling" not in done.stderr


def test_a_closed_pipe_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer) as pipe:
        assert finish("summary", "vgg", stdout=pipe) == (141, None, "")


@pytest.mark.skipif(
    not os.path.isdir("/proc/self"), reason="needs a folder that even root cannot write to"
)
def test_a_working_directory_that_cannot_be_written(data, tmp_path):
    code, out, err = finish(
        "train", "--model", "alexnet", "--data", data, "--epochs", 1, cwd="/proc/self"
    )
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "--out" in err


# ---- evaluate, predict and the rest -------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:class.* never predicted")
def test_evaluate(trained, run):
    code, out, _ = run("evaluate", "run/last.npz", "--json")
    result = json.loads(out)
    assert code == 0
    assert result.keys() == {"accuracy", "loss", "parameters", "per_class", "confusion"}
    assert list(result["per_class"]) == ["one", "two", "three", "four"]
    assert np.trace(result["confusion"]) / 40 == result["accuracy"]
    code, out, _ = run("evaluate", "run/last.npz")
    assert f"Test accuracy: {result['accuracy']:.2%}" in out
    code, out, _ = run("evaluate", "run/last.npz", "--flip", "--json")
    net = nc.load("run/last.npz")
    held = nc.data.load(net.metadata["data"])
    assert (
        json.loads(out)["loss"]
        == nc.evaluate(net, held.x_test, held.y_test, flip=True)["loss"]
        != result["loss"]
    )


def test_evaluate_on_other_data(trained, run, tmp_path):
    other = write_data("other.npz", classes=("a", "b", "c", "d"))
    code, out, err = run("evaluate", "run/last.npz", "--data", other, "--json")
    assert code == 0
    assert "other classes" in err
    more = write_data("more.npz", classes=("a", "b", "c", "d", "e"))
    code, out, err = run("evaluate", "run/last.npz", "--data", more)
    assert (code, out) == (2, "")
    assert "4 classes" in err
    x = np.zeros((40, 14, 14, 1), np.uint8)
    sizes = write_data("sizes.npz", x_train=x, y_train=np.zeros(40, int), x_test=x)
    code, out, err = run("evaluate", "run/last.npz", "--data", sizes)
    assert (code, out) == (2, "")


def test_numbers_that_json_does_not_know_are_null(trained, run):
    y = np.zeros(40, int)
    write_data("one.npz", x_test=pictures(40)[0], y_test=y)
    code, out, err = run("evaluate", "run/last.npz", "--data", "one.npz", "--json")
    assert code == 0
    assert "NaN" not in out
    assert json.loads(out)["per_class"]["two"] is None
    assert err.count("note: ") == len(set(re.findall("note: .*", err))) > 0
    assert ".py" not in err


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", "short", "foreign"])
def test_a_checkpoint_of_something_else_is_refused(content, trained, run):
    if content == "short":
        with open("run/last.npz", "rb") as file:
            content = file.read()[:-100]
    if content == "foreign":
        np.savez("other.npz", w=np.zeros(3))
    else:
        with open("other.npz", "wb") as file:
            file.write(content)
    commands = (
        ["evaluate", "other.npz"],
        ["predict", "x.png", "--checkpoint", "other.npz"],
        ["evaluate", "no.npz"],
    )
    for command in commands:
        code, out, err = run(*command)
        assert (code, out) == (3, "")
        assert err.count("\n") == 1


def test_predict_prints_the_top_classes(trained, run):
    from PIL import Image

    os.mkdir("meine Bilder")
    for i, image in enumerate(pictures(2)[0]):
        Image.fromarray(image[..., 0]).save(f"meine Bilder/ü {i}.png")
    paths = ["meine Bilder/ü 0.png", "meine Bilder/ü 1.png"]
    code, out, _ = run("predict", *paths, "--checkpoint", "run/best.npz")
    assert code == 0
    for path, line in zip(paths, out.splitlines(), strict=True):
        assert re.fullmatch(rf"{path}: \w+ \d+\.\d%, \w+ \d+\.\d%, \w+ \d+\.\d%", line)
    code, out, _ = run("predict", *paths, "--checkpoint", "run/best.npz", "--json")
    found = json.loads(out)["predictions"]
    assert [one["image"] for one in found] == paths
    for one in found:
        assert sum(one["probabilities"].values()) == pytest.approx(1, rel=1e-5)
        assert one["class"] == max(one["probabilities"], key=one["probabilities"].get)
    assert run("predict", "run/history.csv", "--checkpoint", "run/best.npz")[0] == 3


def test_a_file_of_the_training_data_is_predicted_as_it_was_trained_on(
    tmp_path, monkeypatch, no_report, run
):
    """On a light background too: the network sees the file, not its negative."""
    from PIL import Image

    x, y = pictures(60)
    for i, (image, label) in enumerate(zip(255 - x[..., 0], y, strict=True)):
        (tmp_path / "mine" / f"class {label}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "mine" / f"class {label}" / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    assert (
        run("train", "--model", "lenet5", "--data", "./mine", "--epochs", 1, "--out", "run")[0] == 0
    )
    path = f"mine/class {y[0]}/0.png"
    code, out, _ = run("predict", path, "--checkpoint", "run/last.npz", "--json")
    assert code == 0
    (found,) = json.loads(out)["predictions"]
    wanted = nc.predict(nc.load("run/last.npz"), 255 - x[:1])[0]
    np.testing.assert_allclose(list(found["probabilities"].values()), wanted, rtol=1e-5)


@pytest.fixture
def photos(data):
    """Two files "photo.png", of different folders, and a checkpoint "net.npz" that knows no classes."""
    from PIL import Image

    nc.save("net.npz", small(), data="bars")
    os.mkdir("b")
    for image, path in zip(pictures(2)[0], ("photo.png", "b/photo.png"), strict=True):
        Image.fromarray(image[..., 0]).save(path)
    return ["photo.png", "b/photo.png"]


def test_predict_with_a_checkpoint_that_names_no_classes(photos, run):
    code, out, _ = run("predict", "photo.png", "--checkpoint", "net.npz", "--json")
    assert code == 0
    (found,) = json.loads(out)["predictions"]
    assert list(found["probabilities"]) == ["0", "1", "2", "3"]
    assert (found["familiar"], found["shown"]) == (None, None)


def test_predict_shows_what_the_network_saw_and_writes_over_nothing(photos, run):
    from PIL import Image

    before = [open(path, "rb").read() for path in photos]
    command = ["predict", *photos, "--checkpoint", "net.npz", "--json", "--show"]
    shown = [
        [one["shown"] for one in json.loads(run(*command)[1])["predictions"]] for _ in range(2)
    ]
    assert shown == [
        ["photo-seen.png", "photo-seen-2.png"],
        ["photo-seen-3.png", "photo-seen-4.png"],
    ]
    assert [one["shown"] for one in json.loads(run(*command, "new/seen")[1])["predictions"]] == [
        os.path.join("new", "seen", "photo-seen.png"), os.path.join("new", "seen", "photo-seen-2.png")]  # fmt: skip
    assert [open(path, "rb").read() for path in photos] == before
    assert Image.open("new/seen/photo-seen.png").width > 1000
    code, out, _ = run("predict", "--checkpoint", "net.npz", "--show", "photo.png")
    assert (code, out.splitlines()[1]) == (
        0,
        "photo.png: what the network saw is in photo-seen-5.png",
    )
    assert run("predict", "photo.png", "--checkpoint", "net.npz", "--show", "one.png")[0] == 0
    assert Image.open("one.png").width > 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photo.png", "--show", "b/photo.png"], "exists"),
        (["photo.png", "--show", "new.jpg"], "folder or a file.png"),
        (["photo.png", "b/photo.png", "--show", "new.png"], "one file for 2 images"),
        (["--show"], "no IMAGE"),
        ([], "no IMAGE"),
    ],
)
def test_predict_refuses_a_place_for_the_picture(arguments, message, photos, run):
    files = set(os.listdir("."))
    code, out, err = run("predict", "--checkpoint", "net.npz", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert set(os.listdir(".")) == files


def test_predict_marks_what_is_not_familiar(photos, run, monkeypatch):
    from PIL import Image

    from numpycnn.inspection import out_of_distribution

    out_of_distribution.add("net.npz", pictures(1200)[0])
    Image.new("L", (50, 40), "white").save("blank.png")
    code, out, _ = run("predict", "photo.png", "blank.png", "--checkpoint", "net.npz")
    assert code == 0
    first, _, note = out.splitlines()
    assert first.startswith("photo.png: ")
    assert note == "note: blank.png looks like nothing in bars; do not trust this answer"
    _, out, _ = run("predict", "photo.png", "blank.png", "--checkpoint", "net.npz", "--json")
    assert [one["familiar"] for one in json.loads(out)["predictions"]] == [True, False]


def test_training_notes_what_is_familiar(data, no_report, run, monkeypatch):
    from numpycnn.inspection import out_of_distribution

    arguments = ["--model", "alexnet", "--data", data, "--epochs", 1]
    assert run("train", *arguments, "--out", "few")[0] == 0
    assert "familiarity" not in nc.load("few/last.npz").metadata
    monkeypatch.setattr(out_of_distribution, "LEAST", 40)
    assert run("train", *arguments, "--out", "run")[0] == 0
    dataset = nc.data.load(data)
    for name in "last.npz", "best.npz":
        net = nc.load(f"run/{name}")
        x = dataset.split(64 // 12, 0)[0][0]
        assert net.metadata["familiarity"] == out_of_distribution.fit(net, x)
        assert same(arrays(net), arrays(nc.load(f"few/{name}")))
    assert run("train", "--resume", "--out", "run")[0] == 0


def test_the_shipped_network_knows_a_blank_page(data, run):
    from PIL import Image

    Image.new("RGB", (300, 200), "white").save("blank.png")
    assert "note: blank.png looks like nothing in fashion-mnist" in run("predict", "blank.png")[1]


def test_inspect(trained, run, tmp_path, monkeypatch):
    code, out, err = run("inspect", "run/last.npz")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line.split()[:2] for line in lines[2:5]] == [
        ["0", "Standardize"],
        ["1", "Conv2D"],
        ["2", "ReLU"],
    ]
    assert (
        "Update/weight at lr 0.001: Adam's last step, from the optimiser's state in the file."
        in lines
    )
    assert lines[-1] == f"Page: {os.path.join('last-inspect', 'inspection.html')}"
    first = json.loads((tmp_path / "last-inspect" / "inspection.json").read_text())
    assert {path.name for path in (tmp_path / "last-inspect").glob("*.png")} == set(
        first["pictures"]
    )
    names = [name.removesuffix(".png") for name in first["pictures"]]
    monkeypatch.setattr(report, "_draw", lambda *_: (names, []))
    code, out, _ = run("inspect", "run/last.npz", "--json")  # over its own
    result = json.loads(out)
    assert result == first
    assert (code, result["checkpoint"], result["data"]) == (0, "run/last.npz", trained)
    assert (
        result["test_accuracy"]
        == json.loads(run("evaluate", "run/last.npz", "--json")[1])["accuracy"]
    )


def test_inspect_overwrites_no_foreign_folder(trained, run):
    os.mkdir("mine")
    with open("mine/notes.txt", "w") as file:
        file.write("dear diary")
    os.mkdir("other")
    with open("other/inspection.json", "w") as file:
        json.dump({"checkpoint": "run/best.npz"}, file)
    os.mkdir("odd")
    with open("odd/inspection.json", "w") as file:
        file.write("[1, 2")
    for out in ("mine", "other", "odd"):
        before = os.listdir(out)
        code, said, err = run("inspect", "run/last.npz", "--out", out)
        assert (code, said) == (2, "")
        assert f"{out} exists and is no inspection of run/last.npz; choose another --out" in err
        assert os.listdir(out) == before
    code, _, err = run("inspect", "run/last.npz", "--out", trained)
    assert (code, "is a file; --out needs a folder" in err) == (2, True)


def test_inspect_goes_on_in_the_folder_that_it_was_stopped_in(trained, run, monkeypatch):
    def stopped(out, *_):
        (out / "layers.png").touch()
        raise KeyboardInterrupt

    draw = report._draw
    monkeypatch.setattr(report, "_draw", stopped)
    assert run("inspect", "run/last.npz")[0] == 130
    monkeypatch.setattr(report, "_draw", draw)
    assert run("inspect", "run/last.npz")[0] == 0
    assert os.stat("last-inspect/layers.png").st_size > 0


@pytest.mark.parametrize(
    ("metadata", "code", "message"),
    [
        ({"classes": 10}, 3, "its classes are no list but 10"),
        ({"data": 5}, 3, "its data are no str but 5"),
        ({}, 2, "wide.npz knows 7 classes, but data.npz has 4"),
    ],
)
def test_a_checkpoint_that_says_what_cannot_be(metadata, code, message, data, run):
    nc.save("wide.npz", nc.models.build("alexnet", classes=7, input_shape=(12, 12, 1)), **metadata)
    found, out, err = run("evaluate", "wide.npz", "--data", "data.npz")
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert message in err


def test_inspect_takes_an_image(trained, run, monkeypatch):
    from PIL import Image

    shown = []
    monkeypatch.setattr(report, "_draw", lambda *a: (shown.append(a[-1]), ([], []))[1])
    Image.fromarray(pictures(1)[0][0, ..., 0]).save("ü.png")
    assert run("inspect", "run/best.npz", "--image", "ü.png", "--out", "new/größe")[0] == 0
    np.testing.assert_array_equal(shown[0], pictures(1)[0][0])
    code, out, err = run("inspect", "run/best.npz", "--image", "run/history.csv", "--out", "b")
    assert (code, out) == (3, "")
    assert err.count("\n") == 1
    assert not os.path.exists("b")


def test_summary_and_data_as_json(data, run):
    code, out, err = run("summary", "vgg", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["total"] == 196_778
    assert run("summary", "vgg")[1].count("Conv2D") == 6
    code, out, _ = run("data", data, "--json")
    found = json.loads(out)
    assert (code, found["train"], found["test"], found["image"]) == (0, 64, 40, [12, 12, 1])
    assert found.keys() == {"name", "classes", "sha256", "source", "train", "test", "image"}


def test_gradcheck_of_a_model(run):
    code, out, _ = run("gradcheck", "lenet5", "--seed", 1, "--json")
    found = json.loads(out)
    assert (code, found["model"], found["ok"]) == (0, "lenet5", True)
    assert 0 < found["max_error"] < 1e-5
    assert (
        json.loads(run("gradcheck", "lenet5", "--seed", 2, "--json")[1])["max_error"]
        != found["max_error"]
    )


@pytest.mark.parametrize(
    ("names", "steps"),
    [
        ("flip", [augment.horizontal_flip]),
        ("vertical-flip", [augment.vertical_flip]),
        ("crop", [lambda x, rng: augment.random_crop(x, rng, pad=2)]),
        ("rotate", [lambda x, rng: augment.rotate(x, rng, degrees=10)]),
        ("rotate-45", [lambda x, rng: augment.rotate(x, rng, degrees=45)]),
        ("erase,none,flip", [augment.random_erasing, augment.horizontal_flip]),
    ],
)
def test_augmentations_by_name(names, steps):
    x, found, rng = pictures(9)[0], augment.augmentation(names), np.random.default_rng(3)
    wanted = x
    for step in steps:
        wanted = step(wanted, rng)
    np.testing.assert_array_equal(found(x, np.random.default_rng(3)), wanted)
    assert not np.array_equal(wanted, x)
    assert augment.augmentation("none") is None


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (False, 1)])
def test_gradcheck_fails_with_an_exit_code(ok, code, run, monkeypatch):
    class Result:
        max_error = float("nan")

        def __str__(self):
            return "a table"

    Result.ok = ok
    monkeypatch.setattr(
        importlib.import_module("numpycnn.gradient_check"),
        "check_network",
        lambda *a, **k: Result(),
    )
    assert run("gradcheck", "vgg") == (code, "a table\n", "")
    found, out, _ = run("gradcheck", "vgg", "--json")
    assert found == code
    assert json.loads(out) == {"model": "vgg", "ok": ok, "max_error": None}


# ---- mistakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "COMMAND"),
        (["trian"], 2, "invalid choice: 'trian'"),
        (["train", "--epochs", "0"], 2, "whole number of at least 1, not '0'"),
        (["train", "--batch-size", "0"], 2, "whole number"),
        (["train", "--batch-size", "1.5"], 2, "whole number"),
        (["train", "--lr", "nan"], 2, "finite number of at least 0, not 'nan'"),
        (["train", "--lr", "-1"], 2, "finite number"),
        (["train", "--lr", "fast"], 2, "finite number"),
        (["train", "--seed", "-1"], 2, "whole number"),
        (["train", "--threads", "0"], 2, "whole number"),
        (["train", "--backend", "torch"], 2, "numba"),
        (["train", "--model", "vvg"], 2, "did you mean vgg"),
        (["train", "--data", "fashion-mnits"], 2, "did you mean fashion-mnist"),
        (["train", "--data", "data.npz", "--augment", "flop"], 2, "did you mean flip"),
        (["train", "--data", "data.npz", "--schedule", "cosin"], 2, "did you mean cosine"),
        (["train", "--data", "data.npz", "--val", "64"], 2, "64 training images"),
        (["train", "--data", "nowhere/data.npz"], 3, "no such file"),
        (["evaluate", "nowhere.npz"], 3, "no such checkpoint"),
        (["evaluate", "pretrained:nobody"], 2, "pretrained"),
        (["inspect"], 2, "checkpoint"),
        (["inspect", "nowhere.npz"], 3, "no such checkpoint"),
        (["inspect", "pretrained:nobody"], 2, "pretrained"),
        (
            ["inspect", "pretrained:paper", "--data", "data.npz"],
            2,
            "10 classes, but data.npz has 4",
        ),
        (
            ["inspect", "pretrained:paper", "--data", "fashion-mnits"],
            2,
            "did you mean fashion-mnist",
        ),
        (["summary", "alexnt"], 2, "did you mean alexnet"),
        (["gradcheck", "alexnt"], 2, "did you mean alexnet"),
        (["data", "mnits"], 2, "did you mean mnist"),
    ],
)
def test_a_mistake_gets_one_line(arguments, code, message, data, run, tmp_path):
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    assert err.count("\n") == 1
    assert message in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.npz"]


def test_an_unexpected_error_is_one_line_too_and_debug_shows_it(run, monkeypatch):
    def broken(*_):
        raise KeyError("wrong\nname")

    monkeypatch.setattr(nc.models, "build", broken)
    code, _, err = run("summary", "vgg")
    assert code == 1
    assert err.count("\n") == 1
    assert "KeyError" in err
    assert "--debug" in err
    with pytest.raises(KeyError):
        parser.main(["summary", "vgg", "--debug"])


def test_divergence_exits_5_and_keeps_a_good_checkpoint(data, no_report, run):
    arguments = [
        "--model",
        "alexnet",
        "--epochs",
        5,
        "--lr",
        "1e30",
        "--schedule",
        "constant",
        "--out",
        "run",
    ]
    code, out, err = run("train", "--data", data, *arguments)
    assert (code, out) == (5, "")
    assert "training diverged" in err.splitlines()[-1]
    assert all(np.isfinite(array).all() for array in arrays(nc.load("run/last.npz")).values())


def test_a_full_disk_exits_1(data, no_report, run, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    code, out, err = run(
        "train", "--model", "alexnet", "--data", data, "--epochs", 1, "--out", "run"
    )
    assert (code, out) == (1, "")
    assert "No space left on device" in err.splitlines()[-1]
    assert os.listdir("run") == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130), (DownloadError("x"), 4), (DatasetError("x"), 3), (CheckpointError("x"), 3),
        (TrainingDiverged(1, 2, 0.1), 5), (RunFolderError("x"), 2), (ShapeError("x"), 2), (ValueError("x"), 2),
        (PermissionError(13, "x"), 1), (MemoryError(), 1), (RuntimeError("x"), 1),
    ],
)  # fmt: skip
def test_exit_codes(error, code):
    assert parser.exit_code(error) == code


def test_threads_and_backend_are_taken(data, run):
    before = nc.backend.backend(), nc.backend.threads()
    try:
        code, out, _ = run("doctor", "--threads", 1, "--backend", "numpy", "--json")
        assert code == 0
        assert json.loads(out)["backend"] == "numpy, 1 threads"
    finally:
        nc.use(*before)


def test_the_first_run_says_that_it_compiles_and_the_second_does_not(tmp_path):
    code = (
        "import numpy as np, numpycnn as nc;"
        "nc.ops.relu(np.ones(3, np.float32)); nc.ops.max_pool2d(np.ones((1, 4, 4, 1), np.float32))"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "NUMPYCNN_BACKEND": "numba"}
    environment.pop("NUMBA_DISABLE_JIT", None)
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stderr
        for _ in range(2)
    ]
    assert said == ["numpycnn: compiling the kernels, once: about 20 seconds\n", ""]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 second"), (40, "40 seconds"), (300, "5 minutes"), (9000, "2.5 hours")],
)
def test_duration(seconds, text):
    assert files.duration(seconds) == text
