"""`numpycnn predict`: the class of pictures."""

import os
import pathlib

from .. import files
from ..errors import DatasetError
from .networks import classifier, input_shape
from .output import check_new, say
from .table import as_csv

MANY = 100  # pictures from which a progress bar shows how far it is
SAID = 20  # pictures that cannot be read and are named, where a table names them all
CHUNK = 64  # pictures in memory at a time


def predict(args):
    """Name the class of pictures."""
    paths, show = args.images, args.show
    if show and not paths:  # `predict --show photo.jpg`
        paths, show = [show], ""
    if args.csv:
        check_new("--csv", args.csv, ".csv")
        files.check_writable(pathlib.Path(args.csv).parent, "--csv")
    paths = in_folders(paths)
    if not paths:
        raise ValueError("no IMAGE is given; expected pictures, or folders of pictures")
    places = [None] * len(paths) if show is None else seen_places(show, paths)
    net = classifier(args.checkpoint, args.net)
    results, errors, lines = [], {}, []
    for chunk in chunks(list(zip(paths, places, strict=True)), len(paths) > MANY):
        found, broken, said = answers(net, chunk, alone=len(paths) == 1)
        results, lines = results + found, lines + said
        errors |= broken
    for error in list(errors.values())[: SAID if args.csv else None]:
        say(f"numpycnn predict: {error}")
    if args.csv and len(errors) > SAID:
        say(f"numpycnn predict: {len(errors) - SAID:,} more are named in {args.csv}")
    result = {"predictions": results}
    if errors:
        result["errors"] = [{"image": path, "error": text} for path, text in errors.items()]
    if args.csv:
        pathlib.Path(args.csv).parent.mkdir(parents=True, exist_ok=True)
        files.write(args.csv, as_csv(paths, results, errors, doubt(net)))
        result["csv"] = args.csv
        lines = [summary_line(args.csv, results, errors, net)]
    return result, "\n".join(lines), 3 if errors else 0


def in_folders(paths):
    """The paths, and instead of a folder the pictures in it and below, in order.

    Raises DatasetError for a folder without pictures.
    """
    from ..data import layout
    from ..data.sources import Folder

    found = []
    for path in paths:
        if path.lower().endswith(".npz"):
            raise ValueError(f"{path} is no picture; a network is given as --checkpoint {path}")
        if not os.path.isdir(path):
            found.append(path)
            continue
        source = Folder(path)
        names = [name for name in source.names if layout.is_picture(name)]
        if not names:
            raise DatasetError(f"{path}: no pictures in this folder; expected PNG, JPEG, ...")
        found += [source.where(name) for name in names]
    return found


def chunks(pairs, many):
    """Yields the pairs, CHUNK at a time; where there are many, with a progress bar."""
    from tqdm import tqdm

    with tqdm(
        total=len(pairs), unit=" pictures", leave=False, disable=None if many else True
    ) as bar:
        for i in range(0, len(pairs), CHUNK):
            yield pairs[i : i + CHUNK]
            bar.update(len(pairs[i : i + CHUNK]))


def answers(net, pairs, alone=False):
    """-> the facts on each picture that can be read, {path: error} of the others, lines for people.

    pairs: (path, place of its drawing or None). Raises DatasetError where it stands alone.
    """
    import numpycnn as nc

    from ..inspection import out_of_distribution

    shape = input_shape(net)
    images, errors = read([path for path, _ in pairs], shape, net.metadata, alone)
    good = [(path, place) for path, place in pairs if path in images]
    if not good:
        return [], errors, []
    batch = [images[path] for path, _ in good]
    known = out_of_distribution.in_distribution(net, batch)
    results, lines = [], []
    for (path, place), row, like in zip(good, nc.predict(net, batch), known, strict=True):
        facts, said = described(path, place, row, like, net)
        results.append(facts)
        lines += said
        if place:
            note = f"This {doubt(net)}." if like is False else ""
            draw_seen(path, images[path], facts, note)
            lines.append(f"{path}: what the network saw is in {place}")
    return results, errors, lines


def read(paths, shape, metadata, alone=False):
    """{path: image} of those that can be read, {path: error} of the others.

    metadata: the checkpoint's, which says how pictures were read for training.

    Raises DatasetError where the picture is alone.
    """
    import numpycnn as nc

    images, errors = {}, {}
    for path in paths:
        try:
            images[path] = nc.data.read_for(metadata, path, shape)
        except DatasetError as error:
            if alone:
                raise
            errors[path] = str(error)
    return images, errors


def summary_line(path, results, errors, net):
    """What is said of a table, instead of a line for each picture."""
    from ..data.layout import count

    strange = sum(one["familiar"] is False for one in results)
    parts = [count(len(results))]
    parts += [f"{len(errors):,} more could not be read"] if errors else []
    parts += [f"{strange:,} of them unlike anything in {data(net)}"] if strange else []
    return f"{path}: {', '.join(parts)}"


def described(path, place, row, like, net):
    """The facts on one image for --json, and its lines. row: probabilities (K,)."""
    classes = names(net, len(row))
    best = row.argsort()[::-1][:3]
    facts = {
        "image": path,
        "class": classes[best[0]],
        "probabilities": dict(zip(classes, row.tolist(), strict=True)),
        "familiar": like,
        "shown": place,
    }
    lines = [f"{path}: " + ", ".join(f"{classes[i]} {row[i]:.1%}" for i in best)]
    if like is False:
        lines.append(f"note: {path} {doubt(net)}")
    return facts, lines


def doubt(net):
    """What is said of an image that is out of distribution."""
    return f"looks like nothing in {data(net)}; do not trust this answer"


def data(net):
    """What a network was trained on, as messages name it."""
    return files.shown(net.metadata.get("data", "its data"))


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
