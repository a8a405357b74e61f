"""What every op checks of its arguments, and the one form into which it brings them."""

import numpy as np

from ..backend import Cache
from ..errors import ShapeError


def floats(name, array, ndim=None, like=None):
    """`array` as C-contiguous float32 or float64 in native byte order; `like` raises float32 to float64.

    Raises TypeError for anything that is not real floating point, ShapeError for other dimensions.
    """
    array = np.asarray(array)
    if array.dtype.kind != "f":
        hint = "; scale images first (layers.Standardize does)" if array.dtype.kind in "ui" else ""
        raise TypeError(f"{name} must be floating point, not {array.dtype}{hint}")
    if ndim is not None and array.ndim not in (ndim if isinstance(ndim, tuple) else (ndim,)):
        raise ShapeError(f"{name} must have {ndim} dimensions, not the shape {array.shape}")
    dtype = (
        np.float64
        if array.dtype.itemsize >= 8 or (like is not None and like.dtype == np.float64)
        else np.float32
    )
    return np.asarray(array, dtype, order="C")  # ascontiguousarray would make (1,) of ()


def images(x):
    """`x` as a batch of images (N, H, W, C); the error shows how a neighbour's layout is converted."""
    array = np.asarray(x)
    if array.ndim == 3:
        raise ShapeError(
            f"expected images (N, H, W, C), got the 3-D shape {array.shape}; "
            "for grey images add the channel: x[..., None]; for one image add the batch: x[None]"
        )
    return floats("x", array, 4)


def channels(x, expected):
    """Raise ShapeError unless x has `expected` channels in its last axis."""
    if x.shape[-1] != expected:
        layout = " (NHWC)" if x.ndim == 4 else ""
        hint = (
            "; NCHW? convert with x.transpose(0, 2, 3, 1)"
            if x.ndim == 4 and x.shape[1] == expected
            else ""
        )
        raise ShapeError(
            f"expected {expected} channels in the last axis{layout}, got the shape {x.shape}{hint}"
        )


def pair(name, value, least=1):
    """(value, value) for an int, or the pair itself; ShapeError unless both are whole and >= least."""
    pair = tuple(value) if isinstance(value, (tuple, list, np.ndarray)) else (value, value)
    whole = (
        isinstance(v, (int, np.integer)) and not isinstance(v, bool) and v >= least for v in pair
    )
    if len(pair) != 2 or not all(whole):
        raise ShapeError(
            f"{name} must be a whole number of at least {least}, or a pair of them, not {value!r}"
        )
    return int(pair[0]), int(pair[1])


def backward(op, **defaults):
    """The check of a backward pass: a cache of `op`, a dy of the shape that its forward gave; `defaults` are options."""

    def options_of(*given, **named):
        bound = dict(zip(defaults, given, strict=False)) | named
        if (
            len(given) > len(defaults)
            or len(bound) < len(given) + len(named)
            or not bound.keys() <= defaults.keys()
        ):
            raise TypeError(
                f"{op}_backward takes dy, cache{''.join(f', {k}={v}' for k, v in defaults.items())}"
            )
        return {**defaults, **bound}.values()

    def check(dy, cache, *given, **named):
        options = options_of(*given, **named)
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
        return np.asarray(dy, cache.dtype, order="C"), cache, *options

    return check
