"""How far one step moves the weights: ||dw|| / ||w||, from what the optimiser remembers."""

from dataclasses import dataclass

import numpy as np

from ..errors import CheckpointError
from ..layers.traverse import named_params
from ..ops.update import muon_update

# The defaults of optim's classes: a checkpoint does not hold them.
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8  # Adam
REST = 8.0  # Muon's lr for what is no convolution, in units of its lr


@dataclass
class Steps:
    """The state of an optimiser: title, steps, lr, {parameter's name: {slot: array}}.

    rule: where the step comes from, as text.
    """

    title: str
    steps: int
    lr: float
    slots: dict
    rule: str

    @classmethod
    def of(cls, net, optimizer, rule=None, lr=None):
        """Of an optimiser that trains net's parameters."""
        names = {id(param): name for name, param in named_params(net).items()}
        given = [names.get(id(param)) for param in optimizer.params]
        lr = optimizer.lr if lr is None else lr
        arrays = optimizer.state_arrays()
        return cls._made(optimizer.title, optimizer.steps, lr, given, arrays, rule)

    @classmethod
    def stored(cls, metadata, arrays, lr=None):
        """Of a checkpoint's metadata and arrays (checkpoint.read); None without an optimiser."""
        saved = metadata["optimizer"]
        if saved is None:
            return None
        state = {
            name.partition("/")[2]: array
            for name, array in arrays.items()
            if name.startswith("optimizer/")
        }
        rule = f"{saved['class']}'s last step, from the optimiser's state in the file"
        lr = saved["lr"] if lr is None else lr
        return cls._made(saved["class"], saved["steps"], lr, saved["params"], state, rule)

    @classmethod
    def _made(cls, title, steps, lr, names, arrays, rule):
        slots = {name: {} for name in names if isinstance(name, str)}
        for key, array in arrays.items():
            index, _, slot = key.partition(".")  # "3.m": m of parameter 3
            number = int(index) if index.isascii() and index.isdigit() else len(names)
            if number < len(names) and names[number] in slots:
                slots[names[number]][slot] = array
        return cls(title, steps, lr, slots, rule or f"{title}'s last step")

    @property
    def usable(self):
        """Whether steps were taken, by an optimiser whose state is understood here."""
        known = all(
            {"m", "v"} <= state.keys() or "velocity" in state for state in self.slots.values()
        )
        return self.steps > 0 and bool(self.slots) and known


def ratios(net, steps, lr):
    """{path: ||dw|| / ||w||} of each layer's weights (arrays of 2 or more dimensions).

    nan where w is 0. Biases, and batch norm's scales and shifts, are left out: they start at 0 or
    1, whatever the layer's scale. Raises CheckpointError for a state of other shapes than the
    weights.
    """
    moved, size = {}, {}
    for name, param in named_params(net).items():
        state = steps.slots.get(name)
        if param.value.ndim < 2 or state is None:
            continue
        if any(array.shape != param.value.shape for array in state.values()):
            raise CheckpointError(
                f"the optimiser's state of {name} does not have the shape {param.value.shape}"
            )
        path = name.rpartition(".")[0]
        with np.errstate(over="ignore", invalid="ignore"):
            step = last_step(param.value, state, steps, lr)
            moved[path] = moved.get(path, 0) + np.square(step, dtype=np.float64).sum()
            size[path] = size.get(path, 0) + np.square(param.value, dtype=np.float64).sum()
    return {
        path: float(np.sqrt(moved[path] / size[path])) if size[path] else np.nan for path in moved
    }


def last_step(value, state, steps, lr):
    """The step dw that the state gives, without weight decay and without Nesterov's look ahead.

    Adam: lr m/(1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)
    SGD:  lr u
    Muon: ops.update.muon_update of u
    """
    if "m" in state:
        m = state["m"] / (1 - BETA1**steps.steps)
        v = state["v"] / (1 - BETA2**steps.steps)
        return lr * m / (np.sqrt(v) + EPS)
    velocity, muon = state["velocity"], "Muon" in steps.title
    if muon and value.ndim == 4:
        changed = value.copy()
        muon_update(changed, velocity, np.zeros_like(velocity), lr, 0.0)
        return changed - value
    return (REST if muon else 1.0) * lr * velocity
