"""The run directory, the lock in it, and the record of what a run has made."""
import contextlib
import fcntl
import json
import os
import stat
from pathlib import Path

from .common import Failure


def run_directory():
    """Where the demo of this user keeps its record, lock and sockets."""
    return Path("/run/nbdemo") if os.getuid() == 0 else Path(f"/tmp/nbdemo-{os.getuid()}")


def make_run_directory(path):
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    info = path.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid():
        raise Failure(f"{path} exists and is not a directory of this user")


def take_lock(path):
    """The supervisor's lock, or Failure when another one holds it."""
    while True:
        make_run_directory(path)
        lock = open(path / "lock", "a", encoding="ascii")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure(f"a demo is running already (its record is in {path}): end it first, or look around in it "
                          "with 'make shell'") from None
        with contextlib.suppress(FileNotFoundError):  # not the file that an ending demo has just removed
            if (path / "lock").stat().st_ino == os.fstat(lock.fileno()).st_ino:
                return lock


def is_locked(path):
    try:
        with open(path / "lock", "r", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True


class Record:
    """What a run has made, on disk before it is made."""

    def __init__(self, path):
        self.path = path / "record.json"
        self.data = {}

    def read(self):
        with contextlib.suppress(OSError, ValueError):
            self.data = json.loads(self.path.read_text(encoding="utf-8"))
        return self.data

    def write(self, **changes):
        self.data.update(changes)
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(self.data), encoding="utf-8")
        new.rename(self.path)
