"""numpycnn: the convolutional network that a person can read.

Start with `numpycnn.ops` (every forward pass above its backward pass), then `numpycnn.layers`,
`numpycnn.models`, `numpycnn.fit`. Names are imported when they are first used, so that
`import numpycnn` takes no time.
"""

import importlib
import importlib.abc
import importlib.util
import sys
import warnings

__version__ = "0.2.0"

_MODULES = {
    "data", "distributed", "errors", "exchange", "inspection", "layers", "metrics", "models", "ops",
    "optim", "report", "schedule", "training",
}  # fmt: skip
_NAMES = {
    "fit": "training", "evaluate": "training", "predict": "training", "History": "training",
    "save": "training.checkpoint", "load": "training.checkpoint",
    "restore": "training.checkpoint",
    "gradcheck": "gradient_check",
    "explain": "explainer",
    "feature_maps": "inspection", "look": "inspection",
    "show": "report.grids",
    "compile": "layers.compiled",
    "use": "backend",
}  # fmt: skip

# Where what was public stood before version 0.2, and where it stands now. Both answer until 1.0.
_MOVED = {
    "backend.backward": "ops.checks.backward",
    "backend.channels": "ops.checks.channels",
    "backend.floats": "ops.checks.floats",
    "backend.images": "ops.checks.images",
    "backend.pair": "ops.checks.pair",
    "backend.twin": "backend.op",
    "canvas": "report.style",
    "checkpoint": "training.checkpoint",
    "coding": "generative.latent",
    "commands": "cli.commands",
    "data.folder.upright": "data.decode.upright",
    "doctor": "cli.doctor",
    "familiar": "inspection.out_of_distribution",
    "generate": "generative.drawing",
    "generative.NOISE": "generative.run.NOISE",
    "generative.OPTIONS": "generative.run.OPTIONS",
    "generative.SETTINGS": "generative.run.SETTINGS",
    "gradcheck": "gradient_check.gradcheck",
    "gradpoint": "gradient_check",
    "init": "layers.init",
    "inspection.diagnosis.LEARNT": "inspection.learning.LEARNT",
    "inspection.out_of_distribution.familiar": "inspection.out_of_distribution.in_distribution",
    "interrupt": "training.interrupt",
    "layers.base.finite": "layers.traverse.all_finite",
    "layers.base.generators": "layers.traverse.generators",
    "layers.base.gradients_kept": "layers.traverse.preserve_gradients",
    "layers.base.named_buffers": "layers.traverse.named_buffers",
    "layers.base.named_params": "layers.traverse.named_params",
    "layers.base.walk": "layers.traverse.walk",
    "layers.base.watch": "layers.traverse.watch",
    "layers.slope": "layers.input_gradient",
    "machine": "kernels.runtime",
    "machine.cache": "kernels.runtime.compile_cache",
    "machine.direct": "kernels.conv_direct",
    "machine.epilogue": "kernels.runtime.epilogue",
    "machine.memory": "kernels.runtime.memory",
    "machine.moments": "kernels.runtime.moments",
    "machine.narrow": "kernels.conv_kn2row",
    "machine.parallel": "kernels.runtime.threads",
    "machine.rows": "kernels.runtime.rows",
    "machine.simd": "kernels.runtime.simd",
    "machine.simd_text": "kernels.runtime.simd_reference",
    "machine.winograd": "kernels.conv_winograd",
    "npz": "training.npz",
    "optim.Averaged": "optim.EMA",
    "optim.Together": "optim.OptimizerGroup",
    "page": "report.html",
    "pictures": "report.grids",
    "plots": "report.plots",
    "progress": "training.progress",
    "recipes": "cli.recipes",
    "report.READING": "report.training_page.READING",
    "report.commonest_confusion": "report.training_page.commonest_confusion",
    "report.write": "report.training_page.write",
    "run": "training.run",
    "saliency": "inspection.saliency",
    "sample_metrics": "metrics",
    "seen": "report.plots",
    "training.progress.kernel_cache": "backend.kernel_cache",
    "training.run.KEYS": "training.history.KEYS",
    "training.run.claim": "files.claim",
}

__all__ = sorted(_MODULES | set(_NAMES))


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _NAMES:
        value = getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
        globals()[name] = value
        return value
    return moved("")(name)


def __dir__():
    return __all__


def moved(module):
    """The `__getattr__` of a module, some of whose names have moved: it finds them, and warns."""

    def find(name):
        old = f"{module}.{name}".lstrip(".")
        if old not in _MOVED:
            raise AttributeError(
                f"module 'numpycnn{'.' * bool(module)}{module}' has no attribute {name!r}"
            )
        warnings.warn(
            f"numpycnn.{old} is now numpycnn.{_MOVED[old]}; the old name goes with version 1.0",
            DeprecationWarning, stacklevel=3,
        )  # fmt: skip
        return _at(_MOVED[old])

    return find


def _at(path):
    """The module, or what a module defines, at the path below this package."""
    try:
        return importlib.import_module(f"{__name__}.{path}")
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.{path}":
            raise  # a package that is missing
        module, _, name = path.rpartition(".")
        return getattr(importlib.import_module(f"{__name__}.{module}"), name)


class _MovedModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Lets `import numpycnn.saliency` find numpycnn.inspection.saliency."""

    def find_spec(self, fullname, path=None, target=None):
        package, _, old = fullname.partition(".")
        known = package == __name__ and old in _MOVED
        return importlib.util.spec_from_loader(fullname, self) if known else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        package, _, old = module.__name__.rpartition(".")
        package = package.removeprefix(__name__).lstrip(".")
        sys.modules[module.__name__] = moved(package)(old)


# First, as Python itself would find files below numpycnn.machine, and load them a second time.
sys.meta_path.insert(0, _MovedModules())
