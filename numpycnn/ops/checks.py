"""What every op checks of its arguments, and the one form into which it brings them."""

import numpy as np

from ..backend import Cache
from ..errors import ShapeError


def floats(name, array, ndim=None):
    """`array` as C-contiguous float32, or float64 if it has 64 bits, in native byte order.

    `ndim` is the number of dimensions, or a tuple of those allowed. Raises TypeError for anything
    that is not real floating point, ShapeError for other dimensions.
    """
    array = np.asarray(array)
    if array.dtype.kind != "f":
        pixels = array.dtype.kind in "ui"
        hint = "; scale images first (layers.Standardize does)" if pixels else ""
        raise TypeError(f"{name} must be floating point, not {array.dtype}{hint}")
    allowed = ndim if isinstance(ndim, tuple) else (ndim,)
    if ndim is not None and array.ndim not in allowed:
        raise ShapeError(f"{name} must have {ndim} dimensions, not the shape {array.shape}")
    dtype = np.float64 if array.dtype.itemsize >= 8 else np.float32  # float16 becomes float32
    # The same array where nothing has to change: ops do not write to their arguments.
    return np.asarray(array, dtype, order="C")  # ascontiguousarray would make (1,) of ()


def same_dtype(*arrays):
    """The arrays, in float64 if one of them is: what `floats` gave becomes one precision."""
    dtype = np.result_type(*(array.dtype for array in arrays))
    return [array.astype(dtype, copy=False) for array in arrays]


def images(x):
    """`x` as a batch of images (N, H, W, C), by `floats`.

    Raises TypeError, and ShapeError, which shows how another layout is converted.
    """
    array = np.asarray(x)
    if array.ndim == 3:
        raise ShapeError(
            f"expected images (N, H, W, C), got the 3-D shape {array.shape}; "
            "for grey images add the channel: x[..., None]; for one image add the batch: x[None]"
        )
    return floats("x", array, 4)


def channels(x, expected):
    """Raise ShapeError unless x has `expected` channels in its last axis."""
    if x.shape[-1] == expected:
        return
    layout, hint = "", ""
    if x.ndim == 4:
        layout = " (NHWC)"
        if x.shape[1] == expected:  # PyTorch's layout
            hint = "; NCHW? convert with x.transpose(0, 2, 3, 1)"
    raise ShapeError(
        f"expected {expected} channels in the last axis{layout}, got the shape {x.shape}{hint}"
    )


def pair(name, value, least=1):
    """(value, value) for an int, or the pair itself. Raises ShapeError unless integers >= least."""
    pair = tuple(value) if isinstance(value, (tuple, list, np.ndarray)) else (value, value)
    valid = (
        isinstance(v, (int, np.integer)) and not isinstance(v, bool) and v >= least for v in pair
    )
    if len(pair) != 2 or not all(valid):
        raise ShapeError(
            f"{name} must be a whole number of at least {least}, or a pair of them, not {value!r}"
        )
    return int(pair[0]), int(pair[1])


def group_count(groups, channels, what="channels"):
    """`groups` as an int. Raises ShapeError unless it is a whole number that divides `channels`."""
    if not isinstance(groups, (int, np.integer)) or isinstance(groups, bool) or groups < 1:
        raise ShapeError(f"groups must be a whole number of at least 1, not {groups!r}")
    if channels % groups:
        raise ShapeError(f"{channels} {what} cannot be divided into {groups} groups of one size")
    return int(groups)


def backward(op):
    """The check of the backward pass of `op`: its cache, and dy in the shape and dtype of its y.

    It raises ValueError for another cache, ShapeError and TypeError for another dy.
    """

    def check(dy, cache):
        if not isinstance(cache, Cache) or cache.op != op:
            came = f"{cache.op}'s" if isinstance(cache, Cache) else type(cache).__name__
            raise ValueError(f"{op}_backward needs the cache that {op} returned, not {came}")
        dy = np.asarray(dy)
        if dy.shape != cache.shape:
            raise ShapeError(
                f"{op}_backward: dy has the shape {dy.shape}, the forward pass gave {cache.shape}"
            )
        if dy.dtype.kind != "f":
            raise TypeError(f"{op}_backward: dy must be floating point, not {dy.dtype}")
        # Both passes compute in one dtype: that of y.
        return np.asarray(dy, cache.dtype, order="C"), cache

    check.__qualname__ = f"{op}_backward"  # Python's own TypeErrors, as for a wrong option, name it
    return check
