"""numpycnn: the convolutional network that a person can read.

Start with `numpycnn.ops` (every forward pass above its backward pass), then `numpycnn.layers`,
`numpycnn.models`, `numpycnn.fit`. Names are imported when they are first used, so that
`import numpycnn` takes no time.
"""

import importlib

__version__ = "0.1.0"

_MODULES = {
    "data", "errors", "init", "inspection", "layers", "metrics", "models", "ops", "optim", "plots", "report",
    "saliency", "schedule",
}  # fmt: skip
_NAMES = {
    "fit": "training", "evaluate": "training", "predict": "training", "History": "training",
    "save": "checkpoint", "load": "checkpoint",
    "gradcheck": "gradcheck",
    "use": "backend",
}  # fmt: skip

__all__ = sorted(_MODULES | set(_NAMES))


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _NAMES:
        value = getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return __all__
