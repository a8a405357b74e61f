"""Checksums of what must be the same on all ranks."""

import functools
import hashlib
import pathlib
import zlib

import numpy as np

from ..layers.traverse import generators, named_buffers, named_params

PACKAGE = pathlib.Path(__file__).parents[1]


@functools.cache
def code():
    """Of this package's files, and of NumPy's version, whose random numbers it uses."""
    digest = hashlib.sha256(np.__version__.encode())
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(str(path.relative_to(PACKAGE)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def weights(net):
    """Of a network's parameters, running statistics and random states."""
    arrays = [*(param.value for param in named_params(net).values()), *named_buffers(net).values()]
    found = zlib.crc32("".join(_states(net).values()).encode())
    for array in arrays:
        found = zlib.crc32(np.ascontiguousarray(array), found)
    return found


def random_states(net):
    """{path: checksum} of the generators of a network's layers."""
    return {path: zlib.crc32(state.encode()) for path, state in _states(net).items()}


def _states(net):
    return {path: repr(rng.bit_generator.state) for path, rng in generators(net).items()}
