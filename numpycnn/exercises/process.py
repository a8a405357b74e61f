"""Runs a student's code in a process of its own: it may hang, crash, or print what it likes."""

import contextlib
import faulthandler
import json
import os
import select
import signal
import sys
import threading
import time
import warnings

LIMIT = 10.0  # seconds for one exercise
MEMORY = 2 << 30  # bytes that it may take beside what is in use


def isolated(work, limit=LIMIT, quiet=False):
    """work() -> JSON values, from a process of its own -> (them, None) or (None, what happened).

    `quiet` drops what it prints; otherwise that goes to standard error. Where there is no fork
    (Windows) it runs in a thread, which a crash of the interpreter would take along.
    """
    if not hasattr(os, "fork"):
        return _in_thread(work, limit)
    read, write = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of BLAS: none runs just now
        pid = os.fork()
    if pid == 0:
        os.close(read)
        _child(work, write, quiet)
    os.close(write)
    try:
        text, late = _collect(read, limit)
    finally:
        os.close(read)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    return _answer(text, late, limit, os.waitstatus_to_exitcode(status))


def _answer(text, late, limit, code):
    if late:
        return None, f"it did not end within {limit:g} seconds: is there an endless loop?"
    try:
        return json.loads(text), None
    except ValueError:
        how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return None, f"its process ended {how} before an answer came"


def _collect(read, limit):
    """All that the child writes, and whether it was late."""
    parts, end = [], time.monotonic() + limit
    while True:
        left = end - time.monotonic()
        ready = left > 0 and select.select([read], [], [], left)[0]
        if not ready:
            return b"", True
        part = os.read(read, 1 << 16)
        if not part:
            return b"".join(parts), False
        parts.append(part)


def _child(work, write, quiet):
    """Runs the work, writes its result, and never returns."""
    code = 1
    try:
        faulthandler.disable()  # a crash is told by the exit code
        os.setsid()  # so that what it starts is ended with it
        sink = os.open(os.devnull, os.O_RDWR)
        os.dup2(sink, 0)
        if quiet:
            os.dup2(sink, 2)
        os.dup2(2, 1)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")
        _limit_memory()
        result = work()
        with open(write, "wb") as pipe:
            pipe.write(json.dumps(result).encode())
        code = 0
    except BaseException as error:  # SystemExit too: the child ends here in any case
        result = {"raised": " ".join(f"{type(error).__name__}: {error}".split())}
        with contextlib.suppress(OSError, ValueError):
            os.write(write, json.dumps(result).encode())
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        os._exit(code)


def _limit_memory():
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))


def _in_thread(work, limit):
    found = {}

    def run():
        try:
            found["result"] = json.loads(json.dumps(work()))
        except BaseException as error:
            found["result"] = {"raised": f"{type(error).__name__}: {error}"}

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(limit)
    return (found["result"], None) if found else _answer(b"", True, limit, 0)
