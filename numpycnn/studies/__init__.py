"""Studies: every comparison in the paper, run again. `numpycnn study --list` names them.

definitions.py says what is compared, job.py trains one network, runner.py all of them, verdict.py
decides; results.py, summary.py and figures.py write tables, text and plots.
"""

from . import full
from .definitions import STUDIES, Study
from .runner import run

__all__ = ["STUDIES", "Study", "full", "run"]
