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


def child(function):
    """Run it in a forked process -> pid. What it prints is thrown away; its exit code is the function's, or 70."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        code = function() or 0
    finally:
        os._exit(code)
