"""Every channel of an image times a number of its own: the last step of squeeze-and-excite."""

from ..backend import Cache, op
from ..errors import ShapeError
from .checks import backward, floats, images, same_dtype


def _check_channel_scale(x, s):
    x, s = same_dtype(images(x), floats("s", s, ndim=2))
    if s.shape != (len(x), x.shape[3]):
        raise ShapeError(
            f"channel_scale: s must have one value a channel of each image, "
            f"{(len(x), x.shape[3])} for x {x.shape}, not the shape {s.shape}"
        )
    return x, s


@op(_check_channel_scale)
def channel_scale(x, s):
    """y[n,i,j,c] = x[n,i,j,c] * s[n,c]

    x (N, H, W, C), s (N, C) -> y (N, H, W, C). Raises ShapeError, TypeError.
    Source: Hu et al. 2018, (4): F_scale.
    """
    y = x * s[:, None, None, :]
    return y, Cache("channel_scale", y, x=x, s=s)


@op(backward("channel_scale"))
def channel_scale_backward(dy, cache):
    """dx[n,i,j,c] = dy[n,i,j,c] * s[n,c]      ds[n,c] = sum_{i,j} dy[n,i,j,c] * x[n,i,j,c]

    dy (N, H, W, C) -> dx (N, H, W, C), ds (N, C).
    Steps: DERIVATIONS.md, "Squeeze-and-excite".
    """
    x, s = cache
    return dy * s[:, None, None, :], (dy * x).sum(axis=(1, 2))
