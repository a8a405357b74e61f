"""A network in whole numbers: 8-bit weights and activations, 32-bit sums. ../INT8.md derives it.

    net = quantize(load("pretrained:small"), x_train[:500])    # the images tell the ranges
    evaluate(net, x_test, y_test)
    save("small.int8.npz", net)
    net = int8.load("small.int8.npz")

steps.py is the arithmetic, convert.py how a network becomes such steps.
"""

from .convert import prepared, quantize
from .network import Int8Network, checked, load
from .page import write as explain

__all__ = ["Int8Network", "checked", "explain", "load", "prepared", "quantize"]
