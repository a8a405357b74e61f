"""Looking inside a network: what its layers hold and pass back, what is wrong with it, and where it looks.

    examined = examine(net, images, labels)      # statistics of every layer
    for finding in diagnose(examined, history):  # dead, vanishing, exploding, too fast, too slow, over-fitting
        print(finding)

report.write makes pictures and a page of it; `numpycnn inspect CHECKPOINT` does all of that from a file.
"""

from .diagnosis import Finding, diagnose
from .measure import Examination, Row, Statistics, examine
from .updates import Steps

__all__ = ["Examination", "Finding", "Row", "Statistics", "Steps", "diagnose", "examine"]
