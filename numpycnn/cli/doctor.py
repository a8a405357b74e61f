"""What `numpycnn doctor` reports: versions, threads, folders, data, and whether the kernels give
right numbers.
"""

import importlib.metadata
import os
import platform

import numpy as np

from .. import __version__, backend, ops
from ..errors import DownloadError


def examine():
    """{fact: value} about this installation, all values strings."""
    facts = {
        "numpycnn": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {platform.system()}, {os.cpu_count()} cores",
        "backend": f"{backend.backend()}, {backend.threads()} threads",
    }
    for name in ("numpy", "numba", "matplotlib", "pooch", "tqdm", "Pillow"):
        try:
            facts[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            facts[name] = "missing: pip install " + name
    facts["kernels"] = _kernels()
    facts["kernel cache"] = str(backend.kernel_cache() or "not in use")
    facts["data"] = _data()
    return facts


def _kernels():
    """Compares the convolution in use with the NumPy reference, forward and backward."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 9, 7, 17), dtype=np.float32)
    w = rng.standard_normal((3, 3, 17, 18), dtype=np.float32)
    dy = rng.standard_normal((2, 9, 7, 18), dtype=np.float32)

    def run(name):
        with backend.using(name):
            y, cache = ops.conv2d(x, w)
            return [y, *ops.conv2d_backward(dy, cache)[:2]]

    try:
        pairs = zip(run(backend.backend()), run("numpy"), strict=True)
        error = max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)
    # a broken compiler or kernel cache can raise anything; the next line shows which
    except Exception as failure:
        return f"BROKEN: {type(failure).__name__}: {' '.join(str(failure).split())}"
    verdict = "right" if error < 1e-4 else "WRONG"
    return f"{verdict}: largest relative difference from NumPy {error:.1e}"


def _data():
    """Where each known data set is, without fetching any."""
    from ..data.datasets import place
    from ..data.official import OFFICIAL

    try:
        found = {name: place(name) for name in OFFICIAL}
    except DownloadError as error:
        return str(error)
    here = [f"{name} in {folder}" for name, folder in found.items() if folder]
    away = ", ".join(name for name, folder in found.items() if not folder)
    return "; ".join([*here, *([f"not here: {away}"] if away else [])])
