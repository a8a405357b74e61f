"""Runs a network's own layers, one by one, and notes what goes in and out of each, both ways.

A network becomes a list of nodes in the order of the forward pass. A node says where its inputs
come from (numbers of earlier nodes), and names its arrays in a Store:

    y        what it gave, of the first image of the batch
    dxs      the gradient that it gave back to each of its inputs, of that image
    params   its parameters, and what else its sum needs; grads: their gradients

dy is not noted: it is the dx of the node that took y. Where a value goes two ways stands a node of
its own, Fork, whose gradient is the sum of what comes back.
"""

import numpy as np

from ..layers import (
    Add,
    Concat,
    ConvBNReLU,
    Frozen,
    MaxPool2D,
    ReLU,
    Sequential,
    SqueezeExcite,
)
from ..layers.base import pair_of
from ..layers.traverse import named_params, preserve_gradients
from ..models.autoencoder import Autoencoder
from ..models.vae import VAE
from ..ops import channel_scale, channel_scale_backward
from .kinds import describe, gradients, kind_of


class Trace:
    """The nodes of one run: `train` or in use."""

    def __init__(self, store, train):
        self.store, self.train, self.nodes = store, train, []
        self.uses = []  # (parameter, the number of a node that has it, its name there)
        # of a VAE: (the node of its statistics, the statistics, takes their gradient)
        self.kl = None

    def node(self, kind, name, path, inputs, y, **more):
        """Add a node -> its number. y: an array of the batch, or a number of the store."""
        y = y if isinstance(y, int) else self.store.put(y[0])
        own = {"kind": kind, "name": name, "path": path, "inputs": inputs, "y": y}
        self.nodes.append({**own, "dxs": [], "attrs": {}, "params": {}, "grads": {}, **more})
        return len(self.nodes) - 1

    def y(self, k):
        """The first image's y of node k, as the store has it."""
        return self.nodes[k]["y"]

    def run(self, layer, x, came, path=""):
        """Forward through `layer` -> y, the node that y comes from, backward: dy -> dx."""
        if type(layer).forward is Frozen.forward:
            return self._run_frozen(layer, x, came, path)
        if isinstance(layer, VAE):
            return self._run_vae(layer, x, came, path)
        if type(layer) in (Add, Concat):
            return self._run_branches(layer, x, came, path)
        if type(layer) is SqueezeExcite:
            return self._run_squeeze_excite(layer, x, came, path)
        chain = _chain(layer)
        if chain is not None:
            return self._run_chain(chain, x, came, path)
        return self._run_leaf(layer, x, came, path)

    def _run_chain(self, chain, x, came, path):
        backs = []
        for name, child in chain:
            x, came, back = self.run(child, x, came, f"{path}.{name}".lstrip("."))
            backs.append(back)

        def backward(dy):
            for back in reversed(backs):
                dy = back(dy)
            return dy

        return x, came, backward

    def _run_leaf(self, layer, x, came, path):
        y, cache = pair_of(layer, layer.forward(x, self.train))
        kind = kind_of(layer)
        k = self.node(kind, type(layer).__name__, path, [came], -1)
        node = self.nodes[k]
        describe(self, node, layer, x, y, cache)
        self.uses += [(param, k, name) for name, param in named_params(layer).items()]

        def backward(dy):
            dy = np.ascontiguousarray(dy)
            with preserve_gradients(layer):
                for param in layer.params():
                    param.grad = None
                dx = layer.backward(dy, cache)
                gradients(self, k, layer, x, dy, dx)
            return dx

        return y, k, backward

    def _run_frozen(self, layer, x, came, path):
        train, first, self.train = self.train, len(self.nodes), False
        y, end, back = self.run(layer.layer, x, came, f"{path}.layer".lstrip("."))
        self.train = train
        for node in self.nodes[first:]:
            node["frozen"] = True
        return y, end, back

    def note_shared(self):
        """Note at each node which parameters are used elsewhere too: {name: all its places}."""
        for param, k, name in self.uses:
            places = [[at, called] for one, at, called in self.uses if one is param]
            if len(places) > 1:
                self.nodes[k].setdefault("shared", {})[name] = places

    def fork(self, came, path, into):
        """A node from which several ways go -> its number, and what adds up their gradients."""
        k = self.node("Fork", f"split before {into}", path, [came], self.y(came))

        def backward(dxs):
            users = [(n, s) for n in self.nodes for s, i in enumerate(n["inputs"]) if i == k]
            sources = [n["dxs"][s] for n, s in users]
            dx = sum(dxs[1:], dxs[0])
            self.nodes[k]["dxs"] = [self.store.derive(dx[0], "sum", sources)]
            return dx

        return k, backward

    def join(self, kind, name, path, ends, ys):
        """A node that adds its inputs, or puts them side by side -> y, its number, dy -> [dx]."""
        rule = "sum" if kind == "Add" else "concat"
        y = sum(ys[1:], ys[0]) if kind == "Add" else np.concatenate(ys, -1)
        k = self.node(kind, name, path, ends, self.store.derive(y[0], rule, map(self.y, ends)))
        edges = np.cumsum([0, *(one.shape[-1] for one in ys)])

        def backward(dy):
            came = self.dy(k, dy)
            if kind == "Add":
                self.nodes[k]["dxs"] = [came] * len(ys)
                return [dy] * len(ys)
            parts = np.split(dy, edges[1:-1], axis=-1)
            self.nodes[k]["dxs"] = [
                self.store.derive(part[0], "slice", [came], a, b)
                for part, a, b in zip(parts, edges, edges[1:], strict=False)
            ]
            return [np.ascontiguousarray(part) for part in parts]

        return y, k, backward

    def dy(self, k, dy):
        """The number of the gradient that node k gets."""
        for n in reversed(self.nodes):
            for s, i in enumerate(n["inputs"]):
                if i == k and s < len(n["dxs"]):
                    return n["dxs"][s]
        return self.store.put(dy[0])

    def _run_branches(self, layer, x, came, path):
        name = type(layer).__name__
        fork, gather = self.fork(came, path, name)
        ends = [
            self.run(branch, x, fork, f"{path}.{inside}".lstrip("."))
            for inside, branch in layer.children()
        ]
        ys, numbers, backs = zip(*ends, strict=True)
        y, k, split = self.join(name, name, path, list(numbers), ys)
        # a branch of no layers hands the fork's own value on
        return y, k, lambda dy: gather([b(p) for b, p in zip(backs, split(dy), strict=True)])

    def _run_squeeze_excite(self, layer, x, came, path):
        """x goes to the gate, and to the product with it."""
        fork, gather = self.fork(came, path, "SqueezeExcite")
        s, end, back = self.run(layer.gate, x, fork, f"{path}.gate".lstrip("."))
        y, cache = channel_scale(x, s)
        k = self.node("ChannelScale", "SqueezeExcite", path, [fork, end], y)

        def backward(dy):
            dx, ds = channel_scale_backward(dy, cache)
            self.nodes[k]["dxs"] = [self.store.put(dx[0]), self.store.put(ds[0])]
            return gather([back(ds), dx])

        return y, k, backward

    def _run_vae(self, vae, x, came, path):
        """encoder, sampling, decoder; the statistics also go to the KL term at the end.

        A conditional one takes its class from the first pixel, and puts it beside the code.
        """

        def under(name):
            return f"{path}.{name}".lstrip(".")

        first, gather, width = came, None, x.shape[3] - vae.classes
        if vae.classes:
            first, gather = self.fork(came, path, "the class")
        stats, end, encoder_back = self.run(vae.encoder, x, first, under("encoder"))
        fork, meet = self.fork(end, under("sampling"), "the sample")
        z, code, sample_back = self.run(vae.sampling, stats, fork, under("sampling"))
        split = None
        if vae.classes:
            label = np.ascontiguousarray(x[:, 0, 0, width:])
            attrs = {"from": width}
            pick = self.node("Pick", "class", path, [first], label, attrs=attrs)
            z, code, split = self.join("Concat", "Concat", path, [code, pick], [z, label])
        y, out, decoder_back = self.run(vae.decoder, z, code, under("decoder"))
        kl_gradient = []
        self.kl = fork, stats, kl_gradient.append

        def backward(dy):
            dz = decoder_back(dy)
            dz, dlabel = split(dz) if split else (dz, None)
            dx = encoder_back(meet([sample_back(dz), *kl_gradient]))
            if dlabel is None:
                return dx
            dclass = np.zeros_like(dx)
            dclass[:, 0, 0, width:] = dlabel
            self.nodes[pick]["dxs"] = [self.store.put(dclass[0])]
            return gather([dx, dclass])

        return y, out, backward


def _chain(layer):
    """[(name, layer)] of what is one layer after the other, None of everything else."""
    kind = type(layer)
    if kind.forward is Sequential.forward and kind.backward is Sequential.backward:
        return list(layer.children())
    if kind is Autoencoder:
        return [("encoder", layer.encoder), ("decoder", layer.decoder)]
    if kind is ConvBNReLU:
        parts = [("conv", layer.conv), ("norm", layer.norm), ("relu", ReLU())]
        parts.append(("pool", MaxPool2D(layer.pool) if layer.pool > 1 else None))
        return [(name, part) for name, part in parts if part]
    return None
