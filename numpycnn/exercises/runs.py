"""Five broken trainings: what is wrong with this run? The answer is checked against inspect's.

start trains a small network for a moment, the wrong way, and writes its checkpoint (with the
history inside) and its images beside the question. The seed draws which cause is which run.
"""

import contextlib
import functools
import io
import json
import tempfile
import zlib
from pathlib import Path

import numpy as np

from .. import layers, optim
from ..errors import TrainingDiverged
from ..inspection import Steps, diagnose, examine
from ..training import checkpoint, fit
from .exercise import Exercise
from .verdict import Verdict

CAUSES = ("dead", "vanishing", "exploding", "too fast", "too slow", "over-fitting")
DRAWN = ("dead", "vanishing", "exploding", "too slow", "over-fitting")


def images(rng, n, flip=0.0):
    """n images (n, 6, 6, 1) of three classes, bars in three places; `flip` labels are wrong."""
    labels = np.arange(n) % 3
    x = 0.4 + 0.18 * rng.standard_normal((n, 6, 6, 1))
    for k in range(3):
        x[labels == k, :, 2 * k : 2 * k + 2] += 0.3
    wrong = rng.random(n) < flip
    return np.round(255 * np.clip(x, 0, 1)).astype(np.uint8), np.where(
        wrong, rng.integers(0, 3, n), labels
    )


def network(rng, depth=1, width=24, init="he_normal", activation=layers.ReLU):
    """`depth` dense layers with an activation each, and a last one; the mean is not taken off."""
    chain, size = [layers.Standardize(0.0, 0.2), layers.Flatten()], 36
    for _ in range(depth):
        chain += [layers.Dense(size, width, init=init, rng=rng), activation()]
        size = width
    net = layers.Sequential(*chain, layers.Dense(size, 3, init=init, rng=rng))
    net.input_shape = (6, 6, 1)
    return net


RECIPES = {
    "dead": lambda rng: (network(rng, 2), optim.SGD, 2.0, 4, 240, 0.0),
    "vanishing": lambda rng: (
        network(rng, 6, activation=layers.Sigmoid, init=0.1),
        optim.SGD,
        0.1,
        3,
        240,
        0.0,
    ),
    "exploding": lambda rng: (network(rng, 5, init=1.0), optim.Adam, 1e-3, 2, 240, 0.0),
    "too slow": lambda rng: (network(rng), optim.Adam, 1e-8, 3, 240, 0.0),
    "over-fitting": lambda rng: (network(rng, 1, 64), optim.Adam, 5e-3, 60, 45, 0.4),
}


def train(cause, seed):
    """The broken training -> (network, optimiser, history, its images, held-out images).

    Drawn until inspect finds this cause first: a training that goes wrong may do so in other ways.
    """
    for attempt in range(50):
        run = _trained(
            cause, seed, np.random.default_rng(zlib.crc32(f"{cause} {seed} {attempt}".encode()))
        )
        if run and _found(*run)[0:1] == [cause]:
            return run
    raise AssertionError(f"no training of 50 was {cause}")


def _found(net, optimizer, history, training, held_out):
    examined = examine(net, *training, steps=Steps.of(net, optimizer))
    test = examine(net, *held_out).accuracy, len(held_out[1])
    return [finding.kind for finding in diagnose(examined, history, test)]


def _trained(cause, seed, rng):
    net, kind, lr, epochs, n, flip = RECIPES[cause](rng)
    x, y = images(rng, n, flip)
    held_out = images(rng, 90)
    optimizer = kind(net.params(), lr)
    with np.errstate(all="ignore"), contextlib.suppress(TrainingDiverged):
        history = fit(
            net,
            x,
            y,
            epochs=epochs,
            optimizer=optimizer,
            validation=held_out,
            seed=zlib.crc32(seed.encode()),
            progress=False,
        )
        return net, optimizer, dict(history), (x, y), held_out
    return None


def cause_of(number, seed):
    """Which cause is run `number` (0 to 4) of this student."""
    order = np.random.default_rng(zlib.crc32(f"runs {seed}".encode())).permutation(len(DRAWN))
    return DRAWN[order[number]]


@functools.cache
def beside(number, seed):
    """{file name: bytes}: the checkpoint and the images."""
    net, optimizer, history, (x, y), (xt, yt) = train(cause_of(number, seed), seed)
    name, packed = f"run_{number + 1}", io.BytesIO()
    history = {k: [float(v) for v in values] for k, values in history.items()}
    np.savez(packed, x_train=x, y_train=y, x_test=xt, y_test=yt)
    return {
        f"{name}.npz": checkpoint.pack(net, optimizer, history=history, data=f"{name}_images.npz"),
        f"{name}_images.npz": packed.getvalue(),
        f"{name}_history.json": json.dumps(history, indent=1).encode(),
    }


def findings(path):
    """What inspect finds in the checkpoint at `path`, with the images beside it."""
    net = checkpoint.load(path)
    with np.load(path.with_name(f"{path.stem}_images.npz")) as file:
        x, y, xt, yt = (file[k] for k in ("x_train", "y_train", "x_test", "y_test"))
    metadata, arrays = checkpoint.read(path)
    steps = Steps.stored(metadata, arrays)
    examined = examine(net, x, y, steps=steps)
    test = examine(net, xt, yt)
    return diagnose(examined, metadata["history"], (test.accuracy, len(xt)))


def _page(number, seed):
    name = f"run_{number + 1}"
    return f"""# numpycnn exercise: {name}{f", drawn for {seed}" if seed else ""}
\"\"\"What is wrong with this run?

{name}.npz is the checkpoint of a training that went wrong, {name}_history.json its losses, and
{name}_images.npz what it was trained on. Look before you ask: the losses, the deviation of each
layer's output, the share of units that are 0, the size of the gradient at the first and at the
last layer, and of a step beside the weights.

    net = numpycnn.load("{name}.npz")      images = numpycnn.data.load("{name}_images.npz")

Write the cause below, as one of: {", ".join(CAUSES)}.
Check it:  numpycnn exercise check {name}.py      Stuck?  numpycnn exercise hint {name}.py
The judge: numpycnn inspect {name}.npz --data {name}_images.npz
\"\"\"

answer = ""
"""


def _examine(number):
    def examined(path, names, seed):
        """Compare `answer` with what inspect finds; a missing checkpoint is trained again."""
        verdict, name = Verdict(f"run_{number + 1}"), f"run_{number + 1}"
        answer = " ".join(str(names.get("answer", "")).lower().replace("_", " ").split())
        answer = answer.replace("overfitting", "over-fitting")
        if not answer:
            return verdict.wrong("answer", "nothing is written yet: answer is empty")
        if answer not in CAUSES:
            return verdict.wrong("answer", f"expected one of: {', '.join(CAUSES)}; {answer!r} came")
        with tempfile.TemporaryDirectory() as folder:
            for file, content in beside(number, seed).items():
                Path(folder, file).write_bytes(content)
            found = findings(Path(folder, f"{name}.npz"))
        if answer == found[0].kind:
            verdict.rows.append(("answer", "right", f"inspect says: {found[0].text}"))
            return verdict
        if answer in [finding.kind for finding in found]:
            return verdict.wrong(
                "answer", f"{answer}: inspect finds it too, but something else first"
            )
        return verdict.wrong("answer", f"inspect does not find {answer}: {SIGNS[answer]}")

    return examined


SIGNS = {
    "dead": "two of five units of a ReLU would be 0 for every image",
    "vanishing": "the gradient at the first layer would be a thousandth of that at the last",
    "exploding": "the logits would be in the hundreds, or the gradient grow a thousandfold",
    "too fast": "one step would change the weights by a tenth of their size or more",
    "too slow": "one step would change the weights by a hundred-thousandth of their size or less",
    "over-fitting": "the validation loss would rise while the training loss falls",
}


def _run(number):
    return Exercise(
        f"run_{number + 1}",
        "what is wrong with this run?",
        8,
        ("inspection/diagnosis.py", "diagnose"),
        (),
        None,
        None,
        "",
        equation="dead: a unit is 0 for every image; vanishing, exploding: the gradient at the "
        "first layer over that at the last;\ntoo fast, too slow: ||dw|| / ||w|| of one step, "
        "about 1e-3 is "
        "usual; over-fitting: validation loss rises, training loss falls",
        text=lambda seed: _page(number, seed),
        beside=lambda seed: beside(number, seed),
        examine=_examine(number),
        step="numpycnn inspect, on the checkpoint: the table of the layers",
    )


EXERCISES = [_run(number) for number in range(5)]
