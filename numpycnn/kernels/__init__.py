"""numba twins of the functions in ops/: same file, same name, same arguments.

Nobody must read one to understand a layer.

A twin computes in float32 and returns NotImplemented for what it is not made for (float64, which gradient
checks use; very small images): then the NumPy text runs.
"""
