"""Training: fit, evaluate and predict.

A run's folder, checkpoints, the progress bar, and what Ctrl-C does.
"""

from .loop import History, evaluate, fit, predict

__all__ = ["History", "evaluate", "fit", "predict"]
