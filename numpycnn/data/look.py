"""The page of a data set, for "is my data right?" before training: look.html and its pictures."""

from html import escape
from pathlib import Path

import numpy as np

from .. import files
from ..errors import RunFolderError
from ..files import shown
from ..report import grids, html
from . import arrays, duplicates
from .rows import pieces

NAMES = {"train": "training", "val": "validation", "test": "test"}
SHOWN = 10  # images of a class in the grid, and groups of duplicates in their picture
MOST_CLASSES = 40  # in pictures
RARE = 0.2  # of the median class's training images
FEW = 50  # training images of a class, below which networks learn little


def folder(out, name):
    """The folder `out` for a look at the data of that name: a new or an empty one, or that of an
    earlier look at them. Raises RunFolderError for any other, OSError.
    """
    out = Path(out)
    if out.is_dir() and any(out.iterdir()) and not _is_look(out, name):
        raise RunFolderError(f"{out} exists and is no look at {name}; choose another --out")
    files.check_folder(out, force=True)
    return out


def _title(name):
    return f"{name.rstrip('/')}: the data"


def _is_look(folder, name):
    """Whether the page of an earlier look at the data of that name is in the folder."""
    page, title = folder / "look.html", f"<title>{escape(_title(name))}</title>"
    return page.is_file() and title.encode("utf-8", "backslashreplace") in page.read_bytes()


def write(folder, dataset):
    """Write look.html, means.png, examples.png and, of duplicates, duplicates.png, .csv -> facts.

    The facts: data, images per part and class, size, exact and near duplicates (groups in all, and
    those across parts), findings (sentences), page. Raises OSError.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    counts = {part: _counts(dataset, part) for part in dataset.parts}
    copies, alike = duplicates.exact(dataset), duplicates.near(dataset)
    known = {frozenset(group) for group in copies}
    alike = [group for group in alike if frozenset(group) not in known]
    found = findings(dataset, counts, copies, alike)
    shown = range(min(len(dataset.classes), MOST_CLASSES))
    grids.write_png(_means(dataset, shown), folder / "means.png")
    grids.write_png(_examples(dataset, shown), folder / "examples.png", SHOWN)
    pictures = _pictures(dataset, shown)
    if copies or alike:
        grids.write_png(_rows(dataset, _across_first(copies + alike)), folder / "duplicates.png", 6)
        duplicates.write_table(folder / "duplicates.csv", dataset, exact=copies, near=alike)
        pictures.append(html.figure(
            "Duplicates", "A row for each group, those across parts first: at most 10 groups, six "
            "images of each. duplicates.csv lists them all.", "duplicates.png", narrow=True,
        ))  # fmt: skip
    elif _is_look(folder, dataset.name):  # whose duplicates are gone
        for name in ("duplicates.png", "duplicates.csv"):
            (folder / name).unlink(missing_ok=True)
    page = _page(folder / "look.html", dataset, counts, found, pictures)
    return {
        "data": dataset.name,
        "images": {part: int(n.sum()) for part, n in counts.items()},
        "classes": {
            name: {part: int(n[k]) for part, n in counts.items()}
            for k, name in enumerate(dataset.classes)
        },
        "size": list(dataset.x_train.shape[1:]),
        "exact_duplicates": _numbers(copies),
        "near_duplicates": _numbers(alike),
        "findings": found,
        "duplicates": str(folder / "duplicates.csv") if copies or alike else None,
        "page": str(page),
    }


def text(facts):
    """The facts for people."""
    images = ", ".join(f"{n:,} {NAMES[part]}" for part, n in facts["images"].items())
    size = "x".join(map(str, facts["size"]))
    lines = [f"{facts['data']}: {images} images of {size}, {len(facts['classes']):,} classes"]
    lines += [f"- {one}" for one in facts["findings"]] or ["- nothing that looks wrong"]
    lines += [f"All duplicates: {facts['duplicates']}"] if facts["duplicates"] else []
    return "\n".join([*lines, f"Page: {facts['page']}"])


def findings(dataset, counts, copies, alike):
    """What may be wrong with the data, as sentences; [] where nothing was found."""
    train, names = counts["train"], dataset.classes
    found = [sentence] if (sentence := arrays.zeros_and_ones(dataset)) else []
    for part, n in counts.items():
        if missing := [names[k] for k in np.flatnonzero(n == 0)]:
            found.append(f"no {NAMES[part]} image has the class {_listed(missing)}")
    few = [k for k in np.flatnonzero(train) if train[k] < FEW]
    if few:
        most = int(train[few].max())
        found.append(
            f"fewer than {FEW} training images ({most} or less): {_listed(names[k] for k in few)}; "
            "expected more, or fine-tune a pretrained network"
        )
    rare = [k for k in np.flatnonzero(train) if train[k] < RARE * np.median(train)]
    if rare:
        found.append(
            f"rare among the training images: {_listed(names[k] for k in rare)}; a network may "
            "never predict them: collect more, or weight classes"
        )
    for groups, kind in ((copies, "the same image"), (alike, "nearly the same image")):
        across = [group for group in groups if len({part for part, _ in group}) > 1]
        if across:
            found.append(
                f"{kind} in two parts, {_times(across)}, such as {_places(dataset, across[0])}: "
                "accuracy on those says too much; take them out of one part"
            )
        labels = [g for g in groups if len({getattr(dataset, f"y_{p}")[i] for p, i in g}) > 1]
        if labels:
            found.append(
                f"{kind} with two labels, {_times(labels)}, such as "
                f"{_places(dataset, labels[0])}: one of them is wrong, or the classes overlap"
            )
        inside = [group for group in groups if len({part for part, _ in group}) == 1]
        if inside:
            found.append(
                f"{kind} twice or more within one part, {_times(inside)}, such as "
                f"{_places(dataset, inside[0])}"
            )
    return found


def _counts(dataset, part):
    return np.bincount(getattr(dataset, f"y_{part}"), minlength=len(dataset.classes))


def _numbers(groups):
    across = sum(len({part for part, _ in group}) > 1 for group in groups)
    return {"groups": len(groups), "across_parts": across}


def _listed(names):
    names = list(names)
    more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return ", ".join(map(str, names[:5])) + more


def _times(groups):
    return "once" if len(groups) == 1 else f"{len(groups):,} times"


def _places(dataset, group):
    return " and ".join(shown(duplicates.place(dataset, *one)) for one in group[:2])


def _means(dataset, classes):
    """The mean training image of each class: (K, H, W, 1 or 3) uint8"""
    sums = np.zeros((len(classes), *dataset.x_train.shape[1:]))
    scale = 1 if dataset.x_train.dtype == np.uint8 else 255
    counts = np.maximum(_counts(dataset, "train")[: len(classes)], 1)
    for i, x in pieces(dataset.x_train):
        y = dataset.y_train[i : i + len(x)]
        for k in np.intersect1d(y, classes):
            sums[k] += x[y == k].sum(axis=0, dtype=np.float64) * scale
    return grids.as_uint8(np.round(sums / counts[:, None, None, None]).astype(np.uint8))


def _examples(dataset, classes):
    """The first images of each class, a row for each; black where there are no more."""
    rows = np.zeros((len(classes), SHOWN, *dataset.x_train.shape[1:]), dataset.x_train.dtype)
    for k in classes:
        first = np.flatnonzero(dataset.y_train == k)[:SHOWN]
        rows[k, : len(first)] = dataset.x_train[first]
    return grids.as_uint8(rows.reshape(-1, *rows.shape[2:]))


def _across_first(groups):
    across = sorted(groups, key=lambda group: len({part for part, _ in group}) == 1)
    return across[:SHOWN]


def _rows(dataset, groups):
    """Six images of each group, a row for each; black where there are fewer."""
    shape = dataset.x_train.shape[1:]
    rows = np.zeros((len(groups), 6, *shape), dataset.x_train.dtype)
    for row, group in zip(rows, groups, strict=True):
        for image, (part, i) in zip(row, group, strict=False):
            image[:] = getattr(dataset, f"x_{part}")[i]
    return grids.as_uint8(rows.reshape(-1, *shape))


def _pictures(dataset, classes):
    names = ", ".join(escape(dataset.classes[k]) for k in classes)
    which = "" if len(classes) == len(dataset.classes) else f"The first {len(classes)} classes. "
    return [
        html.figure(
            "Mean image of each class",
            f"{which}In reading order: {names}. A class whose mean is sharp has images that are "
            "all alike; a bright corner in one of them alone is a mark that gives the class away.",
            "means.png",
            narrow=True,
        ),
        html.figure(
            "Examples",
            f"The first {SHOWN} training images of each class, a row for each, in the same order. "
            "Is each of them what its row says, upright, and of the right colours?",
            "examples.png",
            narrow=True,
        ),
    ]


def _page(path, dataset, counts, found, pictures):
    total = sum(int(n.sum()) for n in counts.values())
    rows = [
        ("low" if counts["train"][k] == 0 else None,
         [escape(name), *(f"{n[k]:,}" for n in counts.values())])
        for k, name in enumerate(dataset.classes)
    ]  # fmt: skip
    heads = ("Class", *(NAMES[part].capitalize() for part in counts))
    items = "".join(f"<li>{escape(one)}</li>\n" for one in found)
    finding = f"<ul>\n{items}</ul>" if found else "Nothing that looks wrong."
    return html.write(
        path,
        title=_title(dataset.name),
        heading="Images",
        score=f"{total:,}",
        detail=f"in {len(dataset.classes):,} classes",
        facts={
            **{NAMES[part].capitalize(): f"{int(n.sum()):,}" for part, n in counts.items()},
            "Image": " x ".join(map(str, dataset.x_train.shape[1:])) + f", {dataset.x_train.dtype}",
            "Mean, deviation": f"{dataset.mean:.4f}, {dataset.std:.4f}",
            "Source": dataset.source,
            "SHA-256": dataset.sha256,
        },
        sections=[
            f'<h2>Findings</h2>\n<div class="finding{"" if found else " sound"}">{finding}</div>',
            *pictures,
            "<h2>Images of each class</h2>\n" + html.table(heads, rows, "classes counts"),
        ],
    )
