"""What the tests of the commands share: data, a run of one epoch, the command in this process."""

import pytest

from numpycnn.cli import parser, training
from tests.helpers import write_data


@pytest.fixture
def data(tmp_path, monkeypatch):
    """An .npz of 64 small images, in the working directory; Fashion-MNIST is out of reach."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NUMPYCNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NUMPYCNN_DATA", raising=False)
    return write_data(tmp_path / "data.npz")


@pytest.fixture
def no_report(monkeypatch):
    """The pictures take most of the time of such a small run."""
    monkeypatch.setattr(training.training_page, "write", lambda *a, **k: None)


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
