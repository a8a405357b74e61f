"""numba versions of the functions in ops/: same file, same name, same arguments.

Nobody must read one to understand a layer.

A kernel computes in float32 and returns NotImplemented for what it is not made for (float64, which
gradient checks use; very small images): then the NumPy reference runs. It gets all arguments of the
op from backend.py, checked and with their defaults.
"""
