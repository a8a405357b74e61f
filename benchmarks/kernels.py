"""Each numba twin in kernels/ against its NumPy text in ops/: python -m benchmarks.kernels

A twin whose slower quarter of runs is not faster than the NumPy text's faster quarter is marked: it will be deleted.
"""

import importlib
import pkgutil
import statistics
import time

import numpy as np

from .common import PAUSE, TURN, Report, arguments, bars, call, number, say

BATCH = 32
CONVOLUTIONS = [  # H, C, F, kernel size: of VGG, then of AlexNet
    (28, 1, 32, 3), (28, 32, 32, 3), (14, 32, 64, 3), (14, 64, 64, 3), (7, 64, 92, 3), (7, 92, 92, 3),
    (28, 1, 32, 5), (14, 32, 64, 5),
]  # fmt: skip
IMAGES = [(28, 28, 32), (14, 14, 64), (7, 7, 92)]


def main():
    args = arguments(__doc__.splitlines()[0])
    report = Report("kernels", args)
    say("kernels:")
    report.rows = call(measure, args.threads, args.threads, args.rounds, args.quick)
    columns = {
        "op": lambda r: r["op"],
        "shape": lambda r: r["shape"],
        "NumPy ms": lambda r: number(r.get("numpy_ms")),
        "numba ms": lambda r: number(r.get("numba_ms")),
        "times faster": lambda r: number(r.get("times")),
        "": lambda r: r["note"],
    }
    report.finish(columns, draw)


def draw(figure, report):
    rows = [r for r in report.rows if "times" in r]
    figure.set_size_inches(9, 1 + 0.24 * len(rows))
    names, values = [f"{r['op']}  {r['shape']}" for r in rows], [r["times"] for r in rows]
    title = "numba twin, times faster than its NumPy text (blue: measurably)"
    axes = figure.subplots()
    bars(axes, title, names, values, [number(v) for v in values], [not r["note"] for r in rows])
    axes.axvline(1, color="#d9710a", linewidth=1)


# ---- in the process that is measured ----------------------------------------------------------------


def measure(threads, rounds, quick):
    """A row for each twin and shape."""
    import numpycnn

    rows, made = [], cases()
    for op in twins():
        if op not in made:
            rows.append({"op": op, "shape": "-", "note": "no case in benchmarks/kernels.py: add one"})
        for shape, make in made.get(op, ()):
            say(f"  {op} {shape}")
            seconds, runs = {"numba": [], "numpy": []}, {}
            for name in seconds:
                numpycnn.use(name, threads=threads)
                runs[name] = make()
                runs[name]()
            for _ in range(rounds):
                for name, samples in seconds.items():
                    numpycnn.use(name)
                    time.sleep(0 if quick else PAUSE)
                    samples += turn(runs[name], quick)
            rows.append(row(op, shape, seconds))
    return rows


def turn(run, quick):
    """Times of some runs, after one that is not timed."""
    times, end = [], time.perf_counter() + (0 if quick else TURN / 8)
    run()
    while not times or (time.perf_counter() < end and len(times) < 20):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return times


def row(op, shape, seconds):
    ours, theirs = seconds["numba"], seconds["numpy"]
    times = statistics.median(theirs) / statistics.median(ours)
    faster = len(ours) > 1 and np.quantile(ours, 0.75) < np.quantile(theirs, 0.25)
    return {
        "op": op, "shape": shape, "times": times, "faster": bool(faster),
        "numpy_ms": 1e3 * statistics.median(theirs), "numba_ms": 1e3 * statistics.median(ours),
        "numpy_samples_ms": [1e3 * s for s in theirs], "numba_samples_ms": [1e3 * s for s in ours],
        "note": "" if faster else "NOT measurably faster: delete",
    }  # fmt: skip


def twins():
    """The names of all functions that kernels/ has in common with ops/."""
    from numpycnn import kernels

    for found in pkgutil.iter_modules(kernels.__path__):
        if not found.name.startswith("_"):
            kernel = importlib.import_module(f"numpycnn.kernels.{found.name}")
            text = importlib.import_module(f"numpycnn.ops.{found.name}")
            for name, value in vars(kernel).items():
                own = getattr(value, "__module__", None) == kernel.__name__
                if own and not name.startswith("_") and getattr(vars(text).get(name), "__wrapped__", None):
                    yield name


def cases():
    """{op: [(shape, make)]}: make() gives a function that runs the op on arguments made beforehand."""
    from numpycnn import ops
    from numpycnn.ops import fused, update

    rng = np.random.default_rng(0)

    def draw(*shape):
        return rng.standard_normal(shape, dtype=np.float32)

    found = {}

    def add(module, op, shape, *args, gradient=True):
        forward, back = getattr(module, op), getattr(module, f"{op}_backward", None)
        found.setdefault(op, []).append((shape, lambda: lambda: forward(*args)))
        if back and gradient:

            def make():
                y, cache = forward(*args)
                dy = draw(*y.shape)
                return lambda: back(dy, cache)

            found.setdefault(f"{op}_backward", []).append((shape, make))

    for h, c, f, k in CONVOLUTIONS:
        x, w, b = draw(BATCH, h, h, c), draw(k, k, c, f) / 10, draw(f)
        add(ops, "conv2d", f"{BATCH}x{h}x{h}, {c} -> {f}, {k}x{k}", x, w, b)
        if k == 3:
            norm = np.ones(f, np.float32), draw(f), np.zeros(f, np.float32), np.ones(f, np.float32)
            pool = 2 if h > 7 and c == f else 1
            shape = f"{BATCH}x{h}x{h}, {c} -> {f}" + (", pool 2" if pool > 1 else "")
            add(fused, "conv_bn_relu", shape, x, w, b, *norm, True, 1, "same", 0.9, 1e-5, pool)
    for h, w, c in IMAGES:
        x, shape = draw(BATCH, h, w, c), f"{BATCH}x{h}x{w}x{c}"
        norm = np.ones(c, np.float32), draw(c), np.zeros(c, np.float32), np.ones(c, np.float32)
        add(ops, "batch_norm", shape, x, *norm, True)
        add(ops, "dropout", shape, x, 0.1, rng)
        add(ops, "global_avg_pool", shape, x)
        for op in ("max_pool2d", "avg_pool2d"):
            add(ops, op, shape, x, 2)
        for op in ("relu", "leaky_relu", "elu", "sigmoid", "tanh"):
            add(ops, op, shape, x)
        add(ops, "prelu", shape, x, np.full(c, 0.25, np.float32))
    add(ops, "softmax", "10000x10", draw(10000, 10))
    add(ops, "dense", f"{BATCH}x3136 -> 256", draw(BATCH, 3136), draw(3136, 256) / 50, draw(256))
    add(ops, "conv_transpose2d", f"{BATCH}x14x14, 64 -> 32, stride 2", draw(BATCH, 14, 14, 64), draw(3, 3, 32, 64), None, 2)
    for shape in ((3, 3, 92, 92), (3136, 256)):
        value, grad, m, v = draw(*shape), draw(*shape), draw(*shape), np.abs(draw(*shape))
        add(update, "adam_update", str(shape), value, grad, m, v, 5, 1e-3, 0.9, 0.999, 1e-8, 0.0, False)
        add(update, "sgd_update", str(shape), value.copy(), grad, m.copy(), 1e-3, 0.9, False, 0.0)
    return found


if __name__ == "__main__":
    main()
