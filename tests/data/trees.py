"""Folders of pictures and tables that the tests of readers make."""

import struct

import numpy as np
from PIL import Image

SIDE = 6


def picture(path, grey=0, size=(SIDE, SIDE), mode="L"):
    """One colour, at a path whose folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, grey if mode == "L" else (grey,) * len(mode)).save(path)


def folder(root, places, n=4):
    """{"train/cat": 3} or names of folders, with n pictures each: 0.png, 1.png, ..."""
    counts = places if isinstance(places, dict) else dict.fromkeys(places, n)
    for k, (place, count) in enumerate(counts.items()):
        for i in range(count):
            picture(root / place / f"{i}.png", 10 * k + i)
    return root


def idx_bytes(array):
    """An IDX file of uint8."""
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype("u1").tobytes()


def arrays(n, classes=4, side=SIDE, seed=0):
    """x (n, side, side) uint8, y (n,) of every class."""
    x = np.random.default_rng(seed).integers(0, 256, (n, side, side)).astype("u1")
    return x, np.arange(n) % classes
