"""Activations that exporters write as several operators, found and put in the place of these.

x * Sigmoid(x)                            -> Swish
x * HardSigmoid(x)                        -> HardSwish
x * (Erf(x / sqrt 2) + 1) / 2             -> Gelu, its factors in any order
"""

import dataclasses
import math

import numpy as np

HARD = 1 / 6, 0.5  # slope and value at 0 of hard-swish's gate


def joined(nodes, constants):
    """The nodes with these patterns as one each; what nobody else reads is gone."""
    return _Patterns(nodes, constants).nodes()


class _Patterns:
    def __init__(self, nodes, constants):
        self.given, self.maker = nodes, {node.outputs[0]: node for node in nodes}
        self.constants, self.gone = dict(constants), set()
        for node in nodes:
            if node.op == "Constant" and node.attrs.get("value") is not None:
                self.constants[node.outputs[0]] = np.asarray(node.attrs["value"])
        self.reads = {}
        for node in nodes:
            for name in node.inputs:
                self.reads[name] = self.reads.get(name, 0) + 1

    def nodes(self):
        made = {}
        for node in reversed(self.given):  # from the last product of a pattern on
            found = self.gate(node) or self.gelu(node) if node.op in ("Mul", "Div") else None
            if found and node.outputs[0] not in self.gone:
                op, x, inner = found
                self.gone |= inner
                new = {"op": op, "inputs": [x], "attrs": {}}
                made[node.outputs[0]] = dataclasses.replace(node, **new)
        left = [node for node in self.given if node.outputs[0] not in self.gone]
        return [made.get(node.outputs[0], node) for node in left]

    def inner(self, name, *ops):
        """The operator that makes a value which nobody else reads, or None."""
        node = self.maker.get(name)
        return node if node and node.op in ops and self.reads.get(name) == 1 else None

    def gate(self, node):
        """-> the one operator, x, the names of values that are gone."""
        ops = {"Sigmoid": "Swish", "HardSigmoid": "HardSwish"}
        for x, name in (node.inputs, node.inputs[::-1]) if node.op == "Mul" else ():
            gate = self.inner(name, *ops)
            slope = (gate.attrs.get("alpha", 0.2), gate.attrs.get("beta", 0.5)) if gate else ()
            hard = gate and gate.op == "HardSigmoid"
            if gate and gate.inputs == [x] and not (hard and not np.allclose(slope, HARD)):
                return ops[gate.op], x, {name}
        return None

    def gelu(self, node):
        number, factors, inner = 1.0, [], set()
        ahead = [node]
        while ahead:
            product = ahead.pop()
            for i, name in enumerate(product.inputs):
                value = self.number(name)
                if value is not None:
                    number *= value if product.op == "Mul" or i == 0 else 1 / value
                elif product.op == "Div" and i == 1:
                    return None
                elif below := self.inner(name, "Mul", "Div"):
                    ahead.append(below)
                    inner.add(name)
                else:
                    factors.append(name)
        if len(factors) != 2 or not math.isclose(number, 0.5, rel_tol=1e-5):
            return None
        for x, name in (factors, factors[::-1]):
            if more := self.one_and_erf(name, x):
                return "Gelu", x, inner | more
        return None

    def one_and_erf(self, name, x):
        """The names of values inside Erf(x / sqrt 2) + 1, or None."""
        total = self.inner(name, "Add")
        erfs = [one for one in (total.inputs if total else ()) if self.inner(one, "Erf")]
        if len(erfs) != 1 or 1.0 not in [self.number(one) for one in total.inputs]:
            return None
        (scaled,) = self.maker[erfs[0]].inputs
        node = self.inner(scaled, "Mul", "Div")
        if node is None or x not in node.inputs or (node.op == "Div" and node.inputs[0] != x):
            return None
        numbers = [v for v in map(self.number, node.inputs) if v is not None]
        wanted = math.sqrt(2) if node.op == "Div" else math.sqrt(0.5)
        if len(numbers) != 1 or not math.isclose(numbers[0], wanted, rel_tol=1e-5):
            return None
        return {name, erfs[0], scaled}

    def number(self, name):
        """A constant of one number, or None."""
        found = self.constants.get(name)
        return float(found.reshape(-1)[0]) if found is not None and found.size == 1 else None
