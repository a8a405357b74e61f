"""Where a network looks: saliency and Grad-CAM, both gradients of a class's score.

    maps = grad_cam(net, images)             # (N, H, W), >= 0: evidence for the predicted class
    maps = saliency(net, images, classes=6)  # (N, H, W): pixels that change the score of class 6

Both take the network itself, not fuse(net), in whose layers the feature maps do not appear. They
work on a copy: nothing in net changes.
"""

import copy

import numpy as np

from ..errors import ShapeError
from ..layers import Dropout, Identity
from ..layers.traverse import walk, watch
from ..ops.loss import check_labels

UNCHANGED = Identity, Dropout  # layers that are the identity when train=False


def saliency(net, x, classes=None):
    """M[n,i,j] = max_c |dS_k[n] / dx[n,i,j,c]|, with S_k the score (logit) of class k

    x (N, H, W, C), classes (N,) or one for all; None: the predicted class -> (N, H, W) floats.
    Raises ShapeError, TypeError, ValueError for what does not fit. Source: Simonyan et al. 2014,
    (3.1).
    """
    net = copy.deepcopy(net)
    s, cache = net.forward(_batch(x), train=False)  # (N, K)
    dx = net.backward(_one_hot(s, classes), cache)  # (N, H, W, C)
    if dx is None:
        raise ValueError(
            "the network gives no gradient of its input; saliency needs one with input_gradient on"
        )
    return np.abs(dx).max(axis=3)


def grad_cam(net, x, classes=None, layer=None, size=None):
    """alpha[n,c] = 1/(h w) sum_ij dS_k[n] / dA[n,i,j,c]
    L[n,i,j] = max(0, sum_c alpha[n,c] A[n,i,j,c])

    A (N, h, w, C): the output of the layer with the path `layer`; by default that of the last
    convolution, after its batch norm and activation (`stages`). x (N, H, W, C), classes as in
    `saliency` -> (N, H, W) floats: L, in units of the logits, brought to the images' size (or
    `size`) by bilinear interpolation. Raises ShapeError for a network without convolution or a
    layer without feature maps. Source: Selvaraju et al. 2017, (1) and (2).
    """
    net, x = copy.deepcopy(net), _batch(x)
    chosen = stages(net, x[:1])[-1] if layer is None else layer
    a, da = {}, {}

    def on_forward(path, layer, x, y, cache):
        a[path] = y

    def on_backward(path, layer, dy, dx, cache):
        da.setdefault(path, dy)  # of a layer that is called twice, its last call's

    with watch(net, on_forward, on_backward):
        s, cache = net.forward(x, train=False)  # (N, K)
        net.backward(_one_hot(s, classes), cache)
    if chosen not in a or a[chosen].ndim != 4:
        maps = [path for path in a if a[path].ndim == 4]
        raise ShapeError(
            f"Grad-CAM needs a layer with feature maps (N, h, w, C), such as {maps}, not {chosen!r}"
        )
    alpha = da[chosen].mean(axis=(1, 2), keepdims=True)  # (N, 1, 1, C)
    maps = np.maximum((alpha * a[chosen]).sum(axis=3), 0)  # (N, h, w)
    return resize(maps, size or x.shape[1:3])


def stages(net, x):
    """The paths of the layers that end a stage: a convolution and what follows, up to the next one.

    A convolution's batch norm and activation belong to its stage, and a residual sum; it ends where
    height or width change. x: images to try it with, one is enough. Raises ShapeError where there
    is no convolution.
    """
    unfused(net)
    calls, ends, size = [], [], None
    with watch(net, lambda path, layer, x, y, cache: calls.append((path, layer, y.shape))):
        net.forward(x, train=False)
    for path, layer, shape in calls:
        if len(shape) == 4 and _convolves(layer):
            size = shape[1:3]
            ends.append(path)
        elif len(shape) == 4 and shape[1:3] == size and not isinstance(layer, UNCHANGED):
            ends[-1] = path
        elif not isinstance(layer, UNCHANGED):
            size = None
    if not ends:
        raise ShapeError(
            "the network has no convolution, so there are no feature maps for Grad-CAM"
        )
    return ends


def unfused(net):
    """Raises ValueError for a network with fused layers, whose inner layers cannot be watched."""
    if any(layer.opaque for _, layer in walk(net)):
        raise ValueError(
            "look into the network itself, not into fuse(net): a fused layer hides the layers "
            "it is made of"
        )


def resize(maps, size):
    """(N, h, w) -> (N, H, W): bilinear between the centres of the pixels, constant beyond them."""
    rows = _weights(maps.shape[1], size[0], maps.dtype)  # (H, h)
    columns = _weights(maps.shape[2], size[1], maps.dtype)  # (W, w)
    return rows @ maps @ columns.T


def _weights(old, new, dtype):
    """(new, old): the weight of each old pixel in each new one."""
    at = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(old))).astype(dtype)


def _convolves(layer):
    arrays = [param.value for param in layer.params()] + [array for _, array in layer.buffers()]
    return any(array.ndim == 4 for array in arrays)


def _batch(x):
    x = np.asarray(x)
    if x.ndim != 4 or not len(x):
        raise ShapeError(f"images must be (N, H, W, C), at least one, not the shape {x.shape}")
    return x


def _one_hot(s, classes):
    """dS_k/ds: 1 at class k of each row of the logits s (N, K)."""
    if s.ndim != 2:
        raise ShapeError(f"a classifier gives logits (N, K); this network gives {s.shape}")
    if classes is None:
        classes = s.argmax(axis=1)
    elif np.ndim(classes) == 0:
        classes = np.full(len(s), classes)
    ds = np.zeros_like(s)
    ds[np.arange(len(s)), check_labels(classes, *s.shape)] = 1
    return ds
