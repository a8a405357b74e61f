"""The commands of `numpycnn`, each (args) -> the result for --json, the text for people[, the exit
code].
"""

import contextlib
import os
import pathlib
import shlex
import sys

from .. import files
from ..errors import CheckpointError, printable, unknown

LINES = "\n\t"  # control characters that are this program's own
PAINTERS = "autoencoder", "denoiser", "vae", "gan"  # models whose output is an image


def say(line):
    """A message to people. Names in it may be anybody's: what a terminal obeys is escaped."""
    sys.stderr.write(f"{printable(line, keep=LINES)}\n")
    sys.stderr.flush()


def train(args):
    """Train a model, from raw files to the report."""
    from .. import data
    from . import recipes, training

    given = {name: getattr(args, name, None) for name in recipes.NAMES}
    given["reading"] = reading(args) or None
    given = {name: value for name, value in given.items() if value is not None}
    if args.resume:
        given = recipes.resumed(args.out, given)
    recipes.check_model(given.get("model", "vgg"))
    if args.out and not args.resume:
        files.check_folder(pathlib.Path(args.out), args.force)
    if "reading" in given and "data" not in given:
        raise ValueError(f"{', '.join(given['reading'])}: for data of your own; give it as --data")
    dataset = (
        data.load(given["data"], **(given.get("reading") or {}))
        if "data" in given
        else data.load_default()
    )
    if given.get("limit"):
        dataset = dataset.limit(given["limit"])
    recipe = recipes.complete(given, dataset)
    out = pathlib.Path(args.out) if args.out else training.new_folder(recipe)
    files.check_folder(out, args.force or args.resume)
    try:
        result = training.train(recipe, dataset, out, args.resume, say)
    except KeyboardInterrupt as stop:
        if getattr(stop, "out", None):
            stop.args = (
                f"stopped; continue with: numpycnn train --resume --out {files.quoted(out)}",
            )
        raise
    finally:
        if not args.out:  # the new folder, if nothing came into it
            with contextlib.suppress(OSError):
                out.rmdir()
    text = accuracy_table(result["per_class"], result["test_accuracy"], result["report"])
    return result, text, 0 if result["report"] else 1


def reading(args):
    """The options about data of a person's own that are given, as data.load takes them."""
    from ..data.options import NAMES

    values = {name: getattr(args, name, None) for name in NAMES}
    return {name: value for name, value in values.items() if value is not None}


def trained_reading(net):
    """The same of the data that a network was trained on, as its checkpoint holds them."""
    from ..data.options import NAMES

    recipe = net.metadata.get("recipe")
    found = recipe.get("reading") if isinstance(recipe, dict) else None
    return {name: found[name] for name in NAMES if name in found} if isinstance(found, dict) else {}


def pictures(net):
    """How picture files become images of a network (decode.Treatment.stored): as in training.

    Where the network was trained on none, they take its input's size and channels.
    """
    found = net.metadata.get("pictures")
    if isinstance(found, dict):
        return {name: found.get(name) for name in ("size", "fit", "colour")}
    height, width, channels = getattr(net, "input_shape", (28, 28, 1))
    return {"size": [height, width], "fit": "pad", "colour": channels == 3}


def accuracy_table(per_class, accuracy, report=None):
    """The test accuracy of each class (its recall) and in all."""
    width = max(len(name) for name in per_class)
    lines = [f"  {name:<{width}}  {share:7.2%}" for name, share in per_class.items()]
    lines.append(f"Test accuracy: {accuracy:.2%}")
    if report:
        lines.append(f"Report: {report}")
    return "\n".join(lines)


def evaluate(args):
    """Accuracy of a checkpoint on a test set."""
    import numpycnn as nc

    net, dataset = network_and_data(args)
    classes = list(dataset.classes)
    measured = nc.evaluate(net, dataset.x_test, dataset.y_test, flip=args.flip)
    recall = measured["per_class"]["recall"].tolist()
    result = {
        "accuracy": measured["accuracy"],
        "loss": measured["loss"],
        "parameters": net.summary(dataset.x_test.shape[1:]).total,
        "per_class": dict(zip(classes, recall, strict=True)),
        "confusion": measured["confusion"].tolist(),
    }
    return result, accuracy_table(result["per_class"], result["accuracy"])


def classifier(checkpoint):
    """The network of a checkpoint. Raises ValueError for one that draws images, or cleans them.

    CheckpointError.
    """
    import numpycnn as nc

    net = nc.load(checkpoint)
    for key, kind in (("classes", list), ("data", str)):
        if not isinstance(net.metadata.get(key, kind()), (kind, type(None))):
            raise CheckpointError(
                f"{checkpoint}: its {key} are no {kind.__name__} but {net.metadata[key]!r}"
            )
    if (net.spec or {"model": None})["model"] in PAINTERS:
        raise ValueError(
            f"{checkpoint} holds a network that classifies nothing ({net.spec['model']}); "
            "numpycnn generate draws by a gan, vae or autoencoder"
        )
    return net


def network_and_data(args):
    """The network of args.checkpoint, and the data set args.data, by default its own.

    Raises ValueError.
    """
    import numpy as np

    import numpycnn as nc

    net = classifier(args.checkpoint)
    expected = getattr(net, "input_shape", (28, 28, 1))
    options = {**(trained_reading(net) if args.data is None else {}), **reading(args)}
    name = args.data or net.metadata.get("data", "fashion-mnist")
    dataset = nc.data.load(name, **options, like=pictures(net))
    classes, known = list(dataset.classes), net.metadata.get("classes")
    came = dataset.x_test.shape[1:]
    outputs = net.infer(np.zeros((1, *expected), np.uint8)).shape[1]
    if outputs != len(classes):
        raise ValueError(
            f"{args.checkpoint} knows {outputs} classes, but {dataset.name} has {len(classes)}; "
            "give the data that it was trained for as --data"
        )
    if expected != came:
        raise ValueError(
            f"{args.checkpoint} was made for images {expected}, "
            f"but those of {dataset.name} are {came}"
        )
    if known and known != classes:
        say(f"note: {args.checkpoint} was trained on other classes than those of {dataset.name}")
    return net, dataset


def inspect(args):
    """Look inside a checkpoint: each layer's numbers, a diagnosis, and where it looks."""
    from ..data import read_image
    from ..inspection import report, source, table

    out = source.folder(args.out, args.checkpoint)
    net, dataset = network_and_data(args)
    light = bool(net.metadata.get("light"))
    image = read_image(args.image, dataset.x_test.shape[1:], light) if args.image else None
    result = report.write(
        out, net, dataset, args.checkpoint, image=image, **source.known(args.checkpoint, dataset)
    )
    return result, table.text(result)


def predict(args):
    """The class of image files."""
    import numpycnn as nc

    from ..inspection import out_of_distribution

    paths, show = args.images, args.show
    if show and not paths:  # `predict --show photo.jpg`
        paths, show = [show], ""
    if not paths:
        raise ValueError("no IMAGE is given")
    places = [None] * len(paths) if show is None else seen_places(show, paths)
    net = classifier(args.checkpoint)
    shape = getattr(net, "input_shape", (28, 28, 1))
    images = [nc.data.read_image(path, shape, bool(net.metadata.get("light"))) for path in paths]
    rows, known = nc.predict(net, images), out_of_distribution.in_distribution(net, images)
    results, lines = [], []
    for path, place, image, row, like in zip(paths, places, images, rows, known, strict=True):
        classes = names(net, len(row))
        best = row.argsort()[::-1][:3]
        shares = dict(zip(classes, row.tolist(), strict=True))
        facts = {
            "image": path,
            "class": classes[best[0]],
            "probabilities": shares,
            "familiar": like,
            "shown": place,
        }
        results.append(facts)
        lines.append(f"{path}: " + ", ".join(f"{classes[i]} {row[i]:.1%}" for i in best))
        data = net.metadata.get("data", "its data")
        doubt = f"looks like nothing in {data}; do not trust this answer"
        if like is False:
            lines.append(f"note: {path} {doubt}")
        if place:
            draw_seen(path, image, facts, f"This {doubt}." if like is False else "")
            lines.append(f"{path}: what the network saw is in {place}")
    return {"predictions": results}, "\n".join(lines)


def seen_places(show, images):
    """A new file for each image: --show's .png, or NAME-seen.png in its folder.

    No file is ever written over.
    """
    place = pathlib.Path(show)
    if place.suffix and not place.is_dir():
        if place.suffix.lower() != ".png":
            raise ValueError(
                f"--show {show}: expected a folder or a file.png; images stand before --show"
            )
        if len(images) > 1:
            raise ValueError(f"--show {show}: one file for {len(images)} images; give a folder")
        if place.exists():
            raise ValueError(
                f"--show {show}: it exists, and no file is written over; "
                "give another name, or a folder"
            )
        return [str(place)]
    places = []
    for image in images:
        places.append(files.unused(place / f"{pathlib.Path(image).stem}-seen.png", places))
    return places


def draw_seen(path, image, facts, note):
    """Write the picture that --show asks for."""
    from ..data.picture import open_picture
    from ..report import plots

    pathlib.Path(facts["shown"]).parent.mkdir(parents=True, exist_ok=True)
    plots.prediction(open_picture(path), image, facts["probabilities"], facts["shown"], note)


def names(net, count):
    """The class names that its checkpoint holds, or numbers."""
    classes = net.metadata.get("classes")
    known = classes and len(classes) == count
    return [files.shown(classes[i] if known else i) for i in range(count)]


def summary(args):
    """The table of a model's layers."""
    from .. import models

    net = models.build(args.model)
    table = net.summary(getattr(net, "input_shape", (28, 28, 1)))
    counts = {
        k: getattr(table, k)
        for k in ("total", "trainable", "non_trainable", "multiply_adds", "kept_bytes")
    }
    return {"model": args.model, **counts}, table


def gradcheck(args):
    """Check every gradient of a model against finite differences."""
    import numpy as np

    from .. import models
    from ..gradient_check import check_network

    rng = np.random.default_rng(args.seed)
    net = models.build(args.model, seed=args.seed)
    result = check_network(
        net, rng.standard_normal((2, *getattr(net, "input_shape", (28, 28, 1)))), seed=args.seed
    )
    facts = {"model": args.model, "ok": bool(result.ok), "max_error": float(result.max_error)}
    return facts, str(result), 0 if result.ok else 1


def generate(args):
    """Draw images from a generator, or through an autoencoder, into a new file."""
    import numpycnn as nc

    from ..generative.drawing import run

    if args.out and os.path.lexists(args.out):
        raise ValueError(
            f"--out {args.out}: it exists, and no file is written over; give another name"
        )
    args.out = args.out or files.unused("grid.png")
    net = nc.load(args.checkpoint)
    count = run(net, args)
    kind = "frames" if args.out.lower().endswith(".gif") else "images"
    return {
        "checkpoint": args.checkpoint,
        kind: count,
        "out": args.out,
    }, f"{count:,} {kind}: {args.out}"


def data(args):
    """Fetch and verify a data set."""
    from .. import data as datasets

    d = datasets.load(args.name)
    sizes = {"train": len(d.x_train), "test": len(d.x_test), "image": list(d.x_train.shape[1:])}
    counts = (
        f"{len(d.x_train):,} training and {len(d.x_test):,} test images, {len(d.classes)} classes"
    )
    facts = {
        "name": d.name,
        "classes": list(d.classes),
        "sha256": d.sha256,
        "source": d.source,
        **sizes,
    }
    return facts, f"{d.name}: {counts}; {d.source}"


def study(args):
    """Test the paper's claims: networks that differ in one thing only, over several seeds."""
    from .. import studies

    if args.list:
        claims = {
            name: {"claim": one.claim, "core_minutes": one.minutes}
            for name, one in studies.STUDIES.items()
        }
        lines = [
            f"{name:<14} {one['core_minutes']:>4} min  {one['claim']}"
            for name, one in claims.items()
        ]
        return {"studies": claims}, "\n".join(
            [*lines, "minutes of one core, for 3 seeds; --quick: a trial in minutes"]
        )
    if not args.names:
        raise ValueError("name a study, or all; --list shows them")
    for name in args.names:
        if name not in studies.STUDIES and name != "all":
            raise unknown("study", name, [*studies.STUDIES, "all"])
    chosen = {
        n: one for n, one in studies.STUDIES.items() if n in args.names or "all" in args.names
    }
    given = {key: getattr(args, key) for key in ("seeds", "epochs", "limit", "data")}
    out = args.out or ("runs/studies-quick" if args.quick else "runs/studies")
    typed = "".join(
        f" --{key} {shlex.quote(str(value))}" for key, value in given.items() if value is not None
    )
    command = f"numpycnn study STUDY{' --quick' if args.quick else ''}{typed}"
    result = studies.run(
        chosen, out, jobs=args.jobs, quick=args.quick, say=say, command=command, **given
    )
    lines = [f"{name:<14} {found['verdict']}" for name, found in result["studies"].items()]
    lines.append(f"Results: {pathlib.Path(result['out'], 'README.md')}")
    if result["failed"]:
        say(f"numpycnn study: {result['failed']} jobs failed; the same command tries them again")
    return result, "\n".join(lines), 1 if result["failed"] else 0


def doctor(args):
    """What this machine has, and whether the kernels work."""
    from .doctor import examine

    facts = examine()
    text = "\n".join(f"{name:<14} {value}" for name, value in facts.items())
    return facts, text, 0 if facts["kernels"].startswith("right") else 1
