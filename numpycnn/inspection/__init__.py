"""Looking inside a network: its layers' statistics, what is wrong with it, where it looks.

    examined = examine(net, images, labels)      # statistics of every layer
    for finding in diagnose(examined, history):  # dead, vanishing, exploding, too fast, ...
        print(finding)

report.write makes pictures and a page of it; `numpycnn inspect CHECKPOINT` does all of that from a
file. saliency.py has saliency maps and Grad-CAM, out_of_distribution.py tells foreign images.
"""

from .diagnosis import diagnose
from .finding import Diagnosis, Finding
from .measure import Examination, Row, Statistics, examine
from .pictures import feature_maps, look
from .updates import Steps

__all__ = [
    "Diagnosis", "Examination", "Finding", "Row", "Statistics", "Steps", "diagnose", "examine",
    "feature_maps", "look",
]  # fmt: skip
