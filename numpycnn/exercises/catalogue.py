"""All exercises, by name, in the order of the course."""

from ..errors import unknown
from .tasks import conv, dense, loss, norm, pool

GROUPS = (dense, loss, conv, pool, norm)
EXERCISES = {one.name: one for group in GROUPS for one in group.EXERCISES}


def find(name):
    """The exercise of that name. Raises UnknownNameError with the nearest ones."""
    if name not in EXERCISES:
        raise unknown("exercise", name, EXERCISES)
    return EXERCISES[name]
