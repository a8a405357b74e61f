"""Arguments of realistic shapes for every op: those of the two networks at batch 32."""

import functools

import numpy as np

BATCH = 32
# H, C, F, kernel size: of VGG, then of AlexNet, then what draws an image at the end of a decoder
CONVOLUTIONS = [
    (28, 1, 32, 3), (28, 32, 32, 3), (14, 32, 64, 3), (14, 64, 64, 3), (7, 64, 92, 3),
    (7, 92, 92, 3), (28, 1, 32, 5), (14, 32, 64, 5), (28, 32, 1, 3),
]  # fmt: skip
IMAGES = [(28, 28, 32), (14, 14, 64), (7, 7, 92)]


def cases():
    """{op: [(shape, make)]}: make() gives a function that runs the op on ready arguments."""
    from numpycnn import ops
    from numpycnn.ops import fused, update

    rng = np.random.default_rng(0)

    def draw(*shape):
        return rng.standard_normal(shape, dtype=np.float32)

    found = {}

    def add(module, op, shape, *args, **options):  # options of the backward pass
        forward, back = getattr(module, op), getattr(module, f"{op}_backward", None)
        found.setdefault(op, []).append((shape, lambda: lambda: forward(*args)))
        if back:

            def make():
                y, cache = forward(*args)
                dy = draw(*y.shape)
                return lambda: back(dy, cache, **options)

            found.setdefault(f"{op}_backward", []).append((shape, make))

    for h, c, f, k in CONVOLUTIONS:
        x, w, b = draw(BATCH, h, h, c), draw(k, k, c, f) / 10, draw(f)
        first = {"input_gradient": c > 1}  # fit saves the input gradient of the first layer
        add(ops, "conv2d", f"{BATCH}x{h}x{h}, {c} -> {f}, {k}x{k}", x, w, b, **first)
        if k == 3:
            zero, one = np.zeros(f, np.float32), np.ones(f, np.float32)
            norm = fused.Norm(one, draw(f), zero, one)
            pool = 2 if h > 7 and c == f else 1
            shape = f"{BATCH}x{h}x{h}, {c} -> {f}" + (", pool 2" if pool > 1 else "")
            how = 1, "same", 0.9, 1e-5, pool
            add(fused, "conv_bn_relu", shape, x, w, b, norm, True, *how, **first)
            infer = functools.partial(fused.conv_bn_relu_infer, x, w, b, norm, pool=pool)
            found["conv_bn_relu"].append((f"{shape}, inference", lambda infer=infer: infer))
    for h, w, c in IMAGES:
        x = draw(BATCH, h, w, c)
        for k, stride, dilation in ((3, 1, 1), (5, 2, 1), (3, 1, 2)):
            place = stride, "same", dilation
            how = f"{k}x{k}, stride {stride}, dilation {dilation}"
            weights = draw(k, k, 1, c)
            add(ops, "conv2d", f"{BATCH}x{h}x{w}x{c}, depthwise {how}", x, weights, None, *place, c)
        weights = draw(3, 3, c, c) / 10
        add(ops, "conv2d", f"{BATCH}x{h}x{w}x{c}, 3x3, dilation 2", x, weights, None, 1, "same", 2)
        x, shape = draw(BATCH, h, w, c), f"{BATCH}x{h}x{w}x{c}"
        norm = np.ones(c, np.float32), draw(c), np.zeros(c, np.float32), np.ones(c, np.float32)
        add(ops, "batch_norm", shape, x, *norm, True)
        add(ops, "dropout", shape, x, 0.1, rng)
        add(ops, "global_avg_pool", shape, x)
        for op in ("max_pool2d", "avg_pool2d"):
            add(ops, op, shape, x, 2)
        add(ops, "layer_norm", shape, x, *norm[:2])
        add(ops, "group_norm", shape, x, *norm[:2], 4)
        for op in ("relu", "leaky_relu", "elu", "sigmoid", "tanh", "silu", "gelu", "hard_swish"):
            add(ops, op, shape, x)
        add(ops, "prelu", shape, x, np.full(c, 0.25, np.float32))
    add(ops, "softmax", "10000x10", draw(10000, 10))
    for n in (BATCH, 128):
        add(ops, "dense", f"{n}x3136 -> 256", draw(n, 3136), draw(3136, 256) / 50, draw(256))
    x, w = draw(BATCH, 14, 14, 64), draw(3, 3, 32, 64)
    add(ops, "conv_transpose2d", f"{BATCH}x14x14, 64 -> 32, stride 2", x, w, None, 2)
    for shape in ((3, 3, 92, 92), (3136, 256)):
        value, grad, m, v = draw(*shape), draw(*shape), draw(*shape), np.abs(draw(*shape))
        add(
            update,
            "adam_update",
            str(shape),
            value,
            grad,
            m,
            v,
            5,
            1e-3,
            0.9,
            0.999,
            1e-8,
            0.0,
            False,
        )
        add(update, "sgd_update", str(shape), value.copy(), grad, m.copy(), 1e-3, 0.9, False, 0.0)
    return found
