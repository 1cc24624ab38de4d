"""Signals that end the demo, as an exception."""
import contextlib
import os
import signal

from .common import Ended
from .processes import END_SIGNALS, handled_end_signals

PARENT_LOOK_S = 0.2     # how often --watch-parent looks


class Signals:
    """END_SIGNALS as the exception Ended; held back where half a step would be left undone."""

    def __init__(self, watch_parent):
        self.holding = False
        self.pending = False
        self.parent = os.getppid()
        self.parent_handled = handled_end_signals(self.parent)
        for number in END_SIGNALS:  # also where they were ignored: background jobs of scripts begin with SIGINT ignored
            signal.signal(number, self.arrived)
        if watch_parent:
            signal.signal(signal.SIGALRM, self.look_at_parent)
            signal.setitimer(signal.ITIMER_REAL, PARENT_LOOK_S, PARENT_LOOK_S)

    def arrived(self, _number, _frame):
        self.pending = True
        if not self.holding:
            self.end()

    def look_at_parent(self, _number, _frame):
        """GNU make keeps SIGINT and SIGHUP to itself and waits for us, with its handler taken back. Has it?"""
        if os.getppid() != self.parent or handled_end_signals(self.parent) != self.parent_handled:
            self.arrived(None, None)

    def end(self):
        """From the first signal on, no other interrupts what ends the demo."""
        self.ignore()
        raise Ended

    @contextlib.contextmanager
    def held(self):
        self.holding = True
        yield
        self.holding = False
        if self.pending:
            self.end()

    @staticmethod
    def ignore():
        for number in (*END_SIGNALS, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)
