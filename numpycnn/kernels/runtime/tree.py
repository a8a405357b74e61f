"""The sum of parts in the order of whole.tree, within a kernel."""

from .jit import kernel


@kernel
def add_up(values, parts, apart, count):
    """values[:count] becomes the tree of `parts` runs of `count` values, which begin `apart`."""
    step = 1
    while step < parts:
        for part in range(0, parts - step, 2 * step):
            target, source = values[part * apart :], values[(part + step) * apart :]
            for k in range(count):
                target[k] += source[k]
        step *= 2
