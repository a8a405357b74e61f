"""The table that `net.summary(input_shape)` returns."""

import copy

import numpy as np

from ..tables import aligned, as_html
from .traverse import named_buffers, named_params, watch


class Summary(str):
    """A table to print, with the counts as attributes: total, trainable, non_trainable,
    multiply_adds, kept_bytes. A notebook shows it as HTML.
    """

    def __repr__(self):
        return str(self)

    def _repr_html_(self):
        return as_html(self.table, left=2, lines=self.counts)


def arrays_in(value):
    """Yields every array in a cache, whatever tuples, lists and dicts it is made of."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from arrays_in(one)
    elif isinstance(value, dict):
        yield from arrays_in(list(value.values()))


def _memory(array):
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def summarize(net, input_shape):
    """Runs two images of zeros forward through a copy of the net, and writes down what it sees."""
    net = copy.deepcopy(net)
    params, buffers = named_params(net), named_buffers(net)
    known = {
        id(_memory(array)) for array in (*(p.value for p in params.values()), *buffers.values())
    }
    rows, batch = [], 2

    def seen(path, layer, x, y, cache):
        new = {id(_memory(a)): a.nbytes for a in arrays_in(cache) if id(_memory(a)) not in known}
        known.update(new)
        count = sum(p.value.size for p in layer.params()) + sum(
            b.size for b in named_buffers(layer).values()
        )
        work = layer.multiply_adds(x.shape, y.shape)
        kind = type(layer).__name__
        kind += f" {type(layer.layer).__name__}" if kind == "Frozen" else ""
        rows.append(
            (
                f"{path or '0'} {kind}",
                y.shape[1:],
                count,
                work,
                sum(new.values()) // batch,
            )
        )

    with watch(net, seen):
        _, keep = net.forward(np.zeros((batch, *input_shape), np.float32), train=True)
    del keep  # alive until here, so that no two arrays could share an id

    trainable = sum(p.value.size for p in params.values())
    fixed = sum(b.size for b in buffers.values())
    header = ("layer", "output shape", "parameters", "multiply-adds", "kept bytes")
    table = [
        header,
        *((name, str(shape), f"{n:,}", f"{m:,}", f"{b:,}") for name, shape, n, m, b in rows),
    ]
    work, kept = sum(r[3] for r in rows), sum(r[4] for r in rows)
    counts = [
        f"Total params: {trainable + fixed:,}",
        f"Trainable params: {trainable:,}",
        f"Non-trainable params: {fixed:,}",
        f"Multiply-adds an image: {work:,}",
        f"Bytes kept for backward an image: {kept:,}",
    ]
    head, *lines = aligned(table, left=2)
    rule = "-" * len(head)
    summary = Summary("\n".join([head, rule, *lines, rule, *counts]))
    summary.table, summary.counts = table, counts
    summary.total, summary.trainable, summary.non_trainable = trainable + fixed, trainable, fixed
    summary.multiply_adds, summary.kept_bytes = work, kept
    return summary
