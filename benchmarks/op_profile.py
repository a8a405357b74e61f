"""What share of a training step each op takes: python -m benchmarks.step --profile

The functions of ops/ and kernels/ that are named in ROWS are wrapped; the time within one, without
that of those that it calls, goes to its row. GFLOP/s count the arithmetic of direct convolution,
whatever the kernel does: Winograd's form may exceed the peak, which is that of multiply-add
instructions on operands in the first cache.
"""

import functools
import statistics
import sys
import time
import types

from .common import machine, table, where
from .contenders import Job, batches_of, our_network, our_step, repeat
from .drawing import number
from .race import call

FORWARD = "convolution, forward"
INPUT, WEIGHTS = "convolution, input gradient", "convolution, weight gradient"
MIDDLE, MIDDLE_BACK = "batch norm, ReLU, pooling, forward", "batch norm, ReLU, pooling, backward"
ROWS = {
    **dict.fromkeys(("conv2d", "correlate"), FORWARD),
    "_input_gradient": INPUT,
    "conv2d_backward": WEIGHTS,
    **dict.fromkeys(("conv_bn_relu", "batch_norm", "relu", "max_pool2d"), MIDDLE),
    **dict.fromkeys(("conv_bn_relu_backward", "batch_norm_backward"), MIDDLE_BACK),
    **dict.fromkeys(("relu_backward", "max_pool2d_backward"), MIDDLE_BACK),
    **dict.fromkeys(("dropout", "dropout_backward"), "dropout"),
    **dict.fromkeys(("global_avg_pool", "global_avg_pool_backward"), "global average pooling"),
    **dict.fromkeys(("dense", "dense_backward"), "dense"),
    "softmax_cross_entropy": "loss",
    "adam_update": "Adam",
}


def profile(threads=2, quick=False):
    """The profile at batch 32 and 128 as Markdown."""
    tables = [call(_profile, threads, threads, batch, quick) for batch in (32, 128)]
    return "\n\n".join([where(machine(threads)), *tables])


def _profile(threads, batch, quick):
    import numpycnn

    numpycnn.use("numba", threads=threads)
    job = Job(batch=batch, threads=threads)
    net = our_network(job)
    run = repeat(our_step(net), batches_of(job))
    run()
    clock = _Clock()
    clock.wrap()
    steps = []
    for _ in range(3 if quick else 30):
        clock.seconds = dict.fromkeys(ROWS.values(), 0.0)
        begin = time.perf_counter()
        run()
        clock.seconds["the whole step"] = time.perf_counter() - begin
        steps.append(clock.seconds)
    seconds = {row: statistics.median(one[row] for one in steps) for row in steps[0]}
    whole = seconds.pop("the whole step")
    if not all(seconds[row] > 0 for row in (FORWARD, INPUT, WEIGHTS)):
        raise RuntimeError(
            f"op_profile.ROWS does not know the kernels' functions any more: {seconds}"
        )
    first, work = _multiply_adds(net, job)
    flop = {FORWARD: 2 * work * batch, INPUT: 2 * (work - first) * batch, WEIGHTS: 2 * work * batch}
    seconds = dict(sorted(seconds.items(), key=lambda item: -item[1]))
    seconds["all else (layers, gradients, Python)"] = whole - sum(seconds.values())
    seconds["the whole step"], flop["the whole step"] = whole, sum(flop.values())
    return _text(job, seconds, whole, flop, _peak(threads, quick))


class _Clock:
    """Gives the time of every wrapped function to its row, less the time of those that it calls."""

    def __init__(self):
        self.open, self.seconds, self.last = [], {}, 0.0

    def wrap(self):
        modules = [m for name, m in sys.modules.items() if name.startswith("numpycnn.")]
        own = [m for m in modules if m.__name__.startswith(("numpycnn.ops", "numpycnn.kernels"))]
        named = {vars(m)[name] for m in own for name in ROWS if name in vars(m)}
        for f in (f for f in named if isinstance(f, types.FunctionType)):
            timed = self._timed(f, ROWS[f.__name__])
            for module in modules:
                for name in [name for name, value in vars(module).items() if value is f]:
                    setattr(module, name, timed)

    def _timed(self, function, row):
        @functools.wraps(function)
        def timed(*args, **kwargs):
            self._give()
            part_of_it = row == FORWARD and INPUT in self.open[-1:]  # which is a convolution too
            self.open.append(INPUT if part_of_it else row)
            try:
                return function(*args, **kwargs)
            finally:
                self._give()
                self.open.pop()

        return timed

    def _give(self):
        """The time since the last call, to the row that is open."""
        now = time.perf_counter()
        if self.open:
            self.seconds[self.open[-1]] += now - self.last
        self.last = now


def _multiply_adds(net, job):
    """Of one image's convolutions: the first one's, and all."""
    import numpy as np

    from numpycnn.layers import Conv2D
    from numpycnn.layers.traverse import watch

    found = []

    def seen(path, layer, x, y, cache):
        if isinstance(layer, Conv2D):
            found.append(layer.multiply_adds(x.shape, y.shape))

    with watch(net, seen):
        net.forward(np.zeros((1, job.side, job.side, 1), np.float32))
    return found[0], sum(found)


def _peak(threads, quick):
    """FLOP/s of small matrix products whose operands stay in the first cache, on all threads."""
    import numpy as np

    from numpycnn.kernels.runtime.operands import At, Out, Panel, Rows, Start
    from numpycnn.kernels.runtime.threads import parallel

    repeated, rows, inner, columns = _products()
    a, b, c = (np.ones(n, np.float32) for n in (rows * inner, inner * columns, rows * columns))
    places = np.arange(rows)
    operands = (
        Rows(a, places * inner, 1, 0), Panel(b, columns),
        Start(np.zeros(columns, np.float32), 0), Out(c, places * columns), At(0, 0, 0, 0),
    )  # fmt: skip
    times = []
    turns = threads * (1000 if quick else 20_000)
    for _ in range(8):
        begin = time.perf_counter()
        parallel(repeated, turns, inner, *operands)
        times.append(time.perf_counter() - begin)
    return 2 * rows * inner * columns * turns / min(times)


def _products():
    """A kernel that repeats a product of (rows, inner) by (inner, columns), and the three sizes."""
    from numba import njit

    from numpycnn.kernels.runtime.simd import ROWS, WIDTH, product

    rows = 4 * ROWS

    @njit(nogil=True)
    def repeated(inner, left, right, start, out, at, lo, hi):
        for _ in range(lo, hi):
            product(rows, inner, 1, left, right, start, out, at)

    return repeated, rows, 64, WIDTH


def _text(job, seconds, whole, flop, peak):
    rows = [(row, s, flop.get(row)) for row, s in seconds.items()]
    columns = {
        f"batch {job.batch}": lambda r: r[0],
        "ms": lambda r: f"{1e3 * r[1]:.2f}",
        "share": lambda r: f"{100 * r[1] / whole:.1f} %",
        "GFLOP/s": lambda r: number(r[2] and r[2] / r[1] / 1e9),
        "of peak": lambda r: number(r[2] and 100 * r[2] / r[1] / peak, "%"),
    }
    return table(columns, rows) + f"\n\nPeak: {peak / 1e9:.0f} GFLOP/s on {job.threads} threads."
