"""A page of an integer network at work on one image: codes, scales, and a number of each step."""

import io
from html import escape

import numpy as np

from ... import ops
from ...report import grids, html
from ...tables import as_data_url
from .steps import requantize

MAPS = 12
FORMULA = {
    "conv": "sum = b + Σ w x over the patch; code = ⌊(sum q) / 2<sup>s</sup> + zero + ½⌋",
    "dense": "sum = b + Σ w x; code = ⌊(sum q) / 2<sup>s</sup> + zero + ½⌋",
    "head": "logit = b + Σ w Σ<sub>pixels</sub> x: no rounding",
    "add": "code = ⌊(b + Σ q x) / 2<sup>s</sup>⌋",
    "mean": "code = ⌊(b + Σ x) q / 2<sup>s</sup> + zero + ½⌋",
    "max_pool": "the largest code of the window",
    "lookup": "code = table[code]",
    "reshape": "the same codes",
}


def write(path, net, image, title="An integer network", label=None):
    """Write the page of net on a uint8 image (H, W, C) -> {"file", "class", "logits"}."""
    codes = [x[0] for x in net.every(net.pixels(image[None]))]
    logits = codes[-1]
    classes = (getattr(net, "metadata", None) or {}).get("classes")
    names = classes if classes and len(classes) == len(logits) else range(len(logits))
    best = int(logits.argmax())
    share = ops.softmax((logits * net.steps[-1].scale)[None])[0][0, best]
    facts = {"true class": names[label]} if label is not None else {}
    facts |= {
        "bytes of weights": f"{net.weight_bytes():,}",
        "multiply-adds": f"{net.multiply_adds():,}",
    }
    facts |= {"every value": "scale × (code − zero), the code a whole number from 0 to 255"}
    sections = [_step(net, i, codes) for i in range(len(net.steps))]
    rows = [("", (escape(str(name)), f"{v:,}", f"{v * net.steps[-1].scale:.3f}"))
            for name, v in zip(names, logits.tolist(), strict=True)]  # fmt: skip
    sections.append("<h2>Logits</h2>\n" + html.table(("class", "whole number", "real"), rows))
    html.write(
        path, title=title, heading="It answers", score=names[best], detail=f"{share:.1%}",
        facts=facts, sections=sections,
    )  # fmt: skip
    return {"file": str(path), "class": str(names[best]), "logits": logits.tolist()}


def _step(net, i, codes):
    step, y = net.steps[i], codes[i]
    shape = " × ".join(map(str, step.shape))
    says = [FORMULA.get(step.op, "the pixels are the codes")]
    if step.numbers.get("activation"):
        says.append(f"with {step.numbers['activation']}")
    lines = [f"<h2>{escape(step.name)}: {shape}</h2>", f'<p class="soft">{", ".join(says)}</p>']
    if step.op != "head":
        ends = ((y == 0).mean(), (y == 255).mean())
        lines.append(
            f"<p>scale {step.scale:.4g}, zero {step.zero:.4g}; codes {y.min()} to {y.max()}, "
            f"{ends[0]:.0%} of them 0, {ends[1]:.1%} of them 255</p>"
        )
    if step.op in ("conv", "dense", "head"):
        lines.append(f"<pre>{_worked(step, codes[step.inputs[0]], y)}</pre>")
    if y.ndim == 3 and step.op not in ("reshape",):
        lines.append(_maps(y))
    return "\n".join(lines)


def _worked(step, x, y):
    """The largest number of the step, as the sum that made it."""
    place = np.unravel_index(y.argmax(), y.shape)
    w, k = step.arrays["w"].astype(np.int64), place[-1]
    if step.op == "conv":
        (sh, sw), pads = step.numbers["stride"], step.numbers["pads"]
        xpad = np.pad(x, (*pads, (0, 0)), constant_values=step.numbers["outside"])
        i, j = place[0] * sh, place[1] * sw
        x = xpad[i : i + w.shape[0], j : j + w.shape[1]]
    elif step.op == "head":
        x = x.reshape(step.numbers["pixels"], -1).sum(axis=0, dtype=np.int64)
    products = (w[..., k] * x).ravel()
    b = int(step.arrays["b"][k])
    terms = " ".join(f"{v:+,}" for v in products[products != 0][:6].tolist())
    where = f"{step.name}[{', '.join(map(str, place))}]"
    lines = [f"{where}: {b:,} {terms} ... = {b + products.sum():,}   ({products.size} products)"]
    if "q" in step.arrays:
        q, s = int(step.arrays["q"][k]), int(step.arrays["s"][k])
        q = int(step.arrays["slope"][k]) if "slope" in step.arrays and b + products.sum() < 0 else q
        top = len(step.arrays["table"]) - 1 if "table" in step.arrays else 255
        code = int(requantize(b + products.sum(), q, s, step.numbers["offset"], top))
        lines.append(f"× {q:,} / 2^{s} + {step.numbers['offset']} = {code}")
        if "table" in step.arrays:
            lines.append(f"table[{code}] = {step.arrays['table'][code]}")
    return "\n".join(lines)


def _maps(y):
    picture = io.BytesIO()
    grids.write_png(np.moveaxis(y[..., :MAPS], -1, 0)[..., None], picture, MAPS)
    return f'<figure><img src="{as_data_url(picture.getvalue())}" alt="maps"></figure>'
