"""What the readers of other programs' files share: one line for whatever is wrong with one."""

import os
import stat

from ..errors import CheckpointError, MissingPackage, ShapeError
from ..files import shown

MAX_FILE = 1 << 31  # bytes, as protobuf has it


def read(path, kind, parse):
    """parse(the file's bytes). Raises CheckpointError, in one line with the path, for whatever
    parse raises, and for what is no file or too large; MissingPackage goes through.
    """
    where = shown(os.fsdecode(path))
    try:
        facts = os.stat(path)
        if not stat.S_ISREG(facts.st_mode):
            raise CheckpointError(f"this is no file; give {kind}")
        if facts.st_size > MAX_FILE:
            raise CheckpointError(f"it has {facts.st_size:,} bytes, expected at most {MAX_FILE:,}")
        with open(path, "rb") as file:
            return parse(file.read(facts.st_size))
    except MissingPackage:
        raise
    except (CheckpointError, ShapeError) as error:
        raise CheckpointError(f"{where}: {shown(error, 800)}") from None
    except FileNotFoundError:
        raise CheckpointError(f"{where}: there is no such file") from None
    except OSError as error:
        raise CheckpointError(f"{where}: cannot be read: {shown(error)}") from None
    except Exception as error:  # whatever hostile bytes make NumPy, json and h5py raise
        text = shown(error) or type(error).__name__
        raise CheckpointError(f"{where}: it is damaged, or not {kind}: {text}") from None
