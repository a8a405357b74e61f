"""A training of three ranks in which one fails: mpirun -n 3 python -m tests.distributed.faults CASE

It ends as `numpycnn train` does: one line on standard error, an exit code.
"""

import os
import signal
import sys
import time

import numpy as np

import numpycnn as nc
from numpycnn import distributed
from numpycnn.cli.parser import exit_code
from numpycnn.distributed import messages
from numpycnn.layers import Dense, Flatten, Sequential
from numpycnn.training import loop

CASES = {
    "error": lambda: 1 / 0,
    "dead": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "silent": lambda: time.sleep(60),
    "stopped": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "left": lambda: os._exit(0),
}
ALONE = {  # what rank 0 does in its second validation, while the others wait for it
    "at work": lambda: time.sleep(3),
    "stopped at work": lambda: os.kill(os.getpid(), signal.SIGSTOP),
}


def main(case, out):
    messages.LEAVING = 0.5
    rng = np.random.default_rng(0)
    net = Sequential(Flatten(), Dense(16, 3, rng=rng))
    x, y = rng.random((40, 4, 4, 1), np.float32), rng.integers(0, 3, 40)
    calls, validated, score_of = [], [], loop.score_of

    def augment(x, rng):
        calls.append(1)
        if case in CASES and len(calls) == 6 and ranks.messages.rank == 1:  # in the second epoch
            CASES[case]()
        return x

    def scored(*pair):
        validated.append(1)
        if case in ALONE and len(validated) == 2:
            ALONE[case]()
        return score_of(*pair)

    loop.score_of = scored
    settings = {"epochs": 9, "batch_size": 8, "augment": augment, "validation": (x, y)}
    with distributed.joined(timeout=1) as ranks:
        nc.fit(net, x, y, **settings, out=out, progress=False)


if __name__ == "__main__":
    nc.use("numpy")
    try:
        main(*sys.argv[1:])
    except Exception as error:
        if not getattr(error, "quiet", False):
            print(f"{getattr(error, 'rank', '')}: {error}", file=sys.stderr)
        sys.exit(exit_code(error))
