"""The long forms of this folder's tests.

    python -m tests.faults.fuzz                         all, with the counts below
    python -m tests.faults.fuzz data --count 2000       one of them, shorter

Each prints what it did and found, in a line; the first defect ends it, with the seed and the number
to find it by.
"""

import argparse
import sys
import tempfile
import time

from . import test_checkpoint_faults, test_data_faults, test_training_faults

FORMS = {  # name: (what runs, how often)
    "data": (test_data_faults.fuzz, 100_000),
    "checkpoints": (test_checkpoint_faults.fuzz, 100_000),
    "saving": (test_checkpoint_faults.kill_saves, 1_000),
    "training": (test_training_faults.kills, 1_000),
    "resume": (test_training_faults.resumes, 100),
    "signals": (test_training_faults.signals, 100),
    "memory": (test_training_faults.memory, 100_000),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "forms", nargs="*", metavar="form", help=f"{', '.join(FORMS)}; all of them if none is named"
    )
    parser.add_argument("--count", type=int, help="how often (default: as in README.md)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--folder", help="where the files go, in a folder that is deleted afterwards"
    )
    options = parser.parse_args()
    unknown = set(options.forms) - set(FORMS)
    if unknown:
        parser.error(f"there is no form {', '.join(sorted(unknown))}; there are {', '.join(FORMS)}")
    for name in options.forms or FORMS:
        run, usual = FORMS[name]
        began = time.monotonic()
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            line = run(options.count or usual, options.seed, folder)
        seconds = time.monotonic() - began
        sys.stdout.write(f"{name}, seed {options.seed}: {line} ({seconds:.0f} s)\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
