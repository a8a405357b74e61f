"""Ctrl-C and SIGTERM ask; the running step is finished and saved before they get their way."""

import signal
import threading


class Interrupted(KeyboardInterrupt):
    """Training was asked to stop and has saved what it had. Attribute: signum (SIGINT or SIGTERM)."""

    def __init__(self, signum, out):
        super().__init__(f"stopped; `--resume` continues from {out}" if out else "stopped")
        self.signum = signum


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
            raise Interrupted(signum, None)
        self.requested = signum

    def __exit__(self, *_):
        for signum, handler in self._before.items():
            signal.signal(signum, handler if handler is not None else signal.SIG_DFL)

    def give_up(self, out):
        """Raise Interrupted, now that everything is saved."""
        raise Interrupted(self.requested, out)
