"""One offline page that steps through a network's forward and backward pass, number by number.

Python (trace, kinds, losses) records what the library computed, store packs it, write puts the page
together. The page's own mathematics (page/*.js) recomputes each number that it shows. For checks
from outside a page has, in its console:

    numpycnn.verify(cells)      cells random numbers of each array -> {checked, bad, worst, first}
    numpycnn.nudge(where, h)    -> {numeric, backward, plus, minus, kink}
    numpycnn.places()           what `where` may be, with shapes: "image[i,j,c]", "4.w[0,1,2,3]"
                                (a layer's path, a parameter), or [name, number in memory order]
"""

from .write import explain

__all__ = ["explain"]
