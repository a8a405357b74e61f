"""The losses of every step that fit makes."""

import pytest

from numpycnn.training.run import FitRun


@pytest.fixture
def steps(monkeypatch):
    """The losses of fit's steps, as a list; `steps.at[k] = function` is called after the k-th."""

    class Steps(list):
        """A list that can have attributes."""

    seen, end_step = Steps(), FitRun.end_step
    seen.at = {}

    def spy(run, loss, *args):
        end_step(run, loss, *args)
        seen.append(loss)
        seen.at.get(len(seen), lambda: None)()

    monkeypatch.setattr(FitRun, "end_step", spy)
    return seen
