"""All exercises, by name, in the order of the course."""

from ..errors import unknown
from . import runs
from .hunts import hunts
from .tasks import (
    adam,
    avg_pool,
    batch_norm,
    batch_norm_backward,
    conv_backward,
    convolution,
    critic,
    dense,
    divergence,
    dropout,
    entropy,
    global_pool,
    init,
    max_pool,
    numerical,
    patches,
    relu,
    residual,
    sampling,
    sgd,
    training,
)

GROUPS = (
    dense,
    relu,
    entropy,
    convolution,
    patches,
    conv_backward,
    max_pool,
    avg_pool,
    global_pool,
    dropout,
    batch_norm,
    batch_norm_backward,
    sgd,
    adam,
    init,
    training,
    residual,
    numerical,
    sampling,
    divergence,
    critic,
)
WRITTEN = {one.name: one for group in GROUPS for one in group.EXERCISES}
ALL = [*sorted(WRITTEN.values(), key=lambda one: one.unit), *hunts(WRITTEN), *runs.EXERCISES]
EXERCISES = {one.name: one for one in ALL}


def find(name):
    """The exercise of that name. Raises UnknownNameError with the nearest ones."""
    if name not in EXERCISES:
        raise unknown("exercise", name, EXERCISES)
    return EXERCISES[name]
