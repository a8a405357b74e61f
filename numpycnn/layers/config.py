"""The arguments that a layer was made with, read back for repr, checkpoints and comparison."""

import inspect

import numpy as np

DRAWN = ("init", "rng")  # they give a new layer its first values, and change no pass
LONGEST = 60  # characters of an argument that repr shows


def arguments(layer):
    """{argument: value} of the constructor, from the attributes of the same names: Layer.config.

    `init` and `rng` are left out where the layer does not keep them. Raises TypeError naming the
    attribute that is missing.
    """
    values = {}
    for name, parameter in parameters(type(layer)).items():
        if parameter.kind is parameter.VAR_KEYWORD:
            continue
        if hasattr(layer, name):
            values[name] = getattr(layer, name)
        elif name not in DRAWN:
            kind = type(layer).__name__
            raise TypeError(
                f"{kind} keeps no attribute {name} for its argument {name}: write "
                f"self.{name} = {name} in __init__, or a config() that returns the arguments"
            )
    return values


def short(pair):
    """A pair of equal numbers as the one number that most people write;
    other values as they are.
    """
    if isinstance(pair, (tuple, list)) and len(pair) == 2 and pair[0] == pair[1]:
        return pair[0]
    return tuple(pair) if isinstance(pair, list) else pair


def parameters(kind):
    """{name: inspect.Parameter} of a layer's constructor, without self."""
    if kind.__init__ is object.__init__:
        return {}
    return dict([*inspect.signature(kind.__init__).parameters.items()][1:])


def written(layer):
    """Conv2D(1, 32, 3, padding="same"): what to type for such a layer; a list, one line a layer."""
    kind = type(layer)
    try:
        values = layer.config()
    except TypeError:  # a layer of the user's that does not keep its arguments
        return f"{kind.__name__}(...)"
    words = []
    for name, parameter in parameters(kind).items():
        if name not in values or name == "rng":
            continue
        value = values[name]
        if parameter.kind is parameter.VAR_POSITIONAL:
            words += [_written(one) for one in value]
        elif parameter.default is parameter.empty:
            words.append(_written(value))
        elif name in getattr(kind, "always_shown", ()) or not _same(value, parameter.default):
            words.append(f"{name}={_written(value)}")
    if any("\n" in word for word in words) or sum(map(len, words)) > 80:
        inside = ",\n".join(words).replace("\n", "\n    ")
        return f"{kind.__name__}(\n    {inside},\n)"
    return f"{kind.__name__}({', '.join(words)})"


def _written(value):
    if isinstance(value, str):
        return f'"{value}"'
    text = f"{value:.6g}" if isinstance(value, float) else repr(value)
    short = isinstance(value, np.ndarray) and len(text) > LONGEST
    return f"array of {value.shape}" if short else text


def _same(value, default):
    """Whether repr may leave it out; a pair (1, 1) is the default 1."""
    if isinstance(value, tuple) and not isinstance(default, tuple):
        return all(_same(one, default) for one in value)
    return type(value) is type(default) and np.array_equal(value, default)
