"""`numpycnn predict`: the class of image files."""

import pathlib

from .. import files
from ..errors import DatasetError
from .networks import classifier
from .output import say


def predict(args):
    """Name the class of pictures."""
    import numpycnn as nc

    from ..inspection import out_of_distribution

    paths, show = args.images, args.show
    if show and not paths:  # `predict --show photo.jpg`
        paths, show = [show], ""
    if not paths:
        raise ValueError("no IMAGE is given")
    places = [None] * len(paths) if show is None else seen_places(show, paths)
    net = classifier(args.checkpoint, args.net)
    shape = getattr(net, "input_shape", None) or (28, 28, 1)
    images, errors = read(paths, shape, net.metadata)
    good = [(path, place) for path, place in zip(paths, places, strict=True) if path in images]
    batch = [images[path] for path, _ in good]
    rows = nc.predict(net, batch) if batch else []
    known = out_of_distribution.in_distribution(net, batch) if batch else []
    results, lines = [], []
    for (path, place), row, like in zip(good, rows, known, strict=True):
        facts, said = described(path, place, row, like, net)
        results.append(facts)
        lines += said
        if place:
            note = f"This {doubt(net)}." if like is False else ""
            draw_seen(path, images[path], facts, note)
            lines.append(f"{path}: what the network saw is in {place}")
    result = {"predictions": results}
    if errors:
        result["errors"] = [{"image": path, "error": text} for path, text in errors.items()]
    return result, "\n".join(lines), 3 if errors else 0


def read(paths, shape, metadata):
    """{path: image} of those that can be read, {path: error} of the others, which are said.

    metadata: the checkpoint's, which says how pictures were read for training.

    Raises DatasetError where there is one path only.
    """
    import numpycnn as nc

    images, errors = {}, {}
    for path in paths:
        try:
            images[path] = nc.data.read_for(metadata, path, shape)
        except DatasetError as error:
            if len(paths) == 1:
                raise
            errors[path] = str(error)
            say(f"numpycnn predict: {error}")
    return images, errors


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
    data = net.metadata.get("data", "its data")
    return f"looks like nothing in {data}; do not trust this answer"


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
