"""How long do the networks that are shipped take for the 10,000 test images? python -m
benchmarks.classify

From uint8 images in memory to classes, fusing included; the paper's network took 0.584 s on a GPU.
The median of --rounds, in turns, after one run that is not timed (kernels are compiled, or read
from their cache, there).
"""

import json
import pathlib
import statistics
import time

import numpycnn as nc
from numpycnn.training.checkpoint import PRETRAINED

from .common import arguments, machine, table

PAPER = 0.584  # seconds, on a GPU


def main():
    args = arguments(__doc__.splitlines()[0])
    nc.use("numba", args.threads)
    dataset, facts = nc.data.load("fashion-mnist"), machine(args.threads)
    nets = {path.stem: nc.load(path) for path in sorted(PRETRAINED.glob("*.npz"))}
    nets = {name: net for name, net in nets.items() if "measured" in net.metadata}
    seconds = {name: [] for name in nets}
    for turn in range(args.rounds + 1):
        for name, net in nets.items():
            start = time.perf_counter()
            guesses = nc.predict(net, dataset.x_test).argmax(axis=1)
            if turn:
                seconds[name].append(time.perf_counter() - start)
            else:
                accuracy = float((guesses == dataset.y_test).mean())
                if accuracy != net.metadata["measured"]["accuracy"]:
                    raise ValueError(
                        f"pretrained:{name} has {accuracy:.2%}, which is not what its card says"
                    )
    rows = [
        {"network": f"pretrained:{name}",
         **{k: net.metadata["measured"][k] for k in ("parameters", "accuracy")},
         "seconds": statistics.median(seconds[name]), "samples": seconds[name]}
        for name, net in nets.items()
    ]  # fmt: skip
    path = pathlib.Path(args.out, "classify.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({"machine": facts, "quick": args.quick, "rows": rows}, indent=1) + "\n"
    )
    print(json.dumps(rows) if args.json else table(COLUMNS, rows))
    if args.quick and not args.json:
        print("--quick: these numbers mean nothing")


COLUMNS = {
    "network": lambda r: r["network"],
    "parameters": lambda r: f"{r['parameters']:,}",
    "test accuracy": lambda r: f"{r['accuracy']:.2%}",
    "10,000 images": lambda r: f"{r['seconds']:.3f} s",
    "of the paper's 0.584 s": lambda r: f"{r['seconds'] / PAPER:.2f}",
}


if __name__ == "__main__":
    main()
