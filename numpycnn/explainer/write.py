"""The page: both passes of a network on one image, recorded, in one HTML file."""

import contextlib
import hashlib
import json
from base64 import b64encode
from html import escape
from pathlib import Path

import numpy as np

from .. import __version__, backend, files
from ..errors import ShapeError
from ..layers import Frozen
from ..layers.traverse import generators, named_buffers, preserve_gradients
from ..models.vae import VAE
from ..report.html import STYLE, PageFacts
from .kinds import kind_of
from .losses import finish
from .store import Store
from .trace import Trace

PAGE = Path(__file__).parent / "page"
# The mathematics runs in the page, in its worker, and in the tests; the rest draws.
MATHS = (
    "shapes", "store", "conv", "passes", "passes_loss", "cells_conv", "cells_weights",
    "cells_point", "cells_pool", "cells_norm", "cells_layer_norm", "cells_mirror", "cells_join",
    "cells_loss",
    "network", "checks",
)  # fmt: skip
VIEW = (
    "format", "mathml", "state", "maps", "ladder", "sums", "tools", "picture", "draw", "keys",
    "start",
)  # fmt: skip
SIZE = 8_000_000  # bytes
CODE = 200_000  # of which for the page itself, and the list of its arrays
COMPUTED = {"use": 50_000, "train": 500}  # larger gradients of weights are not stored


def explain(
    net, image, path, *, label=None, target=None, loss=None, label_smoothing=0.0, class_weight=None,
    batch=None, classes=None, title="numpycnn", size=SIZE,
):  # fmt: skip
    """Write a page that steps through both passes of `net` on `image` -> facts (a dict)

    image (H, W, C), uint8 or in the network's own unit; any other array that the network takes,
    without the batch. The loss is softmax cross-entropy with `label` (default: the predicted
    class); of an autoencoder mse, of a VAE "elbo", with `target` (default: the image); of one
    output "bce_with_logits" with the target 1. `batch` = (images, labels or targets) adds a run in
    training, in which they share the batch with the image. The passes are those of NumPy, on any
    backend. Above `size` bytes the page computes some arrays itself, and says which.
    A notebook shows the page in place of the facts.
    The network, its running statistics, gradients and generators stay as they are. Raises
    ShapeError, TypeError, ValueError for what does not fit, OSError.
    """
    store = Store()
    image = _unit(net, np.asarray(image))
    given = {"label_smoothing": label_smoothing, "class_weight": class_weight}
    runs = []
    with _unchanged(net):
        loss = loss or _usual_loss(net, image)
        labels, targets = _answers(net, image, loss, label, target)
        runs.append(_record(net, image[None], loss, labels, targets, False, store, given))
        if batch is not None:
            xs, answers = _rest(net, image, batch, loss)
            x = np.concatenate([image[None], xs])
            if labels is not None:
                labels = np.concatenate([labels, answers])
            else:
                targets = np.concatenate([targets, answers])
            runs.append(_record(net, x, loss, labels, targets, True, store, given))
    for run in runs:
        if label is None and labels is not None:
            run["nodes"][-1]["attrs"]["assumed"] = True  # the predicted class stands in for it
    left = _fit(store, runs, size)
    facts = {"title": str(title), "classes": _classes(classes, runs), "runs": runs, "left": left}
    facts["pictures"] = _pictures(getattr(net, "metadata", None) or {})
    html = _page(facts, store)
    files.write(path, html)
    written = {
        "out": str(path), "bytes": len(html), "layers": len(runs[0]["nodes"]), "loss": loss,
        "runs": [run["run"] for run in runs], "computed": left,
    }  # fmt: skip
    return PageFacts(written, path)


def _unit(net, image):
    """uint8 pixels as 0..1 where the first layer is the library's: its unit of both."""
    first = _first(net)
    own = kind_of(first) == "Own"
    if image.dtype == np.uint8 and not own:
        return image.astype(np.float32) / np.float32(255)
    return image


def _first(layer):
    """The layer that the image meets first."""
    inside = [layer.layer] if isinstance(layer, Frozen) else [one for _, one in layer.children()]
    return _first(inside[0]) if inside else layer


@contextlib.contextmanager
def _unchanged(net):
    """Within it the passes of NumPy run; after it the network is as it was."""
    buffers = {name: array.copy() for name, array in named_buffers(net).items()}
    states = [(rng, rng.bit_generator.state) for rng in generators(net).values()]
    try:
        with backend.using("numpy"), preserve_gradients(net), np.errstate(all="ignore"):
            yield
    finally:
        for name, array in named_buffers(net).items():
            array[...] = buffers[name]
        for rng, state in states:
            rng.bit_generator.state = state


def _usual_loss(net, image):
    if isinstance(net, VAE):
        return "elbo"
    y = net.infer(image[None])
    if y.ndim == 2 and y.shape[1] > 1:
        return "softmax_cross_entropy"
    return "bce_with_logits" if y.ndim == 2 else "mse"


def _answers(net, image, loss, label, target):
    """(labels, targets) of a batch of the image alone; one of them is None."""
    if loss == "softmax_cross_entropy":
        y = net.infer(image[None])
        if y.ndim != 2:
            raise ShapeError(f"explain: {loss} needs an output (N, K), the network's is {y.shape}")
        return np.array([int(np.argmax(y)) if label is None else label]), None
    if target is None:
        target = np.ones(1, np.float32) if loss == "bce_with_logits" else image
        if isinstance(net, VAE) and net.classes:
            target = image[..., : -net.classes]
    return None, _unit(net, np.asarray(target))[None]


def _rest(net, image, batch, loss):
    xs, answers = batch
    xs = _unit(net, np.asarray(xs))
    if xs.shape[1:] != image.shape or len(xs) != len(answers):
        raise ShapeError(
            f"explain: the batch has images {xs.shape[1:]} and {len(answers)} labels or targets; "
            f"expected {image.shape} as the image, and one each of {len(xs)}"
        )
    answers = np.asarray(answers)
    return xs, answers if loss == "softmax_cross_entropy" else _unit(net, answers)


def _record(net, x, loss, labels, targets, train, store, given):
    """Both passes -> what the page shows of them."""
    trace = Trace(store, train)
    image = trace.node("Input", "the image", "", [], store.put(x[0]))
    y, came, backward = trace.run(net, x, image)
    dy = finish(trace, came, y, loss, labels, targets, **given)
    backward(dy)
    trace.note_shared()
    return {"run": "train" if train else "use", "batch": len(x), "nodes": trace.nodes}


def _fit(store, runs, size):
    """Leave arrays to the page until it fits -> their names, the gradients of weights first.

    Very large ones of these it computes always, in training large ones too.
    """

    def largest(part):
        for run in runs:
            for node in run["nodes"]:
                where = f"{run['run']}: {node['path'] or node['name']}"
                for name, i in _arrays(node, part):
                    yield -store.arrays[i].size, i, f"{where} {name}"

    left, room = [], size - len(json.dumps(runs)) - CODE
    for count, i, name in sorted(largest("grads")):
        if -count > COMPUTED["train" if name.startswith("train") else "use"] and store.drop(i):
            left.append(name)
    waiting = [one for part in ("grads", "dxs", "y") for one in sorted(largest(part))]
    while waiting and (bytes_now := store.size()) > room:
        spare = (bytes_now - room) / bytes_now * store.stored()  # numbers that are too many
        while waiting and spare > 0:
            count, i, name = waiting.pop(0)
            if store.drop(i):
                left.append(name)
                spare += count
    return left


def _arrays(node, part):
    if node["kind"] in ("Own", "Input") or not node["inputs"]:
        return []
    if part == "y":
        return [("y", node["y"])]
    found = node[part].items() if part == "grads" else enumerate(node[part])
    return [(f"dL/d{'x' if part == 'dxs' else name}", i) for name, i in found]


def _classes(classes, runs):
    node = runs[0]["nodes"][-1]
    if node["kind"] != "SoftmaxCE":
        return []
    count = len(classes) if classes is not None else 0
    return [str(name) for name in classes] if count else []


def _pictures(metadata):
    """How the page reads a dropped picture: as data.picture.read_for does."""
    pictures = metadata.get("pictures")
    fit = (pictures.get("fit") or "pad") if isinstance(pictures, dict) else None
    return {"light": bool(metadata.get("light")), "fit": fit}


def _page(facts, store):
    """The whole page, as bytes."""
    facts.update(tensors=store.listing(), version=__version__)
    packed = store.text()
    text = json.dumps(facts, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    maths, view = (
        "\n".join((PAGE / f"{name}.js").read_text(encoding="utf-8") for name in names)
        for names in (MATHS, VIEW)
    )
    hashes = " ".join(f"'sha256-{_hash(script)}'" for script in (maths, view))
    filled = {
        "HASHES": hashes, "TITLE": escape(facts["title"]), "FACTS": text, "DATA": packed,
        "STYLE": STYLE + (PAGE / "style.css").read_text(encoding="utf-8"),
        "MATHS": maths, "VIEW": view,
    }  # fmt: skip
    pieces = (PAGE / "index.html").read_text(encoding="utf-8").split("@@")
    # every other piece is a name: what is filled in is not searched for names again
    html = "".join(filled[piece] if i % 2 else piece for i, piece in enumerate(pieces))
    return html.encode("utf-8")


def _hash(script):
    return b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode()
