"""Where in one array the codes of each step stand: places are used again, as early as they may be.

A step reads its inputs row by row, and its output may run over the rows that it has done with. So
an output may begin `lead` bytes below its input, and no input is kept that nobody reads again.
"""

import math


def place(tensors):
    """-> {key: offset}, the array's size.

    tensors: [(key, size, first, last, lead)] in order of `first`: the bytes are written in step
    `first` and last read in step `last`; lead: {key of an input: bytes that the output must begin
    below it}, for inputs that are read for the last time there. All go to the low and the high end
    in turns, in the smallest array in which that works out.
    """
    least, most, found = 0, sum(size for _, size, *_ in tensors), {}
    while least < most:
        size = (least + most) // 2
        places = _fit(tensors, size, True) or _fit(tensors, size, False)
        if places:
            found, most = places, size
        else:
            least = size + 1
    return found or _fit(tensors, most, True), most


def _fit(tensors, size, low):
    """{key: offset} within size bytes, or None."""
    places, done = {}, []
    for tensor in tensors:
        key, n, first, _, lead = tensor
        live = [(places[other], m, other) for other, m, _, last, _ in done if last >= first]
        ends = [0, size - n]
        for at, m, other in live:
            ends += [at + m, at - n, at - lead.get(other, n)]
        fits = [
            place
            for place in ends
            if 0 <= place <= size - n
            and all(
                place + n <= at or at + m <= place or place + lead.get(other, size + 1) <= at
                for at, m, other in live
            )
        ]
        if not fits:
            return None
        places[key] = min(fits) if low else max(fits)
        done.append(tensor)
        low = not low
    return places


def gap(tensors, places, step, size):
    """The lowest place of `size` bytes that no tensor has in this step."""
    live = sorted((places[k], n) for k, n, first, last, _ in tensors if first <= step <= last)
    start = 0
    for at, n in live:
        if start + size <= at:
            break
        start = max(start, at + n)
    return start


def lead(step, x, pool=1):
    """How far below its input x a step's output must begin, if the input may be overwritten."""
    if step.op in (
        "max_pool",
        "mean",
        "lookup",
        "add",
    ):  # no code is read after its place is written
        return 0
    if step.op != "conv":
        return math.prod(step.shape)
    rows, row, given = step.shape[0] // pool, step.shape[1] // pool * step.shape[2], x.shape
    stride, top = step.numbers["stride"][0] * pool, step.numbers["pads"][0][0]
    done = [max(0, i * stride - top) * given[1] * given[2] for i in range(rows)]  # not read again
    return max(0, *((i + 1) * row - done[i] for i in range(rows)))
