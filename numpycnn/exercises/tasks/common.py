"""What the exercises share: a judge for gradcheck, and noise."""

import inspect

import numpy as np


class _Judged:
    """A layer of the right forward pass and the student's backward pass."""

    def __init__(self, op, backward, names):
        kinds = inspect.Parameter.POSITIONAL_OR_KEYWORD
        self.op, self.student = op, backward
        self.forward = _Forward(op)
        self.forward.__signature__ = inspect.Signature(
            [inspect.Parameter(name, kinds) for name in (*names, "train")]
        )

    def backward(self, dy, cache):
        found = self.student(dy, cache)
        found = found if isinstance(found, (tuple, list)) else (found,)
        return tuple(found) if len(found) > 1 else found[0]


class _Forward:
    def __init__(self, op):
        self.op = op

    def __call__(self, *inputs):
        *inputs, _train = inputs
        return self.op(*inputs)


def judge(op, draw, *names):
    """judge(student) -> (layer, inputs) for gradcheck: op(*inputs) and the student's backward pass.

    draw() gives the inputs.
    """
    return lambda student: (_Judged(op, student, names), draw())


def inputs(*shapes):
    """A function that draws arrays of these shapes."""
    return lambda: [np.random.default_rng(i).standard_normal(s) for i, s in enumerate(shapes)]


def noise(rng, *shape):
    return rng.standard_normal(shape)


def came(args, name):
    """What the student's function made of an output that another depends on."""
    return args["_got"][name] if "_got" in args else args[name] + 1


IMAGE = ("image", "row", "column", "channel")
FILTER = ("filter row", "filter column", "channel", "filter")
CODE = ("example", "unit")
