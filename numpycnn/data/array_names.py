"""What arrays are by their names: x_train, y_train, train_images, X_test, labels, arr_0."""

import re

from .splits import PARTS, separated

IMAGES = {"x", "images", "image", "imgs", "img", "data", "pixels"}
LABELS = {"y", "labels", "label", "targets", "target"}
CLASSES = {"classes", "class_names", "classnames", "label_names"}
EXPECTED = "x_train, y_train, x_test, y_test, and if you like x_val, y_val, classes"


def keys(names, dimensions):
    """{name: (part, "images" or "labels"), or "classes"} of those that are images or labels.

    dimensions(name): how many an array has, asked for those that say nothing else (arr_0, ...).
    Names without a part are for training. Raises ValueError for what cannot be told apart.
    """
    found = {name: key(name) for name in names}
    found = {name: known for name, known in found.items() if known}
    numbered = sorted(name for name in names if re.fullmatch(r"arr_\d", name))
    if not found and len(numbered) in (2, 4):  # np.savez(file, x_train, y_train, x_test, y_test)
        for what in ("images", "labels"):
            of_kind = [name for name in numbered if (dimensions(name) > 2) == (what == "images")]
            found |= dict(zip(of_kind, (("train", what), ("test", what)), strict=False))
    for known in set(found.values()):
        same = [name for name, one in found.items() if one == known]
        if len(same) > 1:
            raise ValueError(f"both {' and '.join(same)}; expected one of them")
    _check_whole(found, names)
    return found


def key(name):
    """(part, what), "classes", or None for an array of another kind."""
    if name.lower() in CLASSES:
        return "classes"
    words = re.findall(r"[^\W\d_]+", separated(name).lower())
    parts = [PARTS[word] for word in words if word in PARTS]
    rest = {word for word in words if word not in PARTS}
    what = "images" if rest <= IMAGES else "labels" if rest <= LABELS else None
    if len(parts) > 1 or not rest or what is None:
        return None
    return (parts[0] if parts else "train"), what


def _check_whole(found, names):
    parts = {known[0] for known in found.values() if known != "classes"} | {"train"}
    wanted = {(part, what) for part in parts for what in ("images", "labels")}
    missing = sorted(wanted - set(found.values()))
    if missing:
        lacking = " and ".join(f"the {part} {what}" for part, what in missing)
        raise ValueError(
            f"no array with {lacking}; expected {EXPECTED}; it has "
            f"{', '.join(sorted(names)[:8]) or 'none'}"
        )
