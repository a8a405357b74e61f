"""Ten kinds of garment, drawn by formulas: the data set of a machine without network or data.

A picture is a function of the plane, evaluated at every pixel of n images at once: (u, v) runs from
-1 to 1, u to the right, v down, and every image has its own scale, turn and shift, lengths, shades
and fabric, all drawn from one generator. A silhouette is a signed distance d(u, v), positive
inside.
"""

from itertools import pairwise

import numpy as np

CLASSES = tuple("T-shirt Trouser Pullover Dress Coat Sandal Shirt Sneaker Bag".split()) + (
    "Ankle boot",
)
SIZE = 28
PIXEL = np.float32(2 / SIZE)


def make(n, seed):
    """-> images (n, 28, 28, 1) uint8, labels (n,) int64.

    As many of each class as n allows, in random order.

    seed: an int, or a numpy SeedSequence. The same n and seed give the same bits.
    """
    if n < 1:
        raise ValueError(f"synthetic: n is {n}; expected at least 1")
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % len(CLASSES))
    images = np.empty((n, SIZE, SIZE, 1), np.uint8)
    for label, draw in enumerate(DRAWERS):
        places = np.flatnonzero(labels == label)
        for i in range(0, len(places), 256):  # small enough to stay in the processor's cache
            chunk = places[i : i + 256]
            images[chunk, ..., 0] = _photograph(draw, len(chunk), rng)
    return images, labels


def _photograph(draw, n, rng):
    """n pictures by one drawer, with fabric, light and noise -> (n, 28, 28) uint8"""

    def r(low, high):  # one number an image
        return rng.uniform(low, high, (n, 1, 1)).astype(np.float32)

    u, v = _plane(r)
    shade = r(0.35, 1.0)
    picture = draw(u, v, r, shade)
    picture *= _fabric(u, v, r)
    picture *= 1 + r(-0.25, 0.25) * u + r(-0.25, 0.25) * v  # light from one side
    noise = rng.standard_normal(picture.shape, dtype=np.float32)
    picture += noise * (r(0.0, 0.06) + r(0.02, 0.18) * picture)
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def _plane(r):
    """The coordinates (u, v) of all pixels, in every image scaled, turned, sheared and shifted a
    little.
    """
    x = (np.arange(SIZE, dtype=np.float32) + 0.5) * PIXEL - 1
    y = x[:, None] - r(-0.12, 0.12)
    x = x - r(-0.12, 0.12)
    cos, sin = _direction(r(-0.1, 0.1))
    u, v = x * cos + y * sin, y * cos - x * sin
    return (u + r(-0.12, 0.12) * v) * r(0.95, 1.35), v * r(0.97, 1.25)


def _fabric(u, v, r):
    """Plain, or stripes of any direction and width: 1 + a wave(k . (u, v) + phase).

    The wave is made of parabolas, 16 w (1/2 - |w|) in each period -1/2 < w < 1/2; it looks like a
    sine.
    """
    amplitude = r(-0.35, 0.3).clip(0)
    cos, sin = _direction(r(-1, 1))
    w = r(1, 3.5) * (u * cos + v * sin) + r(0, 1)
    w -= np.rint(w)
    return 1 + amplitude * (16 * w * (0.5 - np.abs(w)))


def _direction(t):
    """cos a, sin a, where t = tan(a / 2): np.cos itself has other last bits on other processors."""
    return (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)


def _profile(t, *points):
    """Piecewise linear through (t0, a), (t1, b), ...: a + sum of (b - a) clip((t - t0) / (t1 - t0),
    0, 1)
    """
    value = points[0][1]
    for (t0, a), (t1, b) in pairwise(points):
        value = value + (b - a) * np.clip((t - t0) / (t1 - t0), 0, 1)
    return value


def _stick(u, v, x0, y0, x1, y1, r0, r1):
    """Distance inside a stick from (x0, y0), of radius r0, to (x1, y1), of radius r1."""
    dx, dy = x1 - x0, y1 - y0
    along = np.clip(((u - x0) * dx + (v - y0) * dy) / (dx * dx + dy * dy), 0, 1)
    return r0 + (r1 - r0) * along - _length(u - x0 - along * dx, v - y0 - along * dy)


def _ellipse(u, v, x, y, a, b):
    return (1 - _length((u - x) / a, (v - y) / b)) * np.minimum(a, b)


def _length(x, y):
    return np.sqrt(x * x + y * y)


def _both(*distances):
    """The intersection of silhouettes."""
    least = distances[0]
    for d in distances[1:]:
        least = np.minimum(least, d)
    return least


def _paint(picture, d, shade):
    """Covers the silhouette d > 0 by a shade; its edge is one pixel soft."""
    picture += np.clip(d / PIXEL + 0.5, 0, 1) * (shade - picture)


def _tops(u, v, r, shade, bottom, sleeve, hem, neck):
    """Body and sleeves.

    Lower end, length of the sleeve, half width of the hem, depth of the neck.
    """
    picture, side = np.zeros_like(u), np.abs(u)
    shoulder, (cos, sin) = r(0.42, 0.54), _direction(r(0.06, 0.31))
    x, y = shoulder - 0.12, np.float32(-0.5)
    cuff = r(0.1, 0.15)
    end = x + sleeve * sin, y + sleeve * cos
    _paint(picture, _stick(side, v, x, y, *end, r(0.17, 0.22), cuff), shade * r(0.7, 0.95))
    width = _profile(
        v, (-0.75, shoulder * 0.5), (-0.6, shoulder), (-0.1, shoulder * r(0.85, 1)), (0.8, hem)
    )
    _paint(picture, _both(width - side, v + 0.75, bottom - v), shade)
    _paint(picture, _ellipse(u, v, 0, -0.78, r(0.15, 0.24), neck), 0)
    return picture


def _t_shirt(u, v, r, shade):
    picture = _tops(u, v, r, shade, r(0.6, 0.85), r(0.22, 0.62), r(0.4, 0.55), r(0.08, 0.25))
    logo = _both(r(0.05, 0.25) - np.abs(u), r(0.03, 0.2) - np.abs(v + r(0.0, 0.25)))
    _paint(
        picture, logo + (r(-1, 1) > 0) * -9, np.clip(shade * r(0.4, 1.6), 0, 1)
    )  # half of them have none
    return picture


def _pullover(u, v, r, shade):
    bottom = r(0.62, 0.9)
    picture = _tops(u, v, r, shade, bottom, r(0.7, 1.25), r(0.4, 0.52), r(0.08, 0.22))
    rib = (v > bottom - r(0.08, 0.16)) * (np.abs(u) < 0.6)
    return picture * (1 - rib * r(0.0, 0.35))


def _dress(u, v, r, shade):
    picture, side = np.zeros_like(u), np.abs(u)
    chest, waist = r(0.24, 0.38), r(0.18, 0.3)
    sleeve = r(-0.25, 0.4)
    _paint(
        picture,
        _stick(side, v, chest - 0.1, -0.6, chest + sleeve * 0.5, sleeve - 0.5, 0.13, 0.09)
        - (sleeve < 0) * 9,
        shade * 0.85,
    )
    width = _profile(
        v, (-0.85, chest * 0.7), (-0.6, chest), (r(-0.2, 0.05), waist), (0.9, r(0.32, 0.65))
    )
    _paint(picture, _both(width - side, v + 0.85, r(0.75, 0.95) - v), shade)
    _paint(picture, _ellipse(u, v, 0, -0.9, r(0.12, 0.2), r(0.15, 0.4)), 0)
    return picture


def _coat(u, v, r, shade):
    picture = _tops(u, v, r, shade, r(0.72, 0.98), r(0.85, 1.25), r(0.42, 0.62), r(0.05, 0.18))
    opening = _profile(
        v, (-0.8, r(0.08, 0.2)), (r(-0.3, 0.1), r(0.0, 0.03)), (0.95, r(0.0, 0.12))
    ) - np.abs(u)
    _paint(picture, _both(opening, picture - 0.05), shade * r(0.2, 1.0))
    return picture


def _shirt(u, v, r, shade):
    picture = _tops(u, v, r, shade, r(0.65, 0.92), r(0.25, 1.25), r(0.4, 0.55), r(0.08, 0.2))
    dark = shade * r(0.5, 1.0)
    _paint(
        picture, _both(r(0.01, 0.03) - np.abs(u), 0.9 - v, picture - 0.05), dark
    )  # the button band
    collar = _stick(np.abs(u), v, 0.05, -0.55, r(0.17, 0.24), -0.75, 0.05, 0.06)
    _paint(picture, collar, np.clip(shade * r(0.9, 1.5), 0, 1))
    return picture


def _trouser(u, v, r, shade):
    picture, side = np.zeros_like(u), np.abs(u)
    waist, spread = r(0.24, 0.36), r(0.02, 0.16)
    crotch, leg = r(-0.5, -0.2), r(0.12, 0.24)
    inner = _profile(v, (crotch, -0.05), (crotch + 0.12, 0.02), (0.9, spread))
    outer = _profile(v, (-0.9, waist), (-0.45, waist + 0.06), (0.9, spread + leg))
    _paint(picture, _both(outer - side, side - inner, v + 0.9, r(0.75, 0.95) - v), shade)
    return picture * (1 - (v < r(-0.82, -0.72)) * r(0.0, 0.4))  # the waistband


def _bag(u, v, r, shade):
    picture = np.zeros_like(u)
    top, bottom, width = r(-0.35, 0.05), r(0.5, 0.8), r(0.5, 0.82)
    a, b = width * r(0.4, 0.8), r(0.25, 0.65)
    ring = r(0.04, 0.09) - np.abs(_ellipse(u, v, 0, top, a, b))
    _paint(picture, _both(ring, top + 0.05 - v), shade * r(0.5, 1))
    wide = _profile(v, (top, width * r(0.75, 1.1)), (bottom, width))
    _paint(picture, _both(wide - np.abs(u), v - top, bottom - v), shade)
    flap = r(0.05, 0.35)
    _paint(picture, _both(wide - np.abs(u), 0.025 - np.abs(v - top - flap)), shade * r(0.4, 0.8))
    return picture


def _shoe(u, v, r, toe, throat, ankle):
    """Toe to the left -> the upper's distance, the sole's.

    Heights of toe and ankle, start of the shaft.
    """
    front, back = r(-0.9, -0.75), r(0.65, 0.8)
    rise = r(0.35, 0.5) - v  # height over the ground
    height = _profile(
        u,
        (front, 0.1),
        (front + 0.22, toe),
        (throat - 0.25, toe + 0.1),
        (throat + 0.1, ankle),
        (back, ankle * r(0.85, 1.05)),
    )
    upper = _both(height - rise, u - front, back + 0.05 * rise - u, rise)
    sole = _both(u - front + 0.04, back + 0.05 - u, r(0.08, 0.15) - rise, rise + 0.05)
    return upper, sole


def _mirrored(u, r):
    """Half of the shoes point to the left, half to the right."""
    return u * np.where(r(-1, 1) > 0, 1, -1).astype(np.float32)


def _sneaker(u, v, r, shade):
    u, picture = _mirrored(u, r), np.zeros_like(u)
    throat = r(-0.05, 0.2)
    upper, sole = _shoe(u, v, r, r(0.25, 0.38), throat, r(0.52, 0.92))
    _paint(picture, upper, shade)
    lean, other = u - throat + r(0.5, 0.8) * v, np.abs(shade - r(0.4, 0.8))
    for i in range(3):  # laces: short stripes under the upper's edge
        _paint(picture, _both(0.035 - np.abs(lean + 0.17 * i), upper - 0.02, 0.24 - upper), other)
    _paint(picture, sole, r(0.3, 1))
    return picture


def _ankle_boot(u, v, r, shade):
    u, picture = _mirrored(u, r), np.zeros_like(u)
    upper, sole = _shoe(u, v, r, r(0.25, 0.38), r(0.0, 0.25), r(0.75, 1.2))
    _paint(picture, upper, shade)
    _paint(picture, sole, shade * r(0.4, 1.1))
    _paint(picture, _both(sole + 0.08, u - r(0.3, 0.5)), shade * r(0.4, 0.8))  # the heel
    return picture


def _sandal(u, v, r, shade):
    u, picture = _mirrored(u, r), np.zeros_like(u)
    upper, sole = _shoe(u, v, r, r(0.25, 0.4), r(0.0, 0.3), r(0.5, 0.8))
    slant, wide = r(-0.5, 0.7), r(0.05, 0.09)
    for x in (
        r(-0.6, -0.45),
        r(-0.25, 0.0),
        r(0.1, 0.3),
        r(0.55, 0.7),
    ):  # straps, with air between them
        _paint(picture, _both(upper, wide - np.abs(u - x + slant * (v - 0.2))), shade)
    _paint(
        picture,
        _both(upper, wide * 1.4 - upper, np.abs(u - r(-0.3, -0.1)) - 0.25),
        shade * r(0.7, 1),
    )
    _paint(picture, sole, shade * r(0.5, 1))
    return picture


DRAWERS = (
    _t_shirt,
    _trouser,
    _pullover,
    _dress,
    _coat,
    _sandal,
    _shirt,
    _sneaker,
    _bag,
    _ankle_boot,
)
