"""Distillation: a trained network teaches another one, image by image as they are augmented.

The loss is ops.distillation. That the teacher sees the very batch that its student sees is Beyer et
al. 2022, "Knowledge distillation: a good teacher is patient and consistent".
"""

import numpy as np

from ..errors import ShapeError
from ..layers import Layer
from ..layers.base import fact
from . import checks


def check(teacher, x, classes, names, label_smoothing, class_weight):
    """Raise ValueError, ShapeError, TypeError for a network that cannot teach these images.

    names: of the student's classes, where they are known. What is said of labels has no meaning.
    """
    if not isinstance(teacher, Layer):
        raise TypeError(f"teacher must be a network, not {type(teacher).__name__}: load(path)")
    if label_smoothing or class_weight is not None:
        raise ValueError(
            "label_smoothing and class_weight change what labels say, and a network with a teacher "
            "learns from none: leave them out"
        )
    try:
        first = checks.check_images(teacher, x)[:1]
        taught = checks.count_classes(teacher, first)
    except (ValueError, TypeError) as error:
        raise type(error)(f"teacher: {error}") from None
    if not np.isfinite(teacher.infer(np.array(first))).all():
        raise ValueError("the teacher's answers are not finite: its weights may be damaged")
    if taught != classes:
        raise ShapeError(f"the teacher knows {taught} classes, and net {classes}")
    known = (fact(teacher, "metadata") or {}).get("classes")
    if known and names and list(known) != list(names):
        raise ValueError(f"the teacher's classes are {list(known)}, and the images' {list(names)}")


def check_apart(teacher, net):
    """Raise ValueError where the teacher has parameters that net's training changes."""
    own = {id(param) for param in net.params()}
    if any(id(param) in own for param in teacher.params()):
        raise ValueError(
            "the teacher has parameters of net's, which change as net learns: "
            "give copy.deepcopy(net)"
        )
