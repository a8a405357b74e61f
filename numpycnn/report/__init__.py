"""What all pictures and pages share: style, plots, grids, HTML, and the page of a training run."""

from .. import moved

__getattr__ = moved("report")
