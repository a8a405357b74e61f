"""Ten bug hunts: the library's own function with a fault planted in it, to be found and mended.

A fault is a piece of the source and what stands in its place; the seed draws which one it is, and
what the local variables are called. A test proves that each piece is there exactly once.
"""

import dataclasses
import io
import tokenize
import zlib

from . import cut

FAULTS = {
    "dense_backward": [
        ("x.T @ dy", "x.T @ dy / len(x)"),
        ("dy.sum(axis=0)", "dy.mean(axis=0)"),
        ("dy @ w.T", "dy @ w.T / w.shape[1]"),
    ],
    "softmax_cross_entropy": [
        ("np.exp(s).sum(axis=1, keepdims=True)", "np.exp(s).sum(axis=0, keepdims=True)"),
        ("y.sum(axis=1, keepdims=True) - y) / total", "y.sum(axis=1, keepdims=True) - y)"),
        ("s = s - s.max(axis=1, keepdims=True)", "s = s - s.max()"),
    ],
    "dropout": [
        ("keep = bits >=", "keep = bits <"),
        ("(1 / (1 - rate))", "(1 / rate)"),
        ("if train and rate > 0:", "if rate > 0:"),
        ("keep * x.dtype.type(1 / (1 - rate))", "keep * x.dtype.type(1)"),
    ],
    "conv2d_backward": [
        ("dcols = dy @ w.reshape", "dcols = dy @ w[::-1, ::-1].reshape"),
        ("channel_product(cols, dy)", "channel_product(cols, dy) / len(dy)"),
        ("channel_sum(dy)", "channel_sum(dy[:1])"),
    ],
    "col2im": [
        ("sw * ow : sw] += patches", "sw * ow : sw] = patches"),
        ("xpad[:, top : top + h, left : left + w]", "xpad[:, :h, :w]"),
        (
            "cols.reshape(n, oh, ow, kh, kw, c)",
            "cols.reshape(n, oh, ow, c, kh, kw).transpose(0, 1, 2, 4, 5, 3)",
        ),
    ],
    "max_pool2d_backward": [
        ("dx[:, rows, columns] +=", "dx[:, rows, columns] ="),
        ("winner == place", "winner >= place"),
        ("np.where(winner == place, dy, 0)", "dy"),
    ],
    "batch_norm": [
        ("x.var(axis=axes, dtype=np.float64)", "x.var(axis=axes, dtype=np.float64, ddof=1)"),
        ("running_var += (1 - momentum)", "running_var += momentum"),
        ("axes = tuple(range(x.ndim - 1))", "axes = 0"),
        ("1 / np.sqrt(var + x.dtype.type(eps))", "1 / (np.sqrt(var) + x.dtype.type(eps))"),
    ],
    "batch_norm_backward": [
        ("dy - dbeta / m - xhat", "dy - xhat"),
        ("- xhat * (dgamma / m)", "+ xhat * (dgamma / m)"),
        ("dy.size // dy.shape[-1]", "len(dy)"),
        ("gamma * inv_std * dx", "inv_std * dx"),
        ("    if train:", "    if True:"),
    ],
    "adam_update": [
        ("lr / (1 - beta1**t)", "lr"),
        ("(np.sqrt(v_hat) + kind(eps))", "np.sqrt(v_hat + kind(eps))"),
        ("m += kind(1 - beta1)", "m += kind(beta1)"),
        ("(g * g - v)", "(np.abs(g) - v)"),
    ],
    "train_epoch": [
        ("        optimizer.zero_grad()\n", ""),
        ("train=True)", "train=False)"),
        (
            "        net.backward(dlogits, cache)\n        optimizer.step()",
            "        optimizer.step()\n        net.backward(dlogits, cache)",
        ),
        ("net.backward(dlogits, cache)", "net.backward(dlogits / len(x), cache)"),
    ],
}
NAMES = {  # what a local variable may be called, drawn as well
    "dcols": ("dpatches", "dcolumns"),
    "axes": ("others", "over"),
    "inv_std": ("scale", "one_over_std"),
    "v_hat": ("v_corrected", "second"),
    "lr_t": ("rate", "lr_now"),
    "share": ("part", "portion"),
    "bits": ("draw", "drawn"),
    "keep": ("stays", "kept"),
    "dx": ("dx", "grad_x"),
    "log_a": ("log_softmax", "log_p"),
    "losses": ("history", "values"),
}


def hunts(exercises):
    """The ten hunts, made of the exercises of the same functions."""
    return [_hunt(i, exercises[name], faults) for i, (name, faults) in enumerate(FAULTS.items(), 1)]


def _hunt(number, base, faults):
    name = f"hunt_{number}"
    return dataclasses.replace(
        base,
        name=name,
        title=f"a fault in {base.place[1]}, to be found and mended",
        unit=7,
        text=lambda seed: _page(name, base, faults, seed),
    )


def planted(base, faults, seed):
    """The function with one fault in its body, and its own names."""
    draw = zlib.crc32(f"{base.name} {seed}".encode())
    old, new = faults[draw % len(faults)]
    head, body = parted(base)
    return renamed(head + body.replace(old, new), draw // len(faults))


def parted(base):
    """(the function's head with its docstring, its body)."""
    text = cut.function(base.place[:2], decorated=False)
    head = "\n".join(cut.parts(base.place[:2])[0])
    body = text.removeprefix(head)
    kept = [
        one for one in body.splitlines(True) if not one.strip().startswith((cut.BEGIN, cut.END))
    ]
    return head, "".join(kept)


def renamed(text, draw):
    """The function with other names for some of its local variables."""
    chosen = {old: new[draw % len(new)] for old, new in NAMES.items()}
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    lines, places, depth = text.splitlines(), [], 0
    for i, token in enumerate(tokens[:-1]):
        depth += (
            (token.string in "([{") - (token.string in ")]}") if token.type == tokenize.OP else 0
        )
        keyword = depth and tokens[i + 1].string == "="  # or an argument of the function itself
        if token.string in chosen and tokens[i - 1].string != "." and not keyword:
            places.append(token)
    for token in reversed(places):
        row, column = token.start
        line = lines[row - 1]
        lines[row - 1] = line[:column] + chosen[token.string] + line[column + len(token.string) :]
    return "\n".join(lines)


def _page(name, base, faults, seed):
    text = planted(base, faults, seed)
    head = [
        f"# numpycnn exercise: {name}{f', drawn for {seed}' if seed else ''}",
        f'"""A fault was planted in {base.place[1]}. Find it, and mend it in this file.',
        "",
        f"Everything else is as in numpycnn/{base.place[0]}, but for names of local variables.",
        f"The check tells the symptom:  numpycnn exercise check {name}.py",
        f"Stuck?                        numpycnn exercise hint {name}.py",
        '"""',
        "",
        "import numpy as np",
        "",
        "from numpycnn import ops",
    ]
    return "\n".join([*head, *cut.imports(text, base.place), "", "", text, ""])
