"""What `numpycnn generate` draws from a checkpoint: samples, walks, interpolations,
reconstructions, maps of codes.
"""

import pathlib

import numpy as np

from ..data.datasets import load_for
from ..errors import unknown
from ..report import grids
from . import latent

COLUMNS = ROWS = 8
FILM_ROWS = 2  # a film of eight has seven megabytes
STEPS = 12  # frames of a walk from one code to the next
STOPS = 6  # codes that a walk goes by
MAPPED = 5000  # test images on a map


def run(net, args):
    """Draw what the arguments of the command line ask for into args.out -> how many images, or
    frames of a film.

    Raises ValueError for what this network cannot do, UnknownNameError for a class that it does not
    know.
    """
    film = pathlib.Path(args.out).suffix.lower() == ".gif"
    if not film and not args.out.lower().endswith(".png"):
        raise ValueError(
            f"--out {args.out}: expected a .png, or with --walk or --interpolate a .gif"
        )
    if not hasattr(net, "decode"):
        raise ValueError(
            f"{args.checkpoint} holds a network that draws nothing; give a vae, gan or autoencoder"
        )
    if args.class_name is not None and (args.map or args.reconstruct):
        raise ValueError(
            "--map and --reconstruct show test images of all classes; leave --class out"
        )
    kinds = {"walk": _walk, "interpolate": _interpolations, "reconstruct": _reconstructions}
    kind = next((name for name in kinds if getattr(args, name)), None)
    if film and kind not in ("walk", "interpolate"):
        raise ValueError(f"--out {args.out}: a .gif needs --walk or --interpolate")
    if args.map:
        return _map(net, args)
    still = args.walk or args.interpolate  # where it is no film, each has a column or a row
    rows = FILM_ROWS if film else 1 if still else ROWS
    args.count = args.count or _columns(net, args) * rows
    frames, columns = kinds[kind](net, args, film) if kind else _samples(net, args)
    if film:
        grids.write_gif(frames, args.out, columns)
        return len(frames)
    grids.write_png(frames[0], args.out, columns)
    return len(frames[0])


def _samples(net, args):
    """Images of codes drawn from N(0, 1)."""
    if _drawn(net):
        labels = _labels(net, args)
        return [latent.draw(net, args.count, np.random.default_rng(args.seed), labels)], _columns(
            net, args
        )
    raise ValueError(
        "an autoencoder's codes have no distribution to draw from; "
        "use --reconstruct or --interpolate"
    )


def _walk(net, args, film):
    """A film of `count` codes that go round by STOPS others; as a still, every half leg a row."""
    if not _drawn(net):
        raise ValueError(
            "a walk needs codes that can be drawn, a vae's or a gan's; use --interpolate"
        )
    places = np.random.default_rng(args.seed).standard_normal(
        (args.count, STOPS, net.latent), np.float32
    )
    paths = [
        np.concatenate([between(place[i - 1], place[i], STEPS + 1)[:-1] for i in range(STOPS)])
        for place in places
    ]
    codes = np.stack(paths, axis=1)  # (frames, count, latent)
    labels = _labels(net, args)
    if film:
        return [net.decode(frame, labels) for frame in codes], _columns(net, args)
    return [
        np.concatenate([net.decode(frame, labels) for frame in codes[:: STEPS // 2]])
    ], args.count


def _interpolations(net, args, film):
    """From one code to another, a row each: of drawn codes on the sphere, of two test images' codes
    in a line.
    """
    if _drawn(net):
        ends, way = (
            np.random.default_rng(args.seed).standard_normal(
                (2 * args.count, net.latent), np.float32
            ),
            between,
        )
    else:
        ends, way = (
            latent.encode(net, latent.evenly(2 * args.count, _test(net, args)[0])),
            np.linspace,
        )
    args.count = len(ends) // 2
    codes = np.stack([way(ends[2 * i], ends[2 * i + 1], COLUMNS) for i in range(args.count)])
    codes = codes.astype(np.float32)  # (count, COLUMNS, D)
    labels = _labels(net, args)
    if film:
        there = [net.decode(np.ascontiguousarray(codes[:, i]), labels) for i in range(COLUMNS)]
        return there + there[-2:0:-1], _columns(net, args)
    labels = None if labels is None else labels.repeat(COLUMNS)
    return [latent.decode(net, codes.reshape(-1, net.latent), labels)], COLUMNS


def _reconstructions(net, args, film):
    """Test images, and under each row what is read back from their codes."""
    x, y, _ = _test(net, args)
    x, labels = latent.evenly(args.count, x), latent.evenly(args.count, y) if net.classes else None
    return [
        grids.beside(x, latent.decode(net, latent.encode(net, x, labels), labels), COLUMNS)
    ], COLUMNS


def _map(net, args):
    """Where test images lie, `count` of them."""
    if net.latent != 2:
        raise ValueError(
            f"a map needs a code of 2 dimensions, this one has {net.latent}; train with --latent 2"
        )
    x, y, classes = _test(net, args)
    x, y = (latent.evenly(args.count or MAPPED, array) for array in (x, y))
    grids.latent_map(latent.encode(net, x, y if net.classes else None), y, classes, args.out)
    return len(x)


def _drawn(net):
    return hasattr(net, "generator") or hasattr(net, "sampling")


def _columns(net, args):
    """Columns of a picture of drawn images: where each class comes in turn, so many that it has its
    own.
    """
    if net.classes and args.class_name is None:
        return net.classes * max(COLUMNS // net.classes, 1)
    return COLUMNS


def _labels(net, args):
    """Labels of args.count images: the class of that name, or each in turn.

    None for a network without classes.
    """
    name = args.class_name
    if not net.classes:
        if name is not None:
            raise ValueError(f"{args.checkpoint} was not trained with classes; leave --class out")
        return None
    if name is None:
        return np.arange(args.count) % net.classes
    classes = net.metadata.get("classes") or range(net.classes)
    known = {str(one): k for k, one in enumerate(classes)}  # EMNIST has A and a
    found = known.get(name, {one.lower(): k for one, k in known.items()}.get(name.lower()))
    if found is None:
        raise unknown("class", name, list(known))
    return np.full(args.count, found)


def _test(net, args):
    """Test images in [0, 1], labels, class names.

    Raises ValueError for a network that cannot encode.
    """
    if not hasattr(net, "encode"):
        raise ValueError(f"{args.checkpoint} has no encoder; this needs a vae or an autoencoder")
    name = args.data or net.metadata.get("data", "fashion-mnist")
    dataset = load_for(net.metadata, name, getattr(net, "input_shape", None) or ())
    return latent.unit(dataset.x_test), dataset.y_test, dataset.classes


def between(first, second, count):
    """Codes (count, D) from one to the other by the great circle, on which they stay as long as a
    Gaussian's are.

    z(t) = (sin((1-t) a) z0 + sin(t a) z1) / sin a, a their angle. Source: Shoemake 1985; White
    2016.
    """
    t = np.linspace(0, 1, count)[:, None]
    lengths = np.linalg.norm(first) * np.linalg.norm(second)
    angle = np.arccos(np.clip(first @ second / max(lengths, 1e-12), -1, 1))
    if np.sin(angle) < 1e-3:
        return ((1 - t) * first + t * second).astype(np.float32)
    return ((np.sin((1 - t) * angle) * first + np.sin(t * angle) * second) / np.sin(angle)).astype(
        np.float32
    )
