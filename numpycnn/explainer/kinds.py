"""What the page must know of each kind of layer to compute it itself."""

import inspect
import math

import numpy as np

from .. import layers
from ..layers.traverse import named_params

KINDS = (
    layers.AvgPool2D, layers.BatchNorm, layers.Conv2D, layers.ConvTranspose2D, layers.Dense,
    layers.Dropout, layers.ELU, layers.Flatten, layers.GELU, layers.GlobalAvgPool,
    layers.GroupNorm, layers.HardSwish, layers.Identity, layers.LayerNorm, layers.LeakyReLU,
    layers.MaxPool2D, layers.MirrorBatchNorm, layers.MirrorConv2D, layers.MirrorMean, layers.PReLU,
    layers.ReLU, layers.Reshape, layers.Sampling, layers.SiLU, layers.Sigmoid, layers.Standardize,
    layers.Tanh, layers.Upsample2D,
)  # fmt: skip
SOURCE = 6000  # letters of a layer's source text


def kind_of(layer):
    """The library's class whose passes the layer runs, by name; "Own" of everybody else's."""
    for kind in type(layer).__mro__:
        if kind in KINDS:
            same = type(layer).forward is kind.forward and type(layer).backward is kind.backward
            return kind.__name__ if same else "Own"
    return "Own"


def describe(trace, node, layer, x, y, cache):
    """Fill in y, attrs and params of a node, after its forward pass. x, y: the batch's."""
    params = named_params(layer).items()
    node["params"] = {name: trace.store.put(param.value) for name, param in params}
    about = ABOUT.get(node["kind"])
    if about:
        about(trace, node, layer, x, y, cache)
    if node["y"] == -1:
        node["y"] = trace.store.put(y[0])


def gradients(trace, k, layer, x, dy, dx):
    """Fill in dxs and grads of node k, after its backward pass. x, dy, dx: the batch's.

    In training the gradient of a weight is this image's share, by the layer's own passes on it;
    batch norm's is the batch's, as no image has one of its own there.
    """
    node, put = trace.nodes[k], trace.store.put
    came = trace.dy(k, dy)
    rule = BACK.get(node["kind"])
    node["dxs"] = [rule(trace, node, layer, x, dy, dx, came) if rule else put(dx[0])]
    if node.get("frozen"):
        return
    grads = {name: param.grad for name, param in named_params(layer).items()}
    if trace.train and node["kind"] not in ("BatchNorm", "MirrorBatchNorm", "Own") and grads:
        grads = _share(layer, x, dy)
    for name, grad in grads.items():
        if grad is None or name in node["grads"]:
            continue
        if node["kind"] == "Dense" and name == "w":
            sources = trace.y(node["inputs"][0]), came
            node["grads"][name] = trace.store.derive(grad, "outer", sources)
        else:
            node["grads"][name] = put(grad)


def _share(layer, x, dy):
    for param in layer.params():
        param.grad = None
    _, cache = layer.forward(x[:1], False)
    layer.backward(np.ascontiguousarray(dy[:1]), cache)
    return {name: param.grad for name, param in named_params(layer).items()}


# ---- forward: what a kind's sum needs beside x and the parameters --------------------------------


def _conv(trace, node, layer, x, y, cache):
    node["attrs"].update(stride=layer.stride, pads=cache.padding)
    if node["kind"] == "Conv2D":
        node["attrs"].update(dilation=layer.dilation, groups=layer.groups)


def _mirror_conv(trace, node, layer, x, y, cache):
    _conv(trace, node, layer, x, y, cache)
    node["attrs"]["first"] = layer.first


def _pool(trace, node, layer, x, y, cache):
    node["attrs"].update(size=layer.size, stride=layer.stride)
    if node["kind"] == "MaxPool2D":
        source = trace.y(node["inputs"][0])
        node["y"] = trace.store.derive(y[0], "pool", [source], *layer.size, *layer.stride)


def _rows(x, layer):
    """(N, ..., C) as (N, pixels, C); of a mirror norm's pairs the two maps are one channel."""
    return x.reshape(len(x), -1, len(layer.gamma.value))


def _norm(trace, node, layer, x, y, cache):
    x, axes, put = _rows(x, layer), (0, 1), trace.store.put
    mean, var = layer.running_mean, layer.running_var
    node["attrs"].update(train=trace.train, eps=layer.eps, m=int(x.size // x.shape[-1]))
    if trace.train:
        mean = x.mean(axis=axes, dtype=np.float64).astype(np.float32)
        var = x.var(axis=axes, dtype=np.float64).astype(np.float32)
        rest = x[1:].astype(np.float64)
        node["params"].update(
            rest_x=put(rest.sum(axes)),
            rest_v=put(((rest - mean) ** 2).sum(axes)),
            abs_x=put(abs(rest).sum(axes)),
        )
    node["params"].update(mean=put(mean), var=put(var))
    sources = [trace.y(node["inputs"][0])] + [
        node["params"][name] for name in ("mean", "var", "gamma", "beta")
    ]
    node["y"] = trace.store.derive(y[0], "norm", sources, layer.eps)


def _relu(trace, node, layer, x, y, cache):
    node["y"] = trace.store.derive(y[0], "relu", [trace.y(node["inputs"][0])])


def _dropout(trace, node, layer, x, y, cache):
    node["attrs"]["rate"] = layer.rate if trace.train else 0
    mask = np.ones_like(y[0]) if cache.mask is None else cache.mask[0]
    node["params"]["mask"] = trace.store.put(mask)
    sources = trace.y(node["inputs"][0]), node["params"]["mask"]
    node["y"] = trace.store.derive(y[0], "times", sources)


def _standardize(trace, node, layer, x, y, cache):
    unit = 255 if x.dtype == np.uint8 else 1
    node["attrs"].update(mean=layer.mean * unit, std=layer.std * unit, unit=unit)
    numbers = layer.mean * unit, 1 / (layer.std * unit)
    node["y"] = trace.store.derive(y[0], "shift", [trace.y(node["inputs"][0])], *numbers)


def _sampling(trace, node, layer, x, y, cache):
    log_var = np.split(x[0].astype(np.float64), 2)[1]
    node["params"]["e"] = trace.store.put(cache.noise[0] / np.exp(log_var / 2))
    node["attrs"]["train"] = trace.train


def _own(trace, node, layer, x, y, cache):
    try:
        source = inspect.getsource(type(layer))
    except (OSError, TypeError):
        source = ""
    more = "\n..." if len(source) > SOURCE else ""
    node["attrs"]["source"] = source[:SOURCE] + more
    node["attrs"]["doc"] = (inspect.getdoc(layer) or "").split("\n")[0][:200]
    node["attrs"]["gradcheck"] = _verdict(layer, x[: min(len(x), 2)])


def _verdict(layer, x):
    """gradcheck's answer in one line."""
    from ..gradient_check import gradcheck

    try:
        return str(gradcheck(layer, x, raise_error=False, elements=50)).rpartition("\n")[2]
    except Exception as error:  # somebody else's code, which may fail in any way
        return f"not possible: {type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _upsample(trace, node, layer, x, y, cache):
    node["attrs"]["size"] = layer.size
    node["y"] = trace.store.derive(y[0], "repeat", [trace.y(node["inputs"][0])], *layer.size)


def _keep(*names):
    return lambda trace, node, layer, *_: node["attrs"].update(
        {n: getattr(layer, n) for n in names}
    )


ABOUT = {
    "Conv2D": _conv, "ConvTranspose2D": _conv, "MaxPool2D": _pool, "AvgPool2D": _pool,
    "BatchNorm": _norm, "MirrorBatchNorm": _norm, "MirrorConv2D": _mirror_conv, "ReLU": _relu,
    "Dropout": _dropout, "Standardize": _standardize,
    "Sampling": _sampling, "Own": _own, "Upsample2D": _upsample, "ELU": _keep("alpha"),
    "LeakyReLU": _keep("negative_slope"), "LayerNorm": _keep("eps"),
    "GroupNorm": _keep("eps", "groups"),
}  # fmt: skip


# ---- backward: dx, where it follows from what the page has ---------------------------------------


def _relu_dx(trace, node, layer, x, dy, dx, came):
    return trace.store.derive(dx[0], "gate", [came, node["y"]])


def _pool_dx(trace, node, layer, x, dy, dx, came):
    sources = came, trace.y(node["inputs"][0])
    return trace.store.derive(dx[0], "unpool", sources, *layer.size, *layer.stride)


def _dropout_dx(trace, node, layer, x, dy, dx, came):
    return trace.store.derive(dx[0], "times", [came, node["params"]["mask"]])


def _standardize_dx(trace, node, layer, x, dy, dx, came):
    return trace.store.derive(dx[0], "scale", [came], 1 / layer.std)


def _norm_dx(trace, node, layer, x, dy, dx, came):
    p, put, axes = node["params"], trace.store.put, (0, 1)
    if not node["attrs"]["train"]:
        sources = came, p["var"], p["gamma"]
        return trace.store.derive(dx[0], "norm_use_dx", sources, layer.eps)
    mean, var = (trace.store.arrays[p[name]].astype(np.float64) for name in ("mean", "var"))
    x, rest = _rows(x, layer), _rows(dy, layer)[1:].astype(np.float64)
    product = rest * (x[1:] - mean) / np.sqrt(var + layer.eps)
    p.update(
        rest_dy=put(rest.sum(axes)),
        rest_dyx=put(product.sum(axes)),
        abs_dy=put(abs(rest).sum(axes)),  # what rounding can hide
        abs_dyx=put(abs(product).sum(axes)),
    )
    node["grads"] = {name: put(getattr(layer, name).grad) for name in ("gamma", "beta")}
    names = p["mean"], p["var"], p["gamma"], node["grads"]["gamma"], node["grads"]["beta"]
    sources = [came, trace.y(node["inputs"][0]), *names]
    return trace.store.derive(dx[0], "norm_train_dx", sources, layer.eps, node["attrs"]["m"])


BACK = {
    "ReLU": _relu_dx, "MaxPool2D": _pool_dx, "Dropout": _dropout_dx,
    "Standardize": _standardize_dx, "BatchNorm": _norm_dx, "MirrorBatchNorm": _norm_dx,
}  # fmt: skip


def number(value):
    """A float for JSON, which has no NaN and no infinity: then its name."""
    value = float(value)
    return value if math.isfinite(value) else str(value)
