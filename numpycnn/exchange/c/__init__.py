"""An integer network as one C99 file: no malloc, no library, one array for all activations.

writer.py puts the file together from the .c files beside it, which can be read as they stand.
"""

from .build import difference, measure, milliseconds, run
from .writer import export

__all__ = ["difference", "export", "measure", "milliseconds", "run"]
