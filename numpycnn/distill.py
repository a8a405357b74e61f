"""Distillation: a network learns what others make of an image, beside its label.

    teachers = Teachers([load("a.npz"), load("b.npz")])
    fit(net, x, y, teachers=teachers, ...)
"""

import zlib

import numpy as np

from . import ops
from .layers.fused import fuse


class Teachers:
    """Networks whose mean prediction a student is taught, of each batch as it was augmented.

    q = mean_t softmax(s_t(x))      C = (1 - share) C_labels + share * (- sum_k q_k log a_k)

    Raises ValueError for no networks and for a share outside (0, 1]. Source: Hinton et al. 2015, section 2, at
    temperature 1: teachers that learned smoothed labels are soft by themselves.
    """

    def __init__(self, nets, share=0.9):
        self.nets, self.share = [fuse(net) for net in nets], float(share)
        if not self.nets or not 0 < share <= 1:
            raise ValueError(f"Teachers needs networks and a share in (0, 1], not {len(self.nets)} and {share!r}")

    def predict(self, x):
        """q (N, K) of images x (N, H, W, C)."""
        return np.mean([ops.softmax(net.infer(x))[0] for net in self.nets], axis=0)

    def beside(self, loss):
        """A loss (logits, labels, x) -> (C, dC/ds), of `loss`, which has the labels' part."""

        def both(logits, labels, x):
            (hard, dhard), (soft, dsoft) = loss(logits, labels, x), ops.soft_cross_entropy(logits, self.predict(x))
            keep = dhard.dtype.type(1 - self.share)
            return (1 - self.share) * hard + self.share * soft, keep * dhard + (1 - keep) * dsoft

        return both

    @property
    def facts(self):
        """What a run that is resumed compares: how many, their share, the checksum of their weights."""
        crc = 0
        for net in self.nets:
            for param in net.params():
                crc = zlib.crc32(np.ascontiguousarray(param.value), crc)
        return {"networks": len(self.nets), "share": self.share, "crc32": crc}
