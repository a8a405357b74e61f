"""The jobs of studies on a dask cluster: numpycnn study NAME --on dask://host:8786

    dask scheduler                                # on one machine, which then has port 8786
    dask worker host:8786 --nworkers auto         # on each; --nthreads 1 keeps jobs apart

A job is a function of its settings, and its result a file in the study's folder, which all machines
must share. So a worker may die at any time: dask gives its job to another one, and the figures are
the same. What would make them others is refused: other code on a worker, or another folder.
"""

import contextlib
import logging
import pathlib
import secrets
import socket

from .. import files
from ..errors import MissingPackage, RankError
from .plan import code

SCHEME = "dask://"
ANSWER = 10  # seconds in which the scheduler must answer
KEPT = "finished jobs are kept: give the same command again"


def check(address):
    """The scheduler's address, for dask. Raises ValueError, and MissingPackage."""
    host, _, port = address.removeprefix(SCHEME).rpartition(":")
    if not address.startswith(SCHEME) or not host or not port.isdecimal():
        raise ValueError(f"--on {address}: expected dask://HOST:PORT, as dask://10.0.0.1:8786")
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise MissingPackage("dask[distributed]", "cluster") from None
    return f"tcp://{host}:{port}"


def outcomes(attempt, everything, address, out):
    """Yields attempt(job) of each job, in the order in which they end on the cluster.

    Raises RankError for a scheduler that does not answer or goes away, and for a worker that has
    other code or does not share the folder `out`.
    """
    from distributed import CancelledError, Client, wait

    gone = f"the scheduler at {address.replace('tcp://', SCHEME)}"
    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet("distributed"))
        try:
            client = stack.enter_context(Client(address, timeout=ANSWER))
        except OSError as error:  # TimeoutError is one
            raise RankError(f"{gone} does not answer; is it running there?") from error
        mark = stack.enter_context(_mark(out))
        try:
            _check_workers(client, mark)
            futures = client.map(_there, everything, attempt=attempt, mark=mark, pure=False)
            left = dict(zip(futures, everything, strict=True))
            while left:
                try:
                    ended = wait(list(left), timeout=ANSWER, return_when="FIRST_COMPLETED").done
                except TimeoutError:
                    if not client.nthreads():
                        raise RankError(f"no worker is left on the cluster; {KEPT}") from None
                    continue
                for future in ended:
                    yield _outcome(future, left.pop(future))
        except (CancelledError, OSError) as error:  # dask's CommClosedError is an OSError
            raise RankError(f"{gone} went away; {KEPT}") from error


def _outcome(future, job):
    """What `attempt` returned, or how the job failed. Raises RankError for a worker's refusal."""
    if future.status == "error":  # not in the job itself: attempt returns its errors
        error = future.exception()
        return {"job": job, "error": f"{type(error).__name__}: {' '.join(str(error).split())}"}
    outcome = future.result()
    if isinstance(outcome, str):
        raise RankError(outcome)
    return outcome


def _there(job, attempt, mark):
    """On a worker: attempt(job), or why this worker must not."""
    return _fault(mark, job["code"]) or attempt(job)


def _fault(mark, own):
    """What is wrong with this worker, in a sentence; None where nothing is."""
    path, content = mark
    who = f"the worker {socket.gethostname()}"
    if code() != own:
        return f"{who} has other code of numpycnn than this machine: install the same; {KEPT}"
    try:
        there = pathlib.Path(path).read_text()
    except OSError:
        there = None
    if there != content:
        folder = pathlib.Path(path).parent
        return f"{who} does not share the folder {folder}: give --out where all see it; {KEPT}"
    return None


def _check_workers(client, mark):
    """Before anything starts; those who come later are checked at each job."""
    try:
        faults = client.run(_fault, mark, code())
    except ImportError as error:
        raise RankError(f"a worker has no numpycnn of this kind: {error}") from error
    if not faults:
        raise RankError("the cluster has no workers; start some: dask worker HOST:PORT")
    for fault in filter(None, faults.values()):
        raise RankError(fault)


@contextlib.contextmanager
def _mark(out):
    """A file of random content in the folder -> its path and content."""
    path, content = pathlib.Path(out, f".shared-{secrets.token_hex(4)}"), secrets.token_hex(16)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, content.encode())
    try:
        yield str(path), content
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _quiet(name):
    """Within it the logger of that name is silent: what matters is raised."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)
