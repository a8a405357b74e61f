"""What the record's recipes were chosen by: python -m benchmarks.trials erasing   (names: --list)

Each trains on 55,000 images and is measured on the 5,000 others; the test set is not looked at.
Seed 0. Beside the accuracy stands the loss at the temperature that suits it best, for a difference
of 0.3 % in accuracy may be chance where one in the loss is not. A run that is in --runs already is
resumed, or only measured when it is complete.
"""

import argparse
import functools
import json
import pathlib

import numpy as np

import numpycnn as nc
from numpycnn import files
from numpycnn.data.augment import compose, horizontal_flip, random_crop, random_erasing, shrink
from numpycnn.optim import Muon
from numpycnn.schedule import triangular
from numpycnn.training.loop import logits, score

from .records import ROOT

BASE = {
    "model": "vgg",
    "filters": (32, 64, 92),
    "depth": 2,
    "epochs": 24,
    "ema": 0.998,
    "batch_size": 128,
    "lr": 0.015,
    "smoothing": 0.1,
}
FAST = {"epochs": 12, "ema": 0.99}
SMALL = {"ema": 0.995}
SHORT = {**FAST, "model": "mirror_vgg", "filters": (10, 18, 24), "epochs": 8}
TAUGHT = {**SHORT, "smoothing": 0.0, "teacher": "teacher-98"}
MIRROR = {"erase": 1.0, "crop": 4, "largest": 0.4}
TRIALS = {  # name: what it has beside BASE
    "fast": FAST,
    "fast-mirror": {**FAST, "model": "mirror_vgg", "filters": (16, 32, 46), "epochs": 8},
    "low-resolution-first": {**FAST, "epochs": 14, "low": 0.5},  # as long as `fast`
    "erasing": {"erase": 1.0},
    "erasing-first": {"erase": 0.7},
    "batch-64": {"erase": 1.0, "batch_size": 64, "lr": 0.011, "ema": 0.999},
    "small-52": {**SMALL, "filters": (16, 32, 48)},
    "small-78": {**SMALL, "filters": (24, 40, 56)},
    "small-deep": {**SMALL, "filters": (20, 32, 40), "depth": 3},
    "mirror-29": {"model": "mirror_vgg", "filters": (10, 18, 24), "epochs": 60},
    "mirror-29-long": {"model": "mirror_vgg", "filters": (10, 18, 24), "epochs": 120},
    "mirror-29-short": SHORT,
    "mirror-29-silu": {**SHORT, "activation": "silu"},
    "mirror-29-smoothing-3": {**SHORT, "smoothing": 0.03},
    "mirror-29-smoothing-0": {**SHORT, "smoothing": 0.0},
    "mirror-29-wide-first": {**SHORT, "smoothing": 0.03, "filters": (11, 18, 23)},
    "mirror-29-silu-smoothing-3": {**SHORT, "smoothing": 0.03, "activation": "silu"},
    "teacher-98": {
        **FAST,
        "model": "mirror_vgg",
        "filters": (16, 32, 46),
        "smoothing": 0.0,
        "erase": 1.0,
    },
    "mirror-29-taught-1": {**TAUGHT, "temperature": 1},
    "mirror-29-taught-2": {**TAUGHT, "temperature": 2},
    "mirror-29-taught-4": {**TAUGHT, "temperature": 4},
    "mirror-98": {"model": "mirror_vgg", "filters": (16, 32, 46), **MIRROR},
    "mirror-190": {"model": "mirror_vgg", "filters": (24, 44, 64), **MIRROR},
    "mirror-190-crop-2": {"model": "mirror_vgg", "filters": (24, 44, 64), "erase": 1.0},
}


def augmentation(trial):
    """Flip and crop; `erase`: with random erasing up to that share of the epochs; `low`: up to it
    at 20 x 20 pixels. No flips where the network is symmetric.
    """
    crop = functools.partial(random_crop, pad=trial["crop"]) if "crop" in trial else random_crop
    plain = crop if trial["model"] == "mirror_vgg" else compose(horizontal_flip, crop)
    if "low" in trial:
        return [(trial["low"], compose(plain, functools.partial(shrink, size=20))), (1.0, plain)]
    erasing = functools.partial(random_erasing, area=(0.02, trial.get("largest", 0.33)))
    erased = compose(plain, erasing)
    if trial.get("erase", 1.0) == 1.0:
        return erased if "erase" in trial else plain
    return [(trial["erase"], erased), (1.0, plain)]


def run(name, folder):
    """Train, and measure on the held-out images -> a row of trials.json."""
    trial = {**BASE, **TRIALS[name]}
    dataset = nc.data.load("fashion-mnist")
    train, (x, y) = dataset.split(5000, seed=0)
    taught = {}
    if "teacher" in trial:
        run(trial["teacher"], folder.parent / trial["teacher"])
        taught = {"teacher": nc.load(folder.parent / trial["teacher"] / "last.npz")}
        taught["temperature"] = trial["temperature"]
    form = {"filters": trial["filters"], "depth": trial["depth"], "dropout": (0, 0, 0)}
    form |= {"activation": trial["activation"]} if "activation" in trial else {}
    net = nc.models.build(trial["model"], seed=0, **form, mean=dataset.mean, std=dataset.std)
    history = nc.fit(
        net, *train, epochs=trial["epochs"], batch_size=trial["batch_size"],
        optimizer=Muon(net.params(), lr=trial["lr"], rest=8.0, weight_decay=5e-4),
        schedule=triangular(peak=0.2), augment=augmentation(trial), ema=trial["ema"],
        label_smoothing=trial["smoothing"], **taught, validation=(x, y), seed=0,
        out=folder, resume=(folder / "last.npz").exists(),
    )  # fmt: skip
    s, flipped = logits(net, x), logits(net, x, flip=True)
    return {
        "trial": name, "parameters": net.summary((28, 28, 1)).total, "epochs": history.epochs,
        "accuracy": score(s, y)[1], "flip_accuracy": score(flipped, y)[1],
        "loss": min(score(t * s, y)[0] for t in np.arange(0.5, 3, 0.01)),
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trials", nargs="*", choices=[[], *TRIALS])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("runs/trials"))
    args = parser.parse_args()
    nc.use("numba", args.threads)
    if args.list:
        print("\n".join(f"{name:22}{trial}" for name, trial in TRIALS.items()))
    path = ROOT / "benchmarks" / "results" / "trials.json"
    for name in args.trials:
        row = run(name, args.runs / name)
        rows = json.loads(path.read_text()) if path.exists() else []
        rows = [*(other for other in rows if other["trial"] != name), row]
        files.write(path, (json.dumps(rows, indent=1) + "\n").encode())
        print(json.dumps(row))


if __name__ == "__main__":
    main()
