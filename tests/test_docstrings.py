"""What `Conv2D?` shows in a notebook: every parameter by its name, and examples that run."""

import doctest
import inspect

import numpy as np
import pytest

from numpycnn import evaluate, fit, layers, optim, predict, schedule

OPTIMISERS = [*optim.OPTIMIZERS.values(), optim.EMA, optim.OptimizerGroup]
SCHEDULES = list(schedule.SCHEDULES.values())
PUBLIC = [*(getattr(layers, name) for name in layers.__all__), *OPTIMISERS, *SCHEDULES]
NO_EXAMPLE = [layers.Layer, layers.fuse]  # the protocol, and what needs a network


@pytest.mark.parametrize("public", PUBLIC, ids=lambda one: one.__name__)
def test_the_examples_of_a_docstring_run(public):
    names = vars(layers) | vars(optim) | vars(schedule) | {"np": np, "layers": layers}
    finder = doctest.DocTestFinder(recurse=False)
    (found,) = finder.find(public, public.__name__, globs=dict(names))
    assert found.examples or public in NO_EXAMPLE
    assert doctest.DocTestRunner().run(found).failed == 0


@pytest.mark.parametrize("public", [*PUBLIC, fit, evaluate, predict], ids=lambda one: one.__name__)
def test_a_docstring_names_every_parameter(public):
    if public is layers.Layer:
        return
    for name in inspect.signature(public).parameters:
        assert name in public.__doc__.split(">>>")[0].replace("`", ""), name
