"""What every part of the demo knows: its names, its errors, and how a tool is run."""
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
NETNS = "nbdemo"
TAP = "nbwire0"
SERVER = "10.99.0.2"


class Failure(Exception):
    """Why the demo cannot go on, in words for the person who started it."""


class Ended(Exception):
    """One of END_SIGNALS arrived."""


def command(*args, check=True):
    """Run a tool; its output, or Failure with what it said."""
    done = subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          start_new_session=True)
    if check and done.returncode != 0:
        raise Failure(f"{' '.join(map(str, args))}: {done.stderr.strip() or f'exit {done.returncode}'}")
    return done.stdout


def ended_how(code):
    return f"exit {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
