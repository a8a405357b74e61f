"""What the tests that kill have in common."""

import os
import signal

STEPS = ("write", "fsync", "replace", "open", "close")  # the system calls of saving


def die_at(step, at):
    """From now on the call number `at` of os.`step` is a kill -9 instead."""
    real, calls = getattr(os, step), []

    def call(*args, **options):
        calls.append(args)
        if len(calls) == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **options)

    setattr(os, step, call)


def child(function, log=os.devnull):
    """Run it in a forked process -> pid. What it prints goes into `log`.

    Its exit code is the function's, or 70.
    """
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        code = function() or 0
    finally:
        os._exit(code)
