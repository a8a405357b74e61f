"""Ctrl-C and SIGTERM ask; the running step is finished and saved before they get their way."""

import contextlib
import signal
import threading


class Interrupted(KeyboardInterrupt):
    """Training was asked to stop and has saved what it had. Attributes: signum (SIGINT or SIGTERM),
    out (folder).
    """

    def __init__(self, signum, out=None):
        super().__init__(
            f"stopped; with resume=True, fit continues from {out}" if out else "stopped"
        )
        self.signum, self.out = signum, out

    def _render_traceback_(self):
        """What a notebook shows: no traceback, for nothing went wrong."""
        return [f"{self}; the network keeps what it has learned"]


class StopRequest:
    """A context in which SIGINT and SIGTERM set `requested`; the second one interrupts at once.

    Outside the main thread, where Python allows no signal handlers, it does nothing.
    """

    def __init__(self):
        self.requested, self._before = None, {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGINT, signal.SIGTERM):
                self._before[signum] = signal.signal(signum, self._ask)
        return self

    def _ask(self, signum, frame):
        if self.requested:
            raise Interrupted(signum)
        self.requested = signum

    def __exit__(self, *_):
        for signum, handler in self._before.items():
            signal.signal(signum, handler if handler is not None else signal.SIG_DFL)

    def give_up(self, out, signum=None):
        """Raise Interrupted, now that everything is saved. signum: what another rank was sent."""
        raise Interrupted(signum or self.requested, out)


@contextlib.contextmanager
def terminable():
    """A context in which SIGINT and SIGTERM raise Interrupted, whatever the code that they hit
    makes of it.

    An extension module that is being imported turns it into an ImportError, for one.
    """
    heard = []

    def stop(signum, frame):
        heard.append(signum)
        raise Interrupted(signum)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {signum: signal.signal(signum, stop) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except Exception as error:
        if heard:
            raise Interrupted(heard[0]) from error
        raise
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler if handler is not None else signal.SIG_DFL)
