"""Optimisers: how a gradient becomes a step. `Optimizer(net.params(), lr)`, then step() and
zero_grad().

The update rules are pure functions in ops/update.py; the classes here keep their state between
steps.
"""

import copy

import numpy as np

from . import moved
from .errors import CheckpointError
from .layers.traverse import named_buffers, named_params
from .ops.update import adam_update, muon_update, rmsprop_update, sgd_update


class Optimizer:
    """What all optimisers share: the parameters, the learning rate, and the slots of state beside
    each.

    Raises ValueError for a learning rate or weight decay that is negative or not finite, or no
    parameters.
    """

    slots = ()  # the names of the arrays that are kept beside each parameter

    def __init__(self, params, lr, weight_decay):
        self.params = list(
            {id(param): param for param in params}.values()
        )  # one in two places is stepped once
        if not self.params:
            raise ValueError("the optimiser got no parameters (a generator can be used only once)")
        for name, value in (("lr", lr), ("weight_decay", weight_decay)):
            if not (np.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be finite and at least 0, not {value!r}")
        self.lr, self.weight_decay, self.steps = float(lr), float(weight_decay), 0
        self.state = [{slot: np.zeros_like(p.value) for slot in self.slots} for p in self.params]
        self.factors = [1.0] * len(self.params)

    def scale(self, params, factor):
        """From now on, step these parameters with `factor` times the learning rate.

        For a body that is trained already (models.transfer). Raises ValueError for a factor that is
        negative or not finite.
        """
        if not (np.isfinite(factor) and factor >= 0):
            raise ValueError(f"the factor of a rate must be finite and at least 0, not {factor!r}")
        chosen = {id(param) for param in params}
        for i, param in enumerate(self.params):
            if id(param) in chosen:
                self.factors[i] = float(factor)

    def step(self):
        """One update of every parameter that has a gradient."""
        self.steps += 1
        lr = self.lr
        try:
            for param, state, factor in zip(self.params, self.state, self.factors, strict=True):
                if param.grad is not None:
                    # weights decay; biases, batch norm's scales and shifts (all vectors) do not
                    decay = self.weight_decay if param.value.ndim > 1 else 0.0
                    self.lr = lr * factor  # which update reads
                    self.update(param.value, param.grad, decay, **state)
        finally:
            self.lr = lr

    def update(self, value, grad, decay, **state):
        """Change `value` and the state in place."""
        raise NotImplementedError

    def zero_grad(self):
        """Forget the gradients; without it they add up over backward passes."""
        for param in self.params:
            param.grad = None

    @property
    def title(self):
        """What a checkpoint calls it."""
        return type(self).__name__

    def state_arrays(self):
        """{"0.m": array, ...}: what a checkpoint keeps of it, beside `steps` and `lr`."""
        return {
            f"{i}.{slot}": array
            for i, state in enumerate(self.state)
            for slot, array in state.items()
        }

    def load_state(self, arrays, steps):
        """Take back what state_arrays gave.

        Raises CheckpointError, before anything changes, if it does not fit.
        """
        own = self.state_arrays()
        if own.keys() != arrays.keys() or any(own[k].shape != arrays[k].shape for k in own):
            raise CheckpointError(
                f"the optimiser's state is not that of {type(self).__name__} for these parameters"
            )
        for name, array in own.items():
            array[...] = arrays[name]
        self.steps = int(steps)


class SGD(Optimizer):
    """Stochastic gradient descent: u <- momentum * u + g      value -= lr * u

    - params: net.params(); lr: the learning rate, 0.01.
    - momentum: how much of the old step u is kept, 0; nesterov: look ahead with it.
    - weight_decay: decay * value is added to the gradients g of weights, 0.

    Raises ValueError for settings out of range. See ops.update.sgd_update.

    >>> net = layers.Dense(784, 10)
    >>> optimizer = SGD(net.params(), lr=0.1, momentum=0.9)  # step() after each backward pass
    """

    slots = ("velocity",)

    def __init__(self, params, lr=0.01, momentum=0.0, nesterov=False, weight_decay=0.0):
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must be at least 0 and below 1, not {momentum!r}")
        super().__init__(params, lr, weight_decay)
        self.momentum, self.nesterov = momentum, nesterov

    def update(self, value, grad, decay, velocity):
        sgd_update(value, grad, velocity, self.lr, self.momentum, self.nesterov, decay)


class Adam(Optimizer):
    """Adam: steps of about lr, from running averages of the gradient and of its square.

    - params: net.params(); lr: the learning rate, 1e-3.
    - beta1, beta2: how much of the old averages is kept, 0.9 and 0.999.
    - eps: added to the root of the second, 1e-8.
    - weight_decay: decay * value is added to the gradients of weights (L2), 0.

    t counts steps of the optimiser: a parameter whose first gradient comes late takes first steps
    larger than lr. Raises ValueError for settings out of range. See ops.update.adam_update.

    >>> optimizer = Adam(layers.Dense(784, 10).params(), lr=1e-3)
    """

    slots = ("m", "v")
    decoupled = False

    def __init__(self, params, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
        if not (0 <= beta1 < 1 and 0 <= beta2 < 1 and eps > 0):
            raise ValueError(
                f"Adam needs betas in [0, 1) and eps > 0, not {beta1!r}, {beta2!r}, {eps!r}"
            )
        super().__init__(params, lr, weight_decay)
        self.beta1, self.beta2, self.eps = beta1, beta2, eps

    def update(self, value, grad, decay, m, v):
        hyper = self.lr, self.beta1, self.beta2, self.eps
        adam_update(value, grad, m, v, self.steps, *hyper, decay, self.decoupled)


class AdamW(Adam):
    """Adam with weight decay apart from the gradient: value -= lr * decay * value.

    params, lr, beta1, beta2 and eps are as in Adam; weight_decay is 0.01 unless given. Source:
    Loshchilov & Hutter 2019.

    >>> optimizer = AdamW(layers.Dense(784, 10).params(), weight_decay=0.05)
    """

    decoupled = True

    def __init__(self, params, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
        super().__init__(params, lr, beta1, beta2, eps, weight_decay)


class Muon(SGD):
    """Orthogonalised momentum for convolutions before a batch norm (ops.update.muon_update);
    Nesterov SGD for the rest.

    Biases, batch norm's scales and shifts, and dense weights are stepped by SGD with `rest` * lr,
    where lr falls and rises with the schedule; weight_decay is theirs alone. params are
    net.params(); momentum is Muon's, rest_momentum SGD's, 0.9 both. Raises ValueError for settings
    out of range. Source: Jordan 2024, "Muon".

    >>> optimizer = Muon(layers.Conv2D(1, 8, 3).params(), lr=0.015)
    """

    def __init__(
        self, params, lr=0.015, momentum=0.9, rest=8.0, rest_momentum=0.9, weight_decay=0.0
    ):
        if not (0 <= momentum < 1 and 0 <= rest_momentum < 1 and np.isfinite(rest) and rest >= 0):
            given = f"{momentum!r}, {rest_momentum!r} and {rest!r}"
            raise ValueError(
                f"Muon's momentum and rest_momentum must be in [0, 1) and rest >= 0, not {given}"
            )
        super().__init__(params, lr, rest_momentum, True, weight_decay)
        self.muon_momentum, self.rest = momentum, rest

    def update(self, value, grad, decay, velocity):
        if value.ndim == 4:
            muon_update(value, grad, velocity, self.lr, self.muon_momentum)
        else:
            sgd_update(value, grad, velocity, self.rest * self.lr, self.momentum, True, decay)


class EMA:
    """Any optimiser, with an exponential moving average (EMA) of the network that it trains kept
    beside it.

    average <- average + (1 - d) (value - average) after step t, with d = min(decay, (1 + t) / (10 +
    t)), for every parameter and running statistic. `average` is that network; `copy_to(net)` copies
    it into another of the same structure. Source: Polyak & Juditsky 1992; the growing decay is
    TensorFlow's.

    optimizer: what makes the steps, of net's parameters; decay: in [0, 1), else ValueError.

    >>> net = layers.Dense(2, 1)
    >>> averaged = EMA(SGD(net.params()), net, decay=0.999)
    """

    def __init__(self, optimizer, net, decay):
        if not 0 <= decay < 1:
            raise ValueError(
                f"the decay of an average must be at least 0 and below 1, not {decay!r}"
            )
        self.optimizer, self.net, self.decay = optimizer, net, decay
        self.average = copy.deepcopy(net)

    params = property(lambda self: self.optimizer.params)
    steps = property(lambda self: self.optimizer.steps)
    title = property(lambda self: f"Averaged {self.optimizer.title}")

    @property
    def lr(self):
        return self.optimizer.lr

    @lr.setter
    def lr(self, value):
        self.optimizer.lr = value

    def zero_grad(self):
        self.optimizer.zero_grad()

    def step(self):
        self.optimizer.step()
        keep = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for average, value in _pairs(self.average, self.net):
            if value.dtype.kind == "f":
                average += value.dtype.type(1 - keep) * (value - average)
            else:  # a count
                average[...] = value

    def copy_to(self, net):
        """`net` takes the average's values."""
        for average, value in _pairs(self.average, net):
            value[...] = average

    def state_arrays(self):
        own = {f"average.{name}": array for name, array in _arrays(self.average).items()}
        return {**self.optimizer.state_arrays(), **own}

    def load_state(self, arrays, steps):
        own = {f"average.{name}": array for name, array in _arrays(self.average).items()}
        if any(name not in arrays or arrays[name].shape != own[name].shape for name in own):
            raise CheckpointError("the state holds no average of this network")
        self.optimizer.load_state({name: a for name, a in arrays.items() if name not in own}, steps)
        for name, array in own.items():
            array[...] = arrays[name]


class RMSProp(Optimizer):
    """RMSProp without momentum: value -= lr * g / (sqrt(s) + eps), s the average of g^2.

    params and weight_decay are as in Adam; lr 1e-3; rho, 0.99, is how much of the old s is kept;
    eps 1e-8. Raises ValueError for settings out of range. See ops.update.rmsprop_update.

    >>> optimizer = RMSProp(layers.Dense(784, 10).params(), lr=5e-5)
    """

    slots = ("square",)

    def __init__(self, params, lr=1e-3, rho=0.99, eps=1e-8, weight_decay=0.0):
        if not (0 <= rho < 1 and eps > 0):
            raise ValueError(f"RMSProp needs rho in [0, 1) and eps > 0, not {rho!r}, {eps!r}")
        super().__init__(params, lr, weight_decay)
        self.rho, self.eps = rho, eps

    def update(self, value, grad, decay, square):
        rmsprop_update(value, grad, square, self.lr, self.rho, self.eps, decay)


class OptimizerGroup:
    """The optimisers of several networks as one, for a checkpoint:
    OptimizerGroup(generator=Adam(...), critic=Adam(...)).

    Each of `optimizers` is stepped on its own, and is an attribute of its name; their steps and
    learning rates are among the arrays that are saved, so that each goes on where it was.

    >>> both = OptimizerGroup(critic=Adam(layers.Dense(2, 1).params()))
    >>> both.critic.lr
    0.001
    """

    def __init__(self, **optimizers):
        self.optimizers = optimizers
        vars(self).update(optimizers)
        self.params = [param for one in optimizers.values() for param in one.params]
        self.lr, self.title = 1.0, "Together"  # what a checkpoint asks for; each has its own

    @property
    def steps(self):
        """How many steps all have made."""
        return sum(one.steps for one in self.optimizers.values())

    def state_arrays(self):
        """{"critic.0.m": array, ...} and {"critic.steps and lr": (2,)}"""
        arrays = {}
        for name, one in self.optimizers.items():
            arrays[f"{name}.steps and lr"] = np.array([one.steps, one.lr])
            arrays |= {f"{name}.{key}": array for key, array in one.state_arrays().items()}
        return arrays

    def load_state(self, arrays, steps):
        """Take back what state_arrays gave.

        Raises CheckpointError, before anything changes, if it does not fit.
        """
        shapes, given = (
            {key: array.shape for key, array in one.items()}
            for one in (self.state_arrays(), arrays)
        )
        if shapes != given:
            raise CheckpointError(
                f"the optimisers' state is not that of {', '.join(self.optimizers)}"
            )
        for name, one in self.optimizers.items():
            own = {
                key.removeprefix(f"{name}."): array
                for key, array in arrays.items()
                if key.startswith(f"{name}.")
            }
            count, one.lr = own.pop("steps and lr").tolist()
            one.load_state(own, int(count))


def clip_weights(params, limit):
    """w <- min(max(w, -limit), limit) in place, for every Param.

    Raises ValueError for a limit that is not positive. Source: Arjovsky et al. 2017, algorithm 1,
    line 7.
    """
    if not limit > 0:
        raise ValueError(f"the limit that weights are clipped to must be positive, not {limit!r}")
    for param in params:
        np.clip(param.value, -limit, limit, out=param.value)


def clip_gradients(params, norm):
    """Scale all gradients by min(1, norm / ||g||), g all of them as one vector -> ||g||.

    Raises ValueError for a norm that is not positive. Source: Pascanu et al. 2013, algorithm 1.
    """
    if not norm > 0:
        raise ValueError(f"the norm that gradients are clipped to must be positive, not {norm!r}")
    params = {id(param): param for param in params}.values()  # one in two places counts once
    grads = [param.grad for param in params if param.grad is not None]
    total = float(np.sqrt(sum(np.sum(np.square(g, dtype=np.float64)) for g in grads)))
    if total > norm:
        for param in params:
            if param.grad is not None:  # a new array: the gradient may be another parameter's too
                param.grad = param.grad * param.grad.dtype.type(norm / total)
    return total


def _arrays(net):
    return {
        **{name: param.value for name, param in named_params(net).items()},
        **named_buffers(net),
    }


def _pairs(one, other):
    """(array of one, array of other), each once, as they are now: layers set statistics anew."""
    params = ((a.value, b.value) for a, b in zip(one.params(), other.params(), strict=True))
    buffers = zip(named_buffers(one).values(), named_buffers(other).values(), strict=True)
    return {id(a): (a, b) for a, b in (*params, *buffers)}.values()


OPTIMIZERS = {"sgd": SGD, "adam": Adam, "adamw": AdamW, "rmsprop": RMSProp, "muon": Muon}


__getattr__ = moved("optim")
