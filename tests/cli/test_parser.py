"""Mistakes get one line; exit codes; options that every command takes."""

import json
import subprocess
import sys

import pytest

import numpycnn as nc
from numpycnn.cli import parser
from numpycnn.errors import (
    CheckpointError,
    DatasetError,
    DownloadError,
    RunFolderError,
    ShapeError,
    TrainingDiverged,
)

pytestmark = pytest.mark.filterwarnings("ignore:classes? .* never predicted")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "COMMAND"),
        (["trian"], 2, "unknown command 'trian'; did you mean train?"),
        (["train", "data.npz"], 2, "unexpected 'data.npz'; did you mean --data data.npz?"),
        (["inspect", "a.npz", "data.npz"], 2, "did you mean --image data.npz?; see numpycnn ins"),
        (["predict", "a.png", "--zzz", "b.png"], 2, "there is no option --zzz"),
        (["-x", "predict", "a.png"], 2, "there is no option -x"),
        (["train", "--filters", "8", "16"], 2, "unexpected '16'; several values of one option"),
        (["summary", "mine.py:build"], 2, "given as --net FILE.py:FUNCTION"),
        (["summary", "VGG"], 2, "did you mean vgg or"),
        (["train", "--learning-rate", "1"], 2, "no option --learning-rate; did you mean --lr?"),
        (["train", "--batchsize=3"], 2, "no option --batchsize; did you mean --batch-size?"),
        (["train", "--zzz"], 2, "numpycnn train: there is no option --zzz; see numpycnn train"),
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
        (["inspect"], 2, "CHECKPOINT"),
        (["inspect", "nowhere.npz"], 3, "no such checkpoint"),
        (["inspect", "pretrained:nobody"], 2, "pretrained"),
        (
            ["inspect", "pretrained:paper", "--data", "data.npz"],
            2,
            "was made for images (28, 28, 1)",
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


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ("data look --size 16 a", {"names": ["look", "a"], "size": [16, 16]}),
        ("data pack a --size 8 b --grey", {"names": ["pack", "a", "b"], "colour": False}),
        ("predict a --checkpoint c b", {"images": ["a", "b"], "checkpoint": "c"}),
        ("exercise check --limit 5 a.py", {"action": "check", "what": "a.py", "limit": 5.0}),
        ("study a --quick b --json c", {"names": ["a", "b", "c"], "quick": True, "json": True}),
    ],
)
def test_options_between_names(arguments, found, run, monkeypatch):
    def choose(args):
        assert {name: getattr(args, name) for name in found} == found
        raise ValueError(f"{args.command} understood")

    monkeypatch.setattr(parser, "choose", choose)
    _, _, err = run(*arguments.split())
    assert f"{arguments.split()[0]} understood" in err


def test_an_unexpected_error_is_one_line_too_and_debug_shows_it(run, monkeypatch):
    def broken(*_, **__):
        raise KeyError("wrong\nname")

    monkeypatch.setattr(nc.models, "build", broken)
    code, _, err = run("summary", "vgg")
    assert code == 1
    assert err.count("\n") == 1
    assert "KeyError" in err
    assert "--debug" in err
    with pytest.raises(KeyError):
        parser.main(["summary", "vgg", "--debug"])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (DownloadError("x"), 4),
        (DatasetError("x"), 3),
        (CheckpointError("x"), 3),
        (TrainingDiverged(1, 2, 0.1), 5),
        (RunFolderError("x"), 2),
        (ShapeError("x"), 2),
        (ValueError("x"), 2),
        (PermissionError(13, "x"), 1),
        (MemoryError(), 1),
        (RuntimeError("x"), 1),
    ],
)
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


def test_threads_are_those_of_the_compiled_code_alone():
    """NumPy is there before any option is read: a variable that is set then would tell it nothing,
    and a child process something else than its parent has.
    """
    program = (
        "import os, numpycnn.cli.parser as parser, numpycnn.backend as backend\n"
        "before = dict(os.environ)\n"
        "parser.main(['summary', 'lenet5', '--threads', '3'])\n"
        "assert dict(os.environ) == before\n"
        "assert backend.threads() == 3\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def pages():
    """{command: its parser}"""
    return parser.parser()[1]


def test_the_first_page_has_a_line_for_each_command(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = run("--help")
    assert code == 0
    lines = [line.split()[0] for line in out.splitlines() if line.startswith("  ")]
    assert lines[: len(pages())] == list(pages())
    assert all(len(line) <= 90 for line in out.splitlines())
    assert len({title for title in out.splitlines() if title.endswith(":")}) == 5


@pytest.mark.parametrize("command", pages())
def test_a_page_has_groups_defaults_and_examples_that_parse(command, run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    sub = pages()[command]
    code, page, _ = run(command, "--help")
    assert code == 0
    assert "\noptions:" not in page  # every option stands in a group that says what it is about
    assert all(len(line) <= 90 for line in page.splitlines()), max(page.splitlines(), key=len)
    for action in sub._actions:
        assert action.help
        if action.option_strings and action.nargs != 0 and not action.required:
            assert "default" in action.help or "without it" in action.help, action.option_strings
    examples = page.partition("examples:\n")[2].splitlines()
    assert len(examples) >= 3
    for line in examples:
        words = line.partition("  # ")[0].split()
        assert words[:2] == ["numpycnn", command]
        assert parser.parser()[0].parse_args(words[1:]).command == command


@pytest.mark.parametrize("mistake", [["--zzz"], ["--epochs", "0"], ["--help"]])
def test_of_several_ranks_the_first_tells_a_mistake(mistake, capsys, monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "2")
    said = []
    for rank in "01":
        monkeypatch.setenv("PMI_RANK", rank)
        with pytest.raises(SystemExit) as ended:
            parser.main(["train", *mistake])
        assert ended.value.code == (0 if mistake == ["--help"] else 2)
        said.append("".join(capsys.readouterr()))
    assert "numpycnn train" in said[0]
    assert not said[1]
