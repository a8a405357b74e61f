"""The commands of `numpycnn`, each (args) -> the result for --json, the text for people[, the exit
code].
"""

import contextlib
import pathlib
import shlex
import warnings

from .. import files
from ..errors import unknown
from .networks import classifier, input_shape, model, network_and_data, reading
from .output import check_new, say
from .prediction import predict

__all__ = [
    "doctor", "evaluate", "generate", "gradcheck", "inspect", "predict", "study", "summary",
    "train",
]  # fmt: skip


def train(args):
    """Train a network on images; write it, and a report."""
    from .. import distributed

    with distributed.joined(args.rank_timeout or distributed.TIMEOUT) as ranks:
        if not ranks.leads:  # the first of several processes talks, and writes, for all
            warnings.simplefilter("ignore")
        with contextlib.ExitStack() as stack:
            if args.out:  # before anything is read or trained: another run may be in it
                ranks.first(lambda: _claim(args, stack))
            return _train(args, ranks)


def _claim(args, stack):
    from ..training.lock import locked

    if not args.resume:
        files.check_folder(pathlib.Path(args.out), args.force)
    stack.enter_context(locked(args.out))


def _train(args, ranks):
    from .. import data
    from . import outcome, recipes, training

    if args.force and not args.out:
        raise ValueError("--force starts anew in the folder --out; give it, or leave --force out")
    given = {name: getattr(args, name, None) for name in recipes.NAMES}
    given["reading"] = reading(args) or None
    given = {name: value for name, value in given.items() if value is not None}
    start = None  # the trained network to begin with
    if args.resume:
        given = ranks.first(lambda: recipes.resumed(args.out, given))
    elif "start" in given:
        recipes.check_start(given)
    recipes.check(given)
    if "start" in given:
        start = classifier(pathlib.Path(args.out, "last.npz") if args.resume else given["start"])
        given.setdefault("model", training.model_of(start))
    if args.out and ranks.leads:
        files.check_folder(pathlib.Path(args.out), args.force or args.resume)
    if "reading" in given and "data" not in given:
        raise ValueError(f"{', '.join(given['reading'])}: for data of your own; give it as --data")
    like = {} if start is None else {"like": treated(start, args.resume)}
    dataset = ranks.in_turn(
        lambda: (
            data.load(given["data"], **(given.get("reading") or {}), **like)
            if "data" in given
            else data.load_default()
        )
    )
    if given.get("limit"):
        dataset = dataset.limit(given["limit"])
    recipe = recipes.complete(given, dataset)
    out = ranks.first(lambda: args.out or str(training.new_folder(recipe)))
    out = pathlib.Path(out)
    try:
        result = training.train(recipe, dataset, out, args.resume, say, start)
    except KeyboardInterrupt as stop:
        if getattr(stop, "out", None):
            stop.args = (
                f"stopped; continue with: numpycnn train --resume --out {files.quoted(out)}",
            )
        raise
    finally:
        if not args.out and ranks.leads:  # the new folder, if nothing came into it
            with contextlib.suppress(OSError):
                out.rmdir()
    if not ranks.leads:
        return None, "", 0
    text = accuracy_table(result["per_class"], result["test_accuracy"])
    text = "\n".join([text, *outcome.closing_lines(result)])
    return result, text, 0 if result["report"] else 1


def treated(start, resume):
    """How pictures become images of a network to begin with: in its size, but in their colours."""
    from ..data.picture import treatment_for

    found = treatment_for(start.metadata, input_shape(start))
    return found if resume or found["colour"] else {**found, "colour": None}


def accuracy_table(per_class, accuracy):
    """The test accuracy of each class (its recall) and in all."""
    width = max(len(name) for name in per_class)
    lines = [f"  {name:<{width}}  {share:7.2%}" for name, share in per_class.items()]
    lines.append(f"Test accuracy: {accuracy:.2%}")
    return "\n".join(lines)


def evaluate(args):
    """Measure a trained network on test images, class by class."""
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


def inspect(args):
    """Write a page: each layer's numbers, what is wrong, where it looks."""
    from ..data import read_for
    from ..inspection import report, source, table

    out = source.folder(args.out, args.checkpoint)
    net, dataset = network_and_data(args)
    shape = dataset.x_test.shape[1:]
    image = read_for(net.metadata, args.image, shape) if args.image else None
    result = report.write(
        out, net, dataset, args.checkpoint, image=image, **source.known(args.checkpoint, dataset)
    )
    return result, table.text(result)


def summary(args):
    """List a network's layers, with their shapes and parameters."""
    name, net = model(args)
    table = net.summary(input_shape(net, args.shape))
    counts = {
        k: getattr(table, k)
        for k in ("total", "trainable", "non_trainable", "multiply_adds", "kept_bytes")
    }
    return {"model": name, **counts}, table


def gradcheck(args):
    """Compare each gradient with finite differences: what small steps give."""
    import numpy as np

    from ..gradient_check import check_network

    name, net = model(args, args.seed)
    rng = np.random.default_rng(args.seed)
    x = rng.standard_normal((2, *input_shape(net, args.shape)))
    result = check_network(net, x, seed=args.seed)
    facts = {"model": name, "ok": bool(result.ok), "max_error": float(result.max_error)}
    return facts, str(result), 0 if result.ok else 1


def generate(args):
    """Draw images by a GAN, a VAE or an autoencoder, into a new file."""
    import numpycnn as nc

    from ..generative.drawing import run

    if args.data and not (args.reconstruct or args.map):
        raise ValueError("--data is for --reconstruct and --map, which show test images")
    if args.out:
        check_new("--out", args.out)
    args.out = args.out or files.unused("grid.png")
    net = nc.load(args.checkpoint)
    count = run(net, args)
    kind = "frames" if args.out.lower().endswith(".gif") else "images"
    return {
        "checkpoint": args.checkpoint,
        kind: count,
        "out": args.out,
    }, f"{count:,} {kind}: {args.out}"


def study(args):
    """Compare networks that differ in one thing, over several seeds."""
    from .. import distributed, studies

    if distributed.launched() > 1:
        raise distributed.refusal(
            "a study runs its networks side by side itself, with --jobs, or --on a cluster; "
            "start it without mpirun"
        )
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
    chosen = _chosen_studies(studies, args)
    given = {key: getattr(args, key) for key in ("seeds", "epochs", "limit", "data")}
    out = args.out or ("runs/studies-quick" if args.quick else "runs/studies")
    typed = "".join(
        f" --{key} {shlex.quote(str(value))}" for key, value in given.items() if value is not None
    )
    command = f"numpycnn study STUDY{' --full' * args.full}{' --quick' * args.quick}{typed}"
    result = studies.run(
        chosen, out, jobs=args.jobs, on=args.on, quick=args.quick, say=say, command=command, **given
    )
    lines = [f"{name:<14} {found['verdict']}" for name, found in result["studies"].items()]
    if result.get("trial"):
        lines.append("A trial: its numbers mean nothing. Without --quick there are verdicts.")
    lines.append(f"Results: {pathlib.Path(result['out'], 'README.md')}")
    if result["failed"]:
        say(f"numpycnn study: {result['failed']} jobs failed; the same command tries them again")
    return result, "\n".join(lines), 1 if result["failed"] else 0


def _chosen_studies(studies, args):
    """{name: Study} in the order of their definitions; with --full in the order of full.NAMES."""
    every = "all" in args.names
    if not args.full:
        return {n: one for n, one in studies.STUDIES.items() if every or n in args.names}
    for name in args.names:
        if name not in studies.full.NAMES and name != "all":
            raise unknown("study with a full length", name, [*studies.full.NAMES, "all"])
    names = [name for name in studies.full.NAMES if every or name in args.names]
    return {name + studies.full.ENDING: studies.full.full(studies.STUDIES[name]) for name in names}


def doctor(args):
    """Show versions, threads, folders, and whether compiled code works."""
    from .doctor import examine

    facts = examine()
    text = "\n".join(f"{name:<14} {value}" for name, value in facts.items())
    return facts, text, 0 if facts["kernels"].startswith("right") else 1
