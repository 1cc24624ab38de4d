"""Other processes: which they are, ending them, waiting for their end."""
import contextlib
import ctypes
import os
import re
import select
import signal
import time
from pathlib import Path

END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def boot_id():
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def start_time(pid):
    """When a process began, in clock ticks since boot; with the pid it names one process. None when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19])
    except OSError:
        return None


def handled_end_signals(pid):
    """Which of END_SIGNALS a process has handlers for, as a mask; None when it is gone."""
    with contextlib.suppress(OSError, AttributeError):
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
        caught = int(re.search(r"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE).group(1), 16)
        return caught & sum(1 << (number - 1) for number in END_SIGNALS)
    return None


def processes_in(netns_inode):
    """Every process inside a network namespace, this one left out."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if (entry / "ns/net").stat().st_ino == netns_inode:
                    found.append(int(entry.name))
    return found


def signal_all(pids, number):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def wait_gone(pids, limit_s):
    """Wait for processes, ours or not, to end. Those that have not."""
    deadline = time.monotonic() + limit_s
    waiting = {}
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            waiting[os.pidfd_open(pid)] = pid
    while waiting and (left := deadline - time.monotonic()) > 0:
        for fd in select.select(list(waiting), [], [], left)[0]:
            os.close(fd)
            del waiting[fd]
    for fd in waiting:
        os.close(fd)
    return list(waiting.values())


def die_with_parent():
    """In a child before exec: a SIGTERM from the kernel should the supervisor be killed."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
