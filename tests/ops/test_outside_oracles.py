"""Against libraries of others: scipy's correlate2d, and torch (forward, autograd, optimisers).

The layers are compared with drawn weights and a drawn upstream gradient; a layer is its op.
"""

import numpy as np
import pytest
from scipy import signal

from numpycnn import layers, ops, optim
from tests import naive

# ---- scipy --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])  # the kernels are of float32
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("kernel", [(3, 3), (1, 5), (5, 3)])
def test_convolution_is_scipys_correlation(each_backend, padding, kernel, dtype):
    rng = np.random.default_rng(21)
    x, w = (
        rng.standard_normal((2, 7, 6, 3)).astype(dtype),
        rng.standard_normal((*kernel, 3, 4)).astype(dtype),
    )
    y, cache = ops.conv2d(x, w, None, 1, padding)
    dy = rng.standard_normal(y.shape).astype(dtype)
    dx, dw, _ = ops.conv2d_backward(dy, cache)
    pad = [(k // 2, k // 2) if padding == "same" else (0, 0) for k in kernel]
    for n in range(2):
        for f in range(4):
            parts = [
                signal.correlate2d(x[n, :, :, c], w[:, :, c, f], mode=padding) for c in range(3)
            ]
            naive.agree(y[n, :, :, f], sum(parts))
        for c in range(3):
            parts = [signal.convolve2d(dy[n, :, :, f], w[:, :, c, f]) for f in range(4)]  # "full"
            (top, _), (left, _) = pad
            naive.agree(dx[n, :, :, c], sum(parts)[top : top + 7, left : left + 6])
    for c in range(3):
        for f in range(4):
            xp = [np.pad(x[n, :, :, c], pad) for n in range(2)]
            parts = [signal.correlate2d(xp[n], dy[n, :, :, f], mode="valid") for n in range(2)]
            naive.agree(dw[:, :, c, f], sum(parts))


# ---- torch: layers ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="torch is not installed: pip install torch")


def nchw(t):
    return t.permute(0, 3, 1, 2)


def nhwc(t):
    return t.permute(0, 2, 3, 1)


def conv(stride, padding):
    return lambda F, x, w, b=None: nhwc(
        F.conv2d(nchw(x), w.permute(3, 2, 0, 1), b, stride, padding)
    )


def conv_transpose(stride, padding):
    return lambda F, x, w, b=None: nhwc(
        F.conv_transpose2d(nchw(x), w.permute(3, 2, 0, 1), b, stride, padding)
    )


def pool(kind, size, stride):
    return lambda F, x: nhwc(getattr(F, f"{kind}_pool2d")(nchw(x), size, stride))


def batch_norm_in_use(F, x, gamma, beta):
    flat = x.reshape(-1, 3)
    running = flat.new_zeros(3), flat.new_ones(3)
    return F.batch_norm(flat, *running, gamma, beta, training=False, eps=1e-5).reshape(x.shape)


def batch_norm_in_training(F, x, gamma, beta):
    return F.batch_norm(x.reshape(-1, 3), None, None, gamma, beta, training=True, eps=1e-5).reshape(
        x.shape
    )


IMAGE, ROWS = (2, 7, 6, 3), (5, 3)
# name: (our layer, the shape of x, torch's version of (functional, x, *parameters), train)
PAIRS = {
    **{
        f"conv {k} stride {s} padding {p}": (
            lambda k=k, s=s, p=p: layers.Conv2D(3, 4, k, s, p),
            IMAGE,
            conv(s, q),
        )
        for k, s, p, q in [
            (3, 1, "same", "same"),
            ((2, 4), 1, "same", "same"),
            (3, 1, "valid", 0),
            (1, 2, 0, 0),
            ((5, 2), (1, 2), (2, 1), (2, 1)),
            (3, (3, 2), 1, 1),
            (4, 3, 2, 2),
        ]
    },
    "conv without bias": (lambda: layers.Conv2D(3, 4, 3, bias=False), IMAGE, conv(1, 1)),
    **{
        f"conv_transpose {k} stride {s} padding {p}": (
            lambda k=k, s=s, p=p: layers.ConvTranspose2D(3, 4, k, s, p),
            IMAGE,
            conv_transpose(s, q),
        )
        for k, s, p, q in [
            (3, 1, "same", 1),
            (4, 2, "same", 1),
            (2, 2, "valid", 0),
            ((5, 3), (2, 3), (1, 0), (1, 0)),
            (1, 2, 0, 0),
            (3, 2, 1, 1),
        ]
    },
    "conv_transpose without bias": (
        lambda: layers.ConvTranspose2D(3, 4, 2, 2, bias=False),
        IMAGE,
        conv_transpose(2, 0),
    ),
    **{
        f"{kind} pool {size} stride {stride}": (
            lambda layer=layer, size=size, stride=stride: layer(size, stride),
            IMAGE,
            pool(kind, size, stride),
        )
        for kind, layer in (("max", layers.MaxPool2D), ("avg", layers.AvgPool2D))
        for size, stride in [(2, None), (3, 1), (3, 2), ((2, 3), (3, 1)), (1, 2)]
    },
    "global pool": (
        layers.GlobalAvgPool,
        IMAGE,
        lambda F, x: F.adaptive_avg_pool2d(nchw(x), 1)[:, :, 0, 0],
    ),
    "dense": (lambda: layers.Dense(3, 4), ROWS, lambda F, x, w, b: F.linear(x, w.T, b)),
    "dense without bias": (
        lambda: layers.Dense(3, 4, bias=False),
        ROWS,
        lambda F, x, w: F.linear(x, w.T),
    ),
    "relu": (layers.ReLU, IMAGE, lambda F, x: F.relu(x)),
    "leaky relu": (lambda: layers.LeakyReLU(0.2), IMAGE, lambda F, x: F.leaky_relu(x, 0.2)),
    "leaky relu by default": (layers.LeakyReLU, IMAGE, lambda F, x: F.leaky_relu(x)),
    "prelu": (lambda: layers.PReLU(3), IMAGE, lambda F, x, a: nhwc(F.prelu(nchw(x), a))),
    "prelu of rows": (lambda: layers.PReLU(3), ROWS, lambda F, x, a: F.prelu(x, a)),
    "prelu with one slope": (lambda: layers.PReLU(1), IMAGE, lambda F, x, a: F.prelu(x, a)),
    "elu": (lambda: layers.ELU(0.6), IMAGE, lambda F, x: F.elu(x, 0.6)),
    "elu by default": (layers.ELU, IMAGE, lambda F, x: F.elu(x)),
    "sigmoid": (layers.Sigmoid, IMAGE, lambda F, x: x.sigmoid()),
    "tanh": (layers.Tanh, IMAGE, lambda F, x: x.tanh()),
    "silu": (layers.SiLU, IMAGE, lambda F, x: F.silu(x)),
    "gelu": (layers.GELU, IMAGE, lambda F, x: F.gelu(x)),
    "hard swish": (layers.HardSwish, IMAGE, lambda F, x: F.hardswish(x)),
    "layer norm": (lambda: layers.LayerNorm(3), IMAGE, lambda F, x, *p: F.layer_norm(x, (3,), *p)),
    "layer norm of rows": (
        lambda: layers.LayerNorm(3, eps=0.1),
        ROWS,
        lambda F, x, *p: F.layer_norm(x, (3,), *p, eps=0.1),
    ),
    **{
        f"group norm {groups}": (
            lambda groups=groups: layers.GroupNorm(groups, 6),
            (2, 5, 4, 6),
            lambda F, x, *p, groups=groups: nhwc(F.group_norm(nchw(x), groups, *p)),
        )
        for groups in (1, 2, 6)
    },
    "group norm of rows": (
        lambda: layers.GroupNorm(2, 6, eps=0.1),
        (4, 6),
        lambda F, x, *p: F.group_norm(x, 2, *p, eps=0.1),
    ),
    "squeeze-and-excite": (
        lambda: layers.SqueezeExcite(6, 3),
        (2, 5, 4, 6),
        lambda F, x, w, b, v, c: (
            x * ((x.mean((1, 2)) @ w + b).relu() @ v + c).sigmoid()[:, None, None]
        ),
    ),
    "batch norm in use": (lambda: layers.BatchNorm(3), IMAGE, batch_norm_in_use),
    "batch norm in training": (lambda: layers.BatchNorm(3), IMAGE, batch_norm_in_training, True),
    "batch norm of rows in training": (
        lambda: layers.BatchNorm(3),
        ROWS,
        batch_norm_in_training,
        True,
    ),
    "dropout in use": (
        lambda: layers.Dropout(0.5),
        IMAGE,
        lambda F, x: F.dropout(x, 0.5, training=False),
    ),
    "flatten": (layers.Flatten, IMAGE, lambda F, x: x.flatten(1)),
    "reshape": (lambda: layers.Reshape(3, -1, 2), IMAGE, lambda F, x: x.reshape(2, 3, -1, 2)),
    "standardize": (lambda: layers.Standardize(0.3, 0.4), IMAGE, lambda F, x: (x - 0.3) / 0.4),
    "residual": (
        lambda: layers.Add(layers.Identity(), layers.Tanh()),
        IMAGE,
        lambda F, x: x + x.tanh(),
    ),
    "dense block": (
        lambda: layers.Concat(layers.Identity(), layers.Dense(3, 2), layers.Tanh()),
        ROWS,
        lambda F, x, w, b: F.pad(x, (0, 5)) + F.pad(x @ w + b, (3, 3)) + F.pad(x.tanh(), (5, 0)),
    ),
    "a chain": (
        lambda: layers.Sequential(
            layers.Conv2D(3, 4, 3),
            layers.ReLU(),
            layers.MaxPool2D(),
            layers.Flatten(),
            layers.Dense(36, 2),
        ),
        IMAGE,
        lambda F, x, w, b, v, c: (
            pool("max", 2, 2)(F, conv(1, 1)(F, x, w, b).relu()).flatten(1) @ v + c
        ),
    ),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])  # the kernels are of float32
@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_layer_is_torchs(torch, each_backend, name, dtype):
    """Theirs in float64, of the same numbers."""
    make, shape, theirs, *train = PAIRS[name]
    layer, rng = make(), np.random.default_rng(22)
    x = rng.standard_normal(shape).astype(dtype)
    for param in layer.params():
        param.value = rng.standard_normal(param.value.shape).astype(dtype)
    y, cache = layer.forward(x, *train)
    dy = rng.standard_normal(y.shape).astype(dtype)
    dx = layer.backward(dy, cache)

    leaves = [
        torch.tensor(a.astype(float), requires_grad=True)
        for a in (x, *(p.value for p in layer.params()))
    ]
    wanted = theirs(torch.nn.functional, *leaves)
    wanted.backward(torch.tensor(dy.astype(float)))
    naive.agree(y, wanted.detach().numpy())
    for got, leaf in zip((dx, *(p.grad for p in layer.params())), leaves, strict=True):
        naive.agree(got, leaf.grad.numpy())


def test_running_statistics_are_torchs_but_for_two_conventions(torch, each_backend):
    """Their momentum is 1 - ours; their running variance is unbiased: M / (M - 1) times ours."""
    rng = np.random.default_rng(23)
    layer, theirs = layers.BatchNorm(3, momentum=0.8), torch.nn.BatchNorm1d(3, momentum=0.2)
    layer.running_var[...] = 0
    theirs.running_var.zero_()
    for _ in range(3):
        x = (rng.standard_normal((10, 3)) * [1, 2, 3] + [3, 2, 1]).astype(np.float32)
        layer.forward(x, train=True)
        theirs(torch.tensor(x))
    naive.agree(layer.running_mean, theirs.running_mean.numpy())
    naive.agree(layer.running_var * np.float32(10 / 9), theirs.running_var.numpy())
    theirs.running_var *= 9 / 10
    theirs.eval()
    naive.agree(layer.infer(x), theirs(torch.tensor(x)).detach().numpy())


# ---- torch: softmax and losses ------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 4), (2, 3, 4)])
def test_softmax_is_torchs(torch, each_backend, shape):
    rng = np.random.default_rng(24)
    x, dy = rng.standard_normal((2, *shape))
    y, cache = ops.softmax(x)
    leaf = torch.tensor(x, requires_grad=True)
    wanted = leaf.softmax(-1)
    wanted.backward(torch.tensor(dy))
    naive.agree(y, wanted.detach().numpy())
    naive.agree(ops.softmax_backward(dy, cache), leaf.grad.numpy())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weight", [None, [0.5, 2.0, 0.0, 1.0]])
def test_cross_entropy_is_torchs(torch, dtype, smoothing, weight):
    rng = np.random.default_rng(25)
    s, labels = rng.standard_normal((6, 4)).astype(dtype), rng.integers(0, 4, 6)
    loss, ds = ops.softmax_cross_entropy(s, labels, smoothing, weight)
    leaf = torch.tensor(s, requires_grad=True)
    weight = None if weight is None else torch.tensor(weight, dtype=leaf.dtype)
    wanted = torch.nn.functional.cross_entropy(
        leaf, torch.tensor(labels), weight, label_smoothing=smoothing
    )
    wanted.backward()
    assert loss == pytest.approx(wanted.item(), rel=1e-5 if dtype == np.float32 else 1e-12)
    naive.agree(ds, leaf.grad.numpy())


@pytest.mark.parametrize(
    ("name", "theirs"),
    [("bce_with_logits", "binary_cross_entropy_with_logits"), ("mse", "mse_loss")],
)
def test_loss_is_torchs(torch, name, theirs):
    rng = np.random.default_rng(26)
    y, t = rng.standard_normal((4, 5)), rng.uniform(0, 1, (4, 5))
    loss, dy = getattr(ops, name)(y, t)
    leaf = torch.tensor(y, requires_grad=True)
    wanted = getattr(torch.nn.functional, theirs)(leaf, torch.tensor(t))
    wanted.backward()
    assert loss == pytest.approx(wanted.item(), rel=1e-12)
    naive.agree(dy, leaf.grad.numpy())


@pytest.mark.parametrize("temperature", [1, 4])
def test_distillation_is_torchs(torch, temperature):
    s, t = np.random.default_rng(28).standard_normal((2, 6, 4))
    loss, ds = ops.distillation(s, t, temperature)
    leaf = torch.tensor(s, requires_grad=True)
    p, q = (torch.log_softmax(logits / temperature, 1) for logits in (leaf, torch.tensor(t)))
    kl = torch.nn.functional.kl_div(p, q, log_target=True, reduction="batchmean")
    wanted = temperature**2 * kl
    wanted.backward()
    assert loss == pytest.approx(wanted.item(), rel=1e-12)
    naive.agree(ds, leaf.grad.numpy())


def test_gaussian_kl_is_torchs(torch):
    mean, log_var = np.random.default_rng(27).standard_normal((2, 4, 3))
    loss, gradients = ops.gaussian_kl(mean, log_var)
    m, v = (torch.tensor(a, requires_grad=True) for a in (mean, log_var))
    normal = torch.distributions.Normal
    wanted = torch.distributions.kl_divergence(normal(m, (v / 2).exp()), normal(0.0, 1.0)).sum() / 4
    wanted.backward()
    assert loss == pytest.approx(wanted.item(), rel=1e-12)
    for got, leaf in zip(gradients, (m, v), strict=True):
        naive.agree(got, leaf.grad.numpy())


# ---- torch: optimisers --------------------------------------------------------------------------

OPTIMISERS = {
    "SGD": {"lr": 0.1},
    "SGD momentum": {"lr": 0.05, "momentum": 0.9},
    "SGD nesterov decay": {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1},
    "SGD decay": {"lr": 0.1, "weight_decay": 0.2},
    "Adam": {"lr": 0.01},
    "Adam decay": {"lr": 0.02, "betas": (0.8, 0.99), "eps": 1e-3, "weight_decay": 0.3},
    "AdamW": {"lr": 0.01},
    "AdamW decay": {"lr": 0.02, "betas": (0.7, 0.9), "weight_decay": 0.5},
}


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_optimiser_is_torchs(torch, each_backend, name, dtype):
    """Six steps with drawn gradients; weights decay; the vector, in its own torch group, not."""
    rng, arguments, kind = np.random.default_rng(28), OPTIMISERS[name], name.split()[0]
    ours = [
        layers.Param(n, rng.standard_normal(s).astype(dtype))
        for n, s in (("w", (3, 5)), ("b", (5,)))
    ]
    w, b = (torch.tensor(p.value.copy(), requires_grad=True) for p in ours)
    decay = arguments.get("weight_decay", 0.01 if kind == "AdamW" else 0)
    theirs = getattr(torch.optim, kind)(
        [{"params": [w], "weight_decay": decay}, {"params": [b], "weight_decay": 0.0}],
        **{k: v for k, v in arguments.items() if k != "weight_decay"},
    )
    renamed = dict(arguments)
    if "betas" in renamed:
        renamed["beta1"], renamed["beta2"] = renamed.pop("betas")
    optimiser = getattr(optim, kind)(ours, **renamed)
    for _ in range(6):
        for param, leaf in zip(ours, (w, b), strict=True):
            param.grad = rng.standard_normal(param.value.shape).astype(dtype)
            leaf.grad = torch.tensor(param.grad)
        optimiser.step()
        theirs.step()
    for param, leaf in zip(ours, (w, b), strict=True):
        naive.agree(param.value, leaf.detach().numpy())
