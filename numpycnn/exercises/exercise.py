"""What an exercise is: its page, its place in the library, its probes and the right answer."""

import copy
from dataclasses import dataclass, field

import numpy as np

from ..backend import Cache


@dataclass
class Probe:
    """One call of the student's function.

    args: {name: value}, given by position; about: {attribute: value}, of which sentences are made;
    sizes: {name: number}, the factors that a wrong result may be off by.
    """

    args: dict
    about: dict = field(default_factory=dict)
    sizes: dict = field(default_factory=dict)


@dataclass
class Exercise:
    """An exercise; `probes(rng)` yields its Probes, `reference` is the right function.

    place: (file below numpycnn/, function) that the stub is cut from. outputs: the names of what
    is returned; changed: the names of arguments that are changed in place, outputs as well.
    axes: {output: names of its axes}. terms: {output: [(sentence's subject, f(args) -> array)]},
    whose sum is the right output. twins: {output: [(sentence, f(args) -> array)]}, wrong on
    purpose. steps(args): the right answer value by value, see steps.py. run, right: where a call
    is not simply compared (random numbers, networks): run(function, args) -> {output: array},
    right(args, got) -> {output: array}.
    judge(function) -> (layer, inputs) for gradcheck. text(seed), beside(seed) -> what start writes
    instead of a stub, {file name: bytes} beside it; examine(path, answer) -> Verdict.
    """

    name: str
    title: str
    unit: int
    place: tuple
    outputs: tuple
    probes: object
    reference: object
    page: str
    example: str = ""
    equation: str = ""
    given: tuple = ()
    solution: str = ""
    step: object = ""
    changed: tuple = ()
    axes: dict = field(default_factory=dict)
    terms: dict = field(default_factory=dict)
    twins: dict = field(default_factory=dict)
    steps: object = None
    run: object = None
    right: object = None
    judge: object = None
    text: object = None
    beside: object = None
    examine: object = None
    float32: bool = True
    tolerance: float = 1e-7

    def observe(self, function, args):
        """{output: array} of one call. Raises Trouble where what comes back is no answer."""
        if self.run:
            return self.run(function, args)
        returned = function(*args.values())
        found = named(returned, self.outputs)
        return found | {name: args[name] for name in self.changed}

    def expected(self, args, got=None):
        """{output: array} of the right answer."""
        args = copy.deepcopy(args)
        return self.right(args, got) if self.right else self.observe(self.reference, args)


class Trouble(Exception):
    """The student's function does not keep its contract; the message says how."""


# What a function raises for arguments that have no right answer.
NO_ANSWER = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, Trouble)


def named(returned, outputs):
    """{name: value} of what a function returned. Raises Trouble for another number of values."""
    wanted = ", ".join(outputs)
    if not outputs:
        return {}
    if returned is None:
        raise Trouble(f"it returns nothing: expected {wanted}")
    if isinstance(returned, dict):
        returned = tuple(returned.get(name) for name in outputs)
    if len(outputs) == 1:  # y alone, or y and a cache of whatever form
        first = returned[0] if isinstance(returned, tuple) and returned else returned
        return {outputs[0]: first}
    values = list(_flat(returned)) if isinstance(returned, (tuple, list)) else [returned]
    if len(values) != len(outputs):
        raise Trouble(f"it returns {len(values)} values: expected {len(outputs)}, {wanted}")
    return dict(zip(outputs, values, strict=True))


def _flat(values):
    for value in values:
        if isinstance(value, (tuple, list)):
            yield from _flat(value)
        else:
            yield value


# ---- arguments as leaves: the fields of a cache are arguments of their own -------------------


def leaves(args):
    """{name: value} of the arguments, with the fields of a cache in its place."""
    found = {}
    for name, value in args.items():
        if isinstance(value, Cache):
            found |= dict(zip(value.fields, value, strict=True))
        else:
            found[name] = value
    return found


def replaced(args, changes):
    """The arguments with {leaf: value} in the place of what was there."""
    new = {}
    for name, value in args.items():
        if isinstance(value, Cache):
            fields = dict(zip(value.fields, value, strict=True))
            fields |= {k: v for k, v in changes.items() if k in fields}
            new[name] = Cache(value.op, np.empty(value.shape, value.dtype), **fields)
        else:
            new[name] = changes.get(name, value)
    return new


def in_float32(args):
    """The arguments in float32, the cache's dtype as well."""
    new = {}
    for name, value in replaced(args, {k: _single(v) for k, v in leaves(args).items()}).items():
        if isinstance(value, Cache):
            value.dtype = np.dtype(np.float32)
        new[name] = value
    return new


def _single(value):
    is_double = isinstance(value, np.ndarray) and value.dtype == np.float64
    return value.astype(np.float32) if is_double else value
