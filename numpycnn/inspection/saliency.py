"""Where a network looks: saliency and Grad-CAM, each the chain rule run once more, down to the image or a layer.

    maps = grad_cam(net, images)             # (N, H, W), at least 0: what speaks for the class that net names
    maps = saliency(net, images, classes=6)  # (N, H, W): the pixels that move the score of class 6 most

Both take the network itself, not fuse(net), in whose layers the feature maps do not appear. They work on a copy:
nothing in net changes.
"""

import copy

import numpy as np

from ..errors import ShapeError
from ..layers import Dropout, Identity
from ..layers.traverse import walk, watch
from ..ops.loss import check_labels

UNCHANGED = Identity, Dropout  # layers that hand on what they get, when a network is used


def saliency(net, x, classes=None):
    """M[n,i,j] = max_c |dS_k[n] / dx[n,i,j,c]|      S_k: the score (logit) of class k, before the softmax

    x (N, H, W, C), classes (N,) or one for all; None: the class that net names -> (N, H, W) floating point.
    Raises ShapeError, TypeError, ValueError for what does not fit. Source: Simonyan et al. 2014, (3.1).
    """
    net = copy.deepcopy(net)
    s, cache = net.forward(_batch(x), train=False)
    dx = net.backward(_one_hot(s, classes), cache)
    if dx is None:
        raise ValueError(
            "the network gives no gradient of its input; saliency needs it with input_gradient on"
        )
    return np.abs(dx).max(axis=3)


def grad_cam(net, x, classes=None, layer=None, size=None):
    """alpha[n,c] = 1/(h w) sum_ij dS_k[n] / dA[n,i,j,c]      L[n,i,j] = max(0, sum_c alpha[n,c] A[n,i,j,c])

    A (N, h, w, C): the output of the layer with the path `layer`; by default what the last convolution gives after
    its batch norm and activation (`stages`). x (N, H, W, C), classes as in `saliency` -> (N, H, W) floating point:
    L, in units of the logits, brought to the images' size (or `size`) by bilinear interpolation.
    Raises ShapeError for a network without convolution or a layer without feature maps. Source: Selvaraju et al.
    2017, (1) and (2).
    """
    net, x = copy.deepcopy(net), _batch(x)
    chosen = stages(net, x[:1])[-1] if layer is None else layer
    a, da = {}, {}
    with watch(
        net,
        lambda path, _, x, y, cache: a.update({path: y}),
        lambda path, _, dy, *__: da.setdefault(path, dy),
    ):
        s, cache = net.forward(x, train=False)
        net.backward(_one_hot(s, classes), cache)
    if chosen not in a or a[chosen].ndim != 4:
        maps = [path for path in a if a[path].ndim == 4]
        raise ShapeError(
            f"Grad-CAM needs a layer with feature maps (N, h, w, C), such as {maps}, not {chosen!r}"
        )
    alpha = da[chosen].mean(axis=(1, 2), keepdims=True)
    return resize(np.maximum((alpha * a[chosen]).sum(axis=3), 0), size or x.shape[1:3])


def stages(net, x):
    """The paths of the layers that end a stage: each convolution, with what follows it up to the next one or a pool.

    A convolution's batch norm and activation belong to it, and what a sum makes of it; it ends where
    height or width change. x: images to try it with, one is enough. Raises ShapeError where there is no convolution.
    """
    unfused(net)
    calls, ends, place = [], [], None
    with watch(net, lambda path, layer, x, y, cache: calls.append((path, layer, y.shape))):
        net.forward(x, train=False)
    for path, layer, shape in calls:
        if len(shape) == 4 and _convolves(layer):
            place = shape[1:3]
            ends.append(path)
        elif len(shape) == 4 and shape[1:3] == place and not isinstance(layer, UNCHANGED):
            ends[-1] = path
        elif not isinstance(layer, UNCHANGED):
            place = None
    if not ends:
        raise ShapeError(
            "the network has no convolution, so there are no feature maps for Grad-CAM"
        )
    return ends


def unfused(net):
    """Raises ValueError for a network with fused layers: what happens inside them cannot be seen."""
    if any(layer.opaque for _, layer in walk(net)):
        raise ValueError(
            "look into the network itself, not into fuse(net): a fused layer hides the layers it is made of"
        )


def resize(maps, size):
    """(N, h, w) -> (N, H, W) by bilinear interpolation between the centres of the pixels, beyond them constant."""
    rows, columns = (
        _weights(old, new, maps.dtype) for old, new in zip(maps.shape[1:], size, strict=True)
    )
    return rows @ maps @ columns.T


def _weights(old, new, dtype):
    """(new, old): how much of each old pixel makes each new one."""
    at = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(old))).astype(dtype)


def _convolves(layer):
    return any(
        a.ndim == 4 for a in [*(p.value for p in layer.params()), *(b for _, b in layer.buffers())]
    )


def _batch(x):
    x = np.asarray(x)
    if x.ndim != 4 or not len(x):
        raise ShapeError(f"images must be (N, H, W, C), at least one, not the shape {x.shape}")
    return x


def _one_hot(s, classes):
    """dS_k/ds: 1 at class k of each row of the logits s (N, K)."""
    if s.ndim != 2:
        raise ShapeError(f"a classifier gives logits (N, K); this network gives {s.shape}")
    classes = (
        s.argmax(axis=1)
        if classes is None
        else np.full(len(s), classes)
        if np.ndim(classes) == 0
        else classes
    )
    ds = np.zeros_like(s)
    ds[np.arange(len(s)), check_labels(classes, *s.shape)] = 1
    return ds
