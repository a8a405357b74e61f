"""Wrong answers: conv2d_loops, im2col, col2im."""

import numpy as np

from numpycnn import ops

from . import late


@late("conv2d_loops", "the bias is forgotten", "y: the bias b is missing")
def _(x, w, b, stride, pad):
    return ops.conv2d(x, w, None, stride, pad)[0]


@late("conv2d_loops", "the padding is forgotten", "it comes out as if pad were 0")
def _(x, w, b, stride, pad):
    return ops.conv2d(x, w, b, stride, 0)[0]


@late(
    "conv2d_loops",
    "the stride is forgotten in the columns",
    "the stride of the columns is taken as 1",
)
def _(x, w, b, stride, pad):
    return ops.conv2d(x, w, b, (stride, 1), pad)[0]


@late(
    "conv2d_loops",
    "the stride is forgotten where the patch is cut, not in the size",
    "y: the patches begin at i, j, not at i*s, j*s",
)
def _(x, w, b, stride, pad):
    y = ops.conv2d(x, w, b, stride, pad)[0]
    return ops.conv2d(x, w, b, 1, pad)[0][:, : y.shape[1], : y.shape[2]]


@late(
    "conv2d_loops",
    "only the first image",
    "y: it comes out as if y had nothing but its first entry along axis 0",
)
def _(x, w, b, stride, pad):
    y = ops.conv2d(x, w, b, stride, pad)[0]
    y[1:] = 0
    return y


@late(
    "conv2d_loops",
    "the last row and column are left out of the loop",
    "y: it comes out as if y lacked its last entry along axis 1",
)
def _(x, w, b, stride, pad):
    y = ops.conv2d(x, w, b, stride, pad)[0]
    y[:, -1] = 0
    return y


@late("conv2d_loops", "followed by a ReLU", "y: negative values are cut off")
def _(x, w, b, stride, pad):
    return np.maximum(ops.conv2d(x, w, b, stride, pad)[0], 0)


@late(
    "conv2d_loops",
    "the product with the patch is turned into a maximum",
    "y: it comes out as if w were |w|",
)
def _(x, w, b, stride, pad):
    return ops.conv2d(x, np.abs(w), b, stride, pad)[0]


@late(
    "conv2d_loops",
    "the channels are averaged",
    "y: the sum over the patch is too small by the factor C",
)
def _(x, w, b, stride, pad):
    return ops.conv2d(x, w / x.shape[3], b, stride, pad)[0]


@late("conv2d_loops", "padding at the end only", "y: all zeros of the padding stand at the end")
def _(x, w, b, stride, pad):
    return ops.conv2d(x, w, b, stride, ((0, 2 * pad), (0, 2 * pad)))[0]


@late(
    "conv2d_loops", "the image is padded with ones", "y: the padding is made of ones, not of zeros"
)
def _(x, w, b, stride, pad):
    p = ((0, 0), (pad, pad), (pad, pad), (0, 0))
    return ops.conv2d(np.pad(x, p, constant_values=1), w, b, stride, 0)[0]


@late(
    "conv2d_loops",
    "the output has one row and column too few",
    "what is there is right, and the end is missing",
)
def _(x, w, b, stride, pad):
    return ops.conv2d(x, w, b, stride, pad)[0][:, :-1, :-1]


@late(
    "conv2d_loops",
    "only the last kernel row is used",
    "y: it comes out as if w had nothing but its last entry",
)
def _(x, w, b, stride, pad):
    last = np.zeros_like(w)
    last[-1] = w[-1]
    return ops.conv2d(x, last, b, stride, pad)[0]


@late(
    "conv2d_loops",
    "the bias of the first filter for all",
    "y: it comes out as if b had its first entry along axis 0",
)
def _(x, w, b, stride, pad):
    return ops.conv2d(x, w, np.full_like(b, b[0]), stride, pad)[0]


@late("conv2d_loops", "a true convolution, and no bias")
def _(x, w, b, stride, pad):
    return ops.conv2d(x, w[::-1, ::-1].copy(), None, stride, pad)[0]


@late(
    "conv2d_loops",
    "rows and columns of x exchanged where square",
    "y: it comes out as if x had axes 1 and 2 exchanged",
)
def _(x, w, b, stride, pad):
    if x.shape[1] != x.shape[2] or w.shape[0] != w.shape[1]:
        return ops.conv2d(x, w, b, stride, pad)[0]
    return ops.conv2d(x.swapaxes(1, 2).copy(), w, b, stride, pad)[0]


@late(
    "im2col",
    "rows and columns of the output exchanged",
    "rows and columns are exchanged (transposed)",
)
def _(x, kernel_size, stride=1, padding="same"):
    return ops.im2col(x, kernel_size, stride, padding).swapaxes(1, 2)


@late("im2col", "the padding is 1 everywhere", "it comes out as if padding were 1")
def _(x, kernel_size, stride=1, padding="same"):
    return ops.im2col(x, kernel_size, stride, 1)


@late(
    "im2col",
    "the row stride is used for the columns",
    "it comes out as if stride of rows held for the columns too",
)
def _(x, kernel_size, stride=1, padding="same"):
    return ops.im2col(x, kernel_size, stride[0], padding)


@late("im2col", "the padding is forgotten", "it comes out as if padding were 0")
def _(x, kernel_size, stride=1, padding="same"):
    return ops.im2col(x, kernel_size, stride, 0)


@late("im2col", "the patches are given back as a matrix", "it is right in another shape")
def _(x, kernel_size, stride=1, padding="same"):
    cols = ops.im2col(x, kernel_size, stride, padding)
    return cols.reshape(-1, cols.shape[-1])


@late(
    "im2col",
    "the padding of rows and columns exchanged",
    "it comes out as if padding of rows and columns were",
)
def _(x, kernel_size, stride=1, padding="same"):
    return ops.im2col(x, kernel_size, stride, padding[::-1])


@late(
    "im2col",
    "channels first in each row",
    "cols: the channels come first in a row, before its pixels",
)
def _(x, kernel_size, stride=1, padding="same"):
    cols = ops.im2col(x, kernel_size, stride, padding)
    p = cols.reshape(*cols.shape[:3], *kernel_size, x.shape[3])
    return p.transpose(0, 1, 2, 5, 3, 4).reshape(cols.shape)


@late(
    "col2im", "only the first image", "x: it comes out as if cols had nothing but its first entry"
)
def _(cols, shape, kernel_size, stride=1, padding="same"):
    x = ops.col2im(cols, shape, kernel_size, stride, padding).copy()
    x[1:] = 0
    return x


@late("col2im", "the padding is given back too", "it is right once its border is cut off")
def _(cols, shape, kernel_size, stride=1, padding="same"):
    n, h, w, c = shape
    (t, b), (left, r) = padding
    return ops.col2im(cols, (n, h + t + b, w + left + r, c), kernel_size, stride, 0)


@late(
    "col2im",
    "the last patch column is forgotten",
    "x: it comes out as if cols lacked its last entry along axis",
)
def _(cols, shape, kernel_size, stride=1, padding="same"):
    cols = cols.copy()
    cols[:, :, -1] = 0
    return ops.col2im(cols, shape, kernel_size, stride, padding)


@late("col2im", "the mean of the copies", "x: copies of a pixel are averaged, not added")
def _(cols, shape, kernel_size, stride=1, padding="same"):
    x = ops.col2im(cols, shape, kernel_size, stride, padding)
    count = ops.col2im(np.ones_like(cols), shape, kernel_size, stride, padding)
    return x / np.maximum(count, 1)
