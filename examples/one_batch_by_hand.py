"""One batch, forward and backward, by hand: every shape and every gradient beside its equation.

    python examples/one_batch_by_hand.py

conv -> relu -> max pool -> dense -> softmax cross-entropy, in the paper's notation: s are the last
layer's sums, a the softmax's activations, y the one-hot labels, a_pre the activations before the
last layer. The loss is a mean over the N images, so every gradient carries a 1/N.

The same steps of a trained network, in a browser:
`numpycnn explain pretrained:small-1 fashion-mnist:0`. Of that page #run=use&step=5 is a
convolution, step=24 the loss, step=25 its gradient a - y, step=26 the dense layer's dx (with &of=w
its dw), step=44&of=w a convolution's dw.
"""

import numpy as np

from numpycnn import ops

N, SIZE, FILTERS, CLASSES = 2, 6, 3, 4
KERNEL = 3
STEP = 1e-5
ROWS, COLUMNS = 3, 6  # how much of a gradient is printed
SEED = 0

rng = np.random.default_rng(SEED)


def show(name, array, equation, values=False):
    """One line: what, shape, equation, size.

    And, if asked, the first of the numbers, a channel a column.
    """
    print(f"  {name:<7}{array.shape!s:<15}{equation:<47}norm {np.linalg.norm(array):7.4f}")
    if values:
        rows = array.reshape(-1, array.shape[-1])
        more = "  ..." if rows.shape[1] > COLUMNS else ""
        for row in rows[:ROWS, :COLUMNS]:
            print("         " + "  ".join(f"{v + 0.0: .4f}" for v in row) + more)
        if len(rows) > ROWS:
            print(f"          ... and {len(rows) - ROWS} rows more")


def forward(x, w1, b1, w2, b2, labels):
    """The whole network -> everything that it computed on the way, in order."""
    z, conv_cache = ops.conv2d(x, w1, b1)
    r, relu_cache = ops.relu(z)
    p, pool_cache = ops.max_pool2d(r, 2)
    a_pre = p.reshape(len(p), -1)
    s, dense_cache = ops.dense(a_pre, w2, b2)
    a, _ = ops.softmax(s)
    cost, ds = ops.softmax_cross_entropy(s, labels)
    return (z, r, p, a_pre, s, a, cost, ds), (conv_cache, relu_cache, pool_cache, dense_cache)


# ---- the batch and the parameters -------------------------------------------------------------

features = (SIZE // 2) ** 2 * FILTERS
x = rng.random((N, SIZE, SIZE, 1))
labels = np.array([2, 0])
y = np.eye(CLASSES)[labels]
w1 = rng.standard_normal((KERNEL, KERNEL, 1, FILTERS)) * np.sqrt(2 / KERNEL**2)
b1 = np.zeros(FILTERS)
w2 = rng.standard_normal((features, CLASSES)) * np.sqrt(2 / features)
b2 = np.zeros(CLASSES)

print("The batch and the parameters\n")
show("x", x, "N images, H x W pixels, C channels")
show("y", y, f"one-hot labels of the classes {labels.tolist()}")
show("w1", w1, "kh x kw patches of C channels, F filters")
show("b1", b1, "one a filter")
show("w2", w2, "features D, classes K")
show("b2", b2, "one a class")

# ---- forward ----------------------------------------------------------------------------------

(z, r, p, a_pre, s, a, cost, ds), (conv_cache, relu_cache, pool_cache, dense_cache) = forward(
    x, w1, b1, w2, b2, labels
)

print("\nForward\n")
show("z", z, "z = im2col(x) @ w1 + b1")
show("r", r, "r = max(z, 0)")
show("p", p, "p = max of each 2 x 2 window of r")
show("a_pre", a_pre, "p, an image a row")
show("s", s, "s = a_pre @ w2 + b2", values=True)
show("a", a, "a_k = exp(s_k) / sum_j exp(s_j)", values=True)
print(
    f"\n  C = -1/N sum y log a = {-(y * np.log(a)).sum() / N:.6f}"
    f"      (softmax_cross_entropy: {cost:.6f})"
)

# ---- backward: the same stations, from the last to the first ----------------------------------

da_pre, dw2, db2 = ops.dense_backward(ds, dense_cache)
dp = da_pre.reshape(p.shape)
dr = ops.max_pool2d_backward(dp, pool_cache)
dz = ops.relu_backward(dr, relu_cache)
dx, dw1, db1 = ops.conv2d_backward(dz, conv_cache)

print("\nBackward\n")
show("ds", ds, "dC/ds = (a - y) / N", values=True)
show("dw2", dw2, "dC/dw = a_pre.T @ (a - y) / N", values=True)
show("db2", db2, "dC/db = sum over the batch of (a - y) / N", values=True)
show("da_pre", da_pre, "dC/da_pre = (a - y) / N @ w2.T", values=True)
show("dp", dp, "da_pre in the shape of p", values=True)
show("dr", dr, "dp where r was its window's largest, else 0", values=True)
show("dz", dz, "dr where z > 0, else 0", values=True)
show("dw1", dw1, "dC/dw1 = im2col(x).T @ dz", values=True)
show("db1", db1, "dC/db1 = sum of dz over images and pixels", values=True)
show("dx", dx, "dC/dx = col2im(dz @ w1.T)", values=True)

# ---- is it true? ------------------------------------------------------------------------------

print("\nThe paper's equations, written out, against numpycnn.ops\n")
for name, ours, paper in (
    ("dC/ds", ds, (a - y) / N),
    ("dC/dw", dw2, a_pre.T @ (a - y) / N),
    ("dC/db", db2, (a - y).sum(axis=0) / N),
):
    print(f"  {name:<7}largest difference {np.abs(ours - paper).max():.1e}")

place = (1, 2, 0, 1)
up, down = w1.copy(), w1.copy()
up[place] += STEP
down[place] -= STEP
cost_up, cost_down = (forward(x, w, b1, w2, b2, labels)[0][6] for w in (up, down))
numeric = (cost_up - cost_down) / (2 * STEP)

print(f"\nOne entry through the whole network: dw1[{', '.join(map(str, place))}]\n")
print(f"  backward                         {dw1[place]: .10f}")
print(f"  (C(w + h) - C(w - h)) / 2h       {numeric: .10f}      h = {STEP:g}")
error = abs(dw1[place] - numeric) / max(abs(dw1[place]), abs(numeric))
print(f"  relative error                    {error:.1e}")
