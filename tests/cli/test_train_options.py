"""Options of `numpycnn train` that say what and how it trains: the bits of the Python call."""

import json
import os

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import optim
from numpycnn.cli import architecture, recipes
from numpycnn.data.augment import augmentation
from numpycnn.training import checkpoint
from tests.helpers import arrays, same, write_data

pytestmark = pytest.mark.filterwarnings("ignore:classes? .* never predicted")

SMALL = ["--filters", "4,6", "--dropout", "0.1", "--epochs", "1", "--batch-size", "16"]


def in_python(data, model=None, optimizer=optim.Adam, lr=2e-3, decay=None, **settings):
    """What `numpycnn train SMALL` is in Python, with other settings -> its arrays."""
    d = nc.data.load(data)
    (x, y), validation = d.split(12, 0)
    arguments = {"filters": [4, 6], "dropout": 0.1, **(model or {})}
    shape = {"classes": 4, "input_shape": (12, 12, 1), "mean": d.mean, "std": d.std}
    net = nc.models.build("vgg", 0, **shape, **arguments)
    chosen = optimizer(net.params(), lr, **({} if decay is None else {"weight_decay": decay}))
    nc.fit(
        net, x, y, epochs=1, batch_size=16, optimizer=chosen, schedule="one_cycle", seed=0,
        augment=augmentation("crop"), validation=validation, progress=False, **settings,
    )  # fmt: skip
    return arrays(net)


@pytest.mark.parametrize(
    ("options", "call"),
    [
        ([], {}),
        (["--optimizer", "SGD"], {"optimizer": optim.SGD, "lr": 0.1}),
        (["--optimizer", "sgd", "--lr", "0.05"], {"optimizer": optim.SGD, "lr": 0.05}),
        (["--optimizer", "adamw"], {"optimizer": optim.AdamW}),
        (["--optimizer", "rmsprop"], {"optimizer": optim.RMSProp, "lr": 1e-3}),
        (["--optimizer", "muon"], {"optimizer": optim.Muon, "lr": 0.015}),
        (["--weight-decay", "0.1"], {"decay": 0.1}),
        (["--optimizer", "adamw", "--weight-decay", "0"], {"optimizer": optim.AdamW, "decay": 0}),
        (["--label-smoothing", "0.2"], {"label_smoothing": 0.2}),
        (["--ema", "0.9"], {"ema": 0.9}),
        (["--class-weight", "balanced"], {"class_weight": "balanced"}),
        (["--sampling", "balanced"], {"sampling": "balanced"}),
        (["--filters", "5,7"], {"model": {"filters": [5, 7]}}),
        (["--filters", "4,6,8"], {"model": {"filters": [4, 6, 8]}}),
        (["--dropout", "0.4,0"], {"model": {"dropout": [0.4, 0.0]}}),
        (["--activation", "prelu"], {"model": {"activation": "prelu"}}),
        (["--init", "glorot_uniform"], {"model": {"init": "glorot_uniform"}}),
        (["--init", "0.05"], {"model": {"init": 0.05}}),
    ],
)
def test_an_option_is_the_python_call(options, call, data, no_report, run):
    y = nc.data.load(data).y_train
    y[:20] = 0  # classes of unequal size
    write_data(data, y_train=y)
    code, _, err = run("train", "--data", data, *SMALL, *options, "--out", "run")
    assert code == 0, err
    found, expected = arrays(nc.load("run/last.npz")), in_python(data, **call)
    assert same(found, expected)
    adam = options[-1:] == ["0"]  # AdamW without decay is Adam
    assert same(found, in_python(data)) == (adam or not options)
    recipe = checkpoint.read("run/last.npz")[0]["recipe"]
    for name in options[::2]:
        assert name.strip("-").replace("-", "_") in recipe


def test_a_teacher_is_the_python_call_and_is_asked_for_when_the_run_resumes(data, no_report, run):
    assert run("train", "--data", data, *SMALL, "--seed", "1", "--out", "teacher")[0] == 0
    given = ["--teacher", "teacher/last.npz", "--temperature", "3"]
    code, out, err = run("train", "--data", data, *SMALL, *given, "--out", "run")
    assert code == 0, err
    assert "taught by teacher/last.npz" in out + err
    taught = in_python(data, teacher=nc.load("teacher/last.npz"), temperature=3)
    assert same(arrays(nc.load("run/last.npz")), taught)
    assert run("train", "--resume", "--out", "run")[0] == 0
    for options, message in (
        (["--temperature", "2"], "has temperature 3.0, not 2.0"),
        (["--teacher", "run/best.npz"], "has teacher teacher/last.npz, not run/best.npz"),
    ):
        code, _, err = run("train", "--resume", "--out", "run", *options)
        assert (code, err.count("\n")) == (2, 1)
        assert message in err
    os.rename("teacher", "gone")
    code, _, err = run("train", "--resume", "--out", "run")
    assert (code, err.count("\n")) == (3, 1)  # of a file that is not there
    assert "teacher/last.npz" in err


def test_a_run_resumes_with_its_options_and_refuses_others(data, no_report, run):
    given = ["--optimizer", "adamw", "--weight-decay", "0.1", "--sampling", "balanced"]
    given += ["--label-smoothing", "0.1", "--ema", "0.9", "--init", "glorot_uniform"]
    assert run("train", "--data", data, *SMALL, *given, "--out", "run")[0] == 0
    before = arrays(nc.load("run/last.npz"))
    for options in ([], given, SMALL[:2], ["--optimizer", "AdamW"]):
        code, _, err = run("train", "--resume", "--out", "run", *options)
        assert code == 0, err
        assert same(arrays(nc.load("run/last.npz")), before)
    for options, message in (
        (["--weight-decay", "0.2"], "has weight-decay 0.1, not 0.2"),
        (["--weight-decay", "0"], "has weight-decay 0.1, not 0.0"),
        (["--optimizer", "sgd"], "has optimizer adamw, not sgd"),
        (["--filters", "4,8"], "has filters 4,6, not 4,8"),
        (["--activation", "elu"], "has activation none, not elu"),
        (["--class-weight", "balanced"], "has class-weight none, not balanced"),
    ):
        code, out, err = run("train", "--resume", "--out", "run", *options)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert message in err


def test_the_report_names_the_command_with_its_options(data, run, tmp_path):
    options = ["--optimizer", "adamw", "--filters", "4,6", "--dropout", "0.1", "--init", "0.05"]
    assert run("train", "--data", data, *SMALL, *options, "--out", "run")[0] == 0
    page = (tmp_path / "run" / "report.html").read_text()
    for words in ("--optimizer adamw", "--filters 4,6", "--dropout 0.1", "--init 0.05"):
        assert words in page
    stored = checkpoint.read("run/last.npz")[0]["recipe"]
    assert recipes.Recipe(**stored).stored() == stored == json.loads(json.dumps(stored))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "lenet5", "--filters", "6,16"], "--filters: lenet5 has none; of these"),
        (["--model", "resnet", "--dropout", "0.1"], "--dropout: resnet has none"),
        (["--model", "alexnet", "--activation", "elu"], "--activation: alexnet has none"),
        (["--model", "densenet", "--filters", "8,16"], "densenet takes one number here"),
        (["--model", "alexnet", "--dropout", "0.1,0.2"], "alexnet takes one number here"),
        (["--dropout", "0.1,0.2"], "--dropout 0.1,0.2: vgg takes one number or 3 here"),
        (["--dropout", "0.1,0.2,0.3,0.4"], "vgg takes one number or 3 here"),
        (["--filters", "4,4,4,4"], "4 levels need --dropout too, one rate or 4"),
        (["--filters", "4,,6"], "whole number of at least 1, not ''"),
        (["--filters", "0"], "whole number of at least 1"),
        (["--dropout", "1"], "from 0 to below 1, not '1'"),
        (["--dropout", "-0.1"], "from 0 to below 1"),
        (["--label-smoothing", "1"], "from 0 to below 1"),
        (["--ema", "99"], "from 0 to below 1"),
        (["--ema", "nan"], "from 0 to below 1"),
        (["--weight-decay", "-1"], "finite number of at least 0"),
        (["--weight-decay", "inf"], "finite number of at least 0"),
        (["--optimizer", "adma"], "did you mean adam"),
        (["--model", "alexnet", "--optimizer", "muon"], "alexnet has none: give --lr"),
        (["--activation", "rleu"], "did you mean relu"),
        (["--activation", "ReLU"], "did you mean relu"),
        (["--init", "he"], "unknown init 'he'"),
        (["--init", "nan"], "positive and finite"),
        (["--init", "-1"], "positive and finite"),
        (["--sampling", "equal"], "choose from 'balanced'"),
        (["--class-weight", "3"], "choose from 'balanced'"),
        (["--class-weight", "balanced", "--sampling", "balanced"], "choose one"),
        (["--filters", "1000000000000"], "this machine has"),
        (["--temperature", "2"], "give --teacher"),
        (["--teacher", "pretrained:small"], "teacher knows 10 classes, and net 4"),
        (["--teacher", "pretrained:vae"], "classifies nothing"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(options, message, data, run, tmp_path):
    code, out, err = run("train", "--data", data, *options, "--out", "run")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.npz"]


@pytest.mark.parametrize(
    ("model", "given", "expected"),
    [
        ("densenet", {"filters": [8], "dropout": [0.1]}, {"filters": 8, "dropout": 0.1}),
        ("resnet", {"filters": [4, 8, 8]}, {"filters": [4, 8, 8]}),
        ("keras_cnn", {"filters": [4, 6, 8], "dropout": [0.1, 0.2]}, None),
        ("mirror_vgg", {"filters": [4, 6], "dropout": [0.1, 0.2]}, None),
        ("mirror_vgg", {"filters": [4, 6], "dropout": [0.1]}, {"filters": [4, 6], "dropout": 0.1}),
        ("alexnet", {"filters": [4, 6], "dropout": [0.2], "init": 0.01}, None),
        ("lenet5", {"init": "orthonormal", "filters": None}, {"init": "orthonormal"}),
        ("vgg", {"filters": [4, 6], "activation": "tanh"}, None),
    ],
)
def test_settings_in_the_form_that_a_model_takes(model, given, expected):
    found = architecture.arguments(model, given)
    if expected is not None:
        assert found == expected
    net = nc.models.build(model, **found)
    assert net.spec["arguments"] == found
    if isinstance(found.get("filters"), list):
        kernels = [p.value for p in net.params() if p.value.ndim == 4]
        assert {w.shape[3] for w in kernels} <= {n * s for n in found["filters"] for s in (1, 2)}


def test_balanced_sampling_of_mapped_arrays_has_the_bits_of_those_in_memory(data, no_report, run):
    held = np.load(data)
    os.mkdir("mapped")
    for name in ("x_train", "y_train", "x_test", "y_test"):
        np.save(f"mapped/{name}.npy", held[name])
    for place, out in ((data, "a"), ("mapped", "b")):
        code, _, err = run("train", "--data", place, *SMALL, "--sampling", "balanced", "--out", out)
        assert code == 0, err
    assert same(arrays(nc.load("a/last.npz")), arrays(nc.load("b/last.npz")))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "lenet5"], "lenet5 needs images of at least 12 x 12 pixels, not 8 x 8"),
        (["--model", "keras_cnn"], "of 8 x 8 pixels nothing is left"),
        (["--filters", "4,4,4,4,4", "--dropout", "0"], "larger than the input"),
    ],
)
def test_pictures_too_small_for_the_model(options, message, data, run):
    x = np.load(data)["x_train"][:, :8, :8]
    write_data(data, x_train=x, x_test=x[:40])
    code, out, err = run("train", "--data", data, *options, "--out", "run")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert not os.path.exists("run")
