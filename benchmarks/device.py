"""Networks in whole numbers, and their C files: python -m benchmarks.device

Against the float network on the 10,000 test images; C against NumPy on 1,000 of them, however it is
compiled; under QEMU on a Cortex-M3 and an M4. LeNet-5 and ResNet-20 are trained for it, briefly,
into runs/device. Ranges come from 500 training images; test images chose nothing. Beside it
onnxruntime's int8, and what TensorFlow Lite Micro and onnx2c (float) need for the same small
network: those two were measured once, elsewhere.
"""

import json
import pathlib
import shutil
import tempfile

import numpy as np

import numpycnn as nc
from numpycnn.exchange import c, int8
from numpycnn.exchange.c import build
from numpycnn.training.loop import logits

from .common import CHECK_COLUMNS, Report, arguments, table, where
from .drawing import number
from .race import say

IMAGES = 500  # for the ranges
RUNS = "runs/device"
POINTS, SAME = {"resnet20": 0.3}, {"resnet20": 99.0}  # others: 0.1 points, 99.8 %
TRAINED = {  # name: (model, arguments of fit, training images)
    "lenet5": ("lenet5", {"epochs": 5, "lr": 2e-3, "batch_size": 64}, 60000),
    "resnet20": ("resnet", {"epochs": 2, "lr": 4e-3, "batch_size": 64}, 15000),
}
COMPILED = [
    *(("gcc", flag) for flag in ("-O0", "-O2", "-O3")), ("clang", "-O2"), ("gcc", "-O2", "-m32"),
    ("gcc", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
]  # fmt: skip
CITED = {  # (flash, RAM) of the small network
    "TensorFlow Lite Micro, int8, plus its runtime (cited)": (92_000, 43_000),
    "onnx2c, float (cited)": (313_000, 150_000),
}
BOARDS = pathlib.Path(__file__).parents[1] / "examples" / "device"


def networks(args, dataset):
    """{name: network}"""
    found = {name: nc.load(f"pretrained:{name}") for name in ("small-1", "accurate-1", "paper")}
    for name, (model, settings, count) in TRAINED.items():
        path = pathlib.Path(RUNS + "-quick" * args.quick, f"{name}.npz")
        if not path.exists():
            say(f"{name}: trained on {count:,} images, into {path}")
            net = nc.models.build(model, seed=0, mean=dataset.mean, std=dataset.std)
            x, y = dataset.x_train[:count], dataset.y_train[:count]
            x, y, settings = (x[:500], y[:500], {"epochs": 1}) if args.quick else (x, y, settings)
            nc.fit(net, x, y, schedule="one_cycle", **settings)
            path.parent.mkdir(parents=True, exist_ok=True)
            nc.save(path, net, classes=list(dataset.classes), data="fashion-mnist")
        found[name] = nc.load(path)
    return found


def answers(net, x):
    return np.concatenate([net.infer(x[i : i + 250]) for i in range(0, len(x), 250)])


def compare(name, net, made, dataset, report, count):
    """The integer network's answers beside the float network's -> a row."""
    x, y = dataset.x_test[:count], dataset.y_test[:count]
    ours, theirs = logits(net, x).argmax(axis=1), answers(made, x).argmax(axis=1)
    row = {"network": name, "float": float((ours == y).mean())}
    row |= {"int8": float((theirs == y).mean()), "same": 100 * float((ours == theirs).mean())}
    lost = 100 * abs(row["float"] - row["int8"])
    report.check(f"{name}: int8 against float", lost, POINTS.get(name, 0.1), unit="points")
    most = SAME.get(name, 99.8)
    report.check(f"{name}: the same answers", row["same"], most, unit="%", least=True)
    row["onnxruntime"] = onnxruntime(net, dataset, x, y, ours)
    return row


def onnxruntime(net, dataset, x, y, ours):
    """{accuracy, same} of its static int8, on the same ranges' images; None where it is missing."""
    try:
        import onnx  # noqa: F401
        import onnxruntime
        from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
    except ImportError:
        return None
    from numpycnn.exchange.onnx import save

    def fed(images):
        return {"images": images.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)}

    class Reader(CalibrationDataReader):
        def __init__(self):
            images = dataset.x_train[:IMAGES]
            self.batches = iter([fed(images[i : i + 50]) for i in range(0, IMAGES, 50)])

        def get_next(self):
            return next(self.batches, None)

    with tempfile.TemporaryDirectory() as folder:
        here, there = pathlib.Path(folder, "float.onnx"), pathlib.Path(folder, "int8.onnx")
        save(here, net, check=False)
        options = {"quant_format": QuantFormat.QDQ, "per_channel": True}
        quantize_static(here, there, Reader(), **options)
        session = onnxruntime.InferenceSession(there, providers=["CPUExecutionProvider"])
        parts = [session.run(None, fed(x[i : i + 250]))[0] for i in range(0, len(x), 250)]
    found = np.concatenate(parts).argmax(axis=1)
    return {"int8": float((found == y).mean()), "same": 100 * float((found == ours).mean())}


def compiled(name, made, x, report, compilers):
    """The C file's bits against NumPy's -> {flash, ram, ...}."""
    text, facts = c.export(made, "net")
    expected = made.integers(x)
    for command in compilers:
        what = f"{name}: logits of C that differ, {len(x):,} images, {' '.join(command[:3])}"
        if shutil.which(command[0]) is None:
            report.check(what, None, 0, note="not installed")
        else:
            report.check(what, int((build.run(text, "net", x, command) != expected).sum()), 0)
    return {"flash": c.measure(text, "net"), "ram": facts["ram"]}


def on_boards(name, made, x, report):
    """Under QEMU -> {board: instructions an image}."""
    text, _ = c.export(made, "net")
    found = {}
    for board in build.BOARDS:
        what = f"{name}: logits that differ on {board}, {len(x)} images"
        if not (shutil.which(build.ARM) and shutil.which("qemu-system-arm")):
            report.check(what, None, 0, note="not installed")
            continue
        values, instructions = build.on_board(text, BOARDS, board, x)
        report.check(what, int((values != made.integers(x)).sum()), 0)
        found[board] = float(np.mean(instructions))
    return found


def main():
    args = arguments(__doc__.splitlines()[0])
    dataset, report = nc.data.load("fashion-mnist"), Report("device", args)
    nc.use("numba", args.threads)
    count, few, rows = (500, 20, []) if args.quick else (10_000, 1000, [])
    for name, net in networks(args, dataset).items():
        say(name)
        made = int8.quantize(net, dataset.x_train[:IMAGES])
        row = compare(name, net, made, dataset, report, count)
        compilers = COMPILED if name == "small-1" else COMPILED[1:2]
        row |= compiled(name, made, dataset.x_test[:few], report, compilers)
        row |= {"multiply_adds": made.multiply_adds(), "weights": made.weight_bytes()}
        if name == "small-1":
            row["instructions"] = on_boards(name, made, dataset.x_test[: max(2, few // 50)], report)
        rows.append(row)
    small = rows[0]
    report.check("small: flash", small["flash"], 82_000, unit="bytes")
    report.check("small: RAM", small["ram"], 24_000, 16_000, unit="bytes")
    m4 = small["instructions"].get("mps2-an386")
    report.check("small: instructions on an M4", m4 and m4 / 1e6, 25, 18, unit="million")
    holds = small["int8"] >= 0.9405
    report.check(
        "flash of the smallest network that holds 94.05 % (small)", small["flash"], 85_000, 35_000,
        unit="bytes", holds=holds and small["flash"] and small["flash"] <= 85_000,
    )  # fmt: skip
    out = pathlib.Path(args.out, "device.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    whole = {"machine": report.machine, "quick": args.quick, "checks": report.checks, "rows": rows}
    text = json.dumps(whole | {"cited": CITED}, indent=1, default=float)
    out.write_text(text + "\n")
    if args.json:
        print(text)
        return
    print(f"{where(report.machine)}\n\n{table(COLUMNS, rows)}\n")
    print(table(CHECK_COLUMNS, report.checks))
    for who, (flash, ram) in CITED.items():
        print(f"{who}: {flash:,} bytes of flash, {ram:,} of RAM")
    if args.quick:
        print("--quick: these numbers mean nothing.")


def _percent(value):
    return "-" if value is None else f"{value:.2%}"


COLUMNS = {
    "network": lambda r: r["network"],
    "float": lambda r: _percent(r["float"]),
    "int8": lambda r: _percent(r["int8"]),
    "same answers": lambda r: f"{r['same']:.2f} %",
    "onnxruntime's int8": lambda r: _percent(r["onnxruntime"] and r["onnxruntime"]["int8"]),
    "its same answers": lambda r: f"{r['onnxruntime']['same']:.2f} %" if r["onnxruntime"] else "-",
    "flash": lambda r: f"{r['flash']:,}" if r["flash"] else f"{r['weights']:,} + code",
    "RAM": lambda r: f"{r['ram']:,}",
    "multiply-adds": lambda r: f"{r['multiply_adds']:,}",
    "instructions, M4": lambda r: number(r.get("instructions", {}).get("mps2-an386")),
}


if __name__ == "__main__":
    main()
