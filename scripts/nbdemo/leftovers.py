"""What a run leaves in the system, and how it is removed: its own at its end, a killed predecessor's from the record."""
import contextlib
import os
import re
import shutil
import signal
from pathlib import Path

from .common import NETNS, TAP, command
from .processes import boot_id, processes_in, signal_all, start_time, wait_gone

STOP_S = 1.2            # after SIGTERM; then SIGKILL, so that everything ends within 2 s
HANGUP_S = 0.2          # after SIGHUP, for shells in the namespace


def remove_leftovers(record):
    """Remove what the record says a predecessor made. Its lock is ours, so it is dead."""
    old = record.read()
    if old.get("boot_id") == boot_id():
        pid, began = old.get("nic", (None, None))
        if pid and start_time(pid) == began:
            end_process_group(pid)
        if pid:
            remove_shared_memory(pid)
        if "netns_inode" in old and os.getuid() == 0:
            remove_netns(old["netns_inode"])
    record.data = {}


def end_process_group(pid):
    """End a child, or a predecessor's, with the process group it leads."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGTERM)
        if wait_gone([pid], STOP_S):
            os.killpg(pid, signal.SIGKILL)
            wait_gone([pid], STOP_S)


def remove_shared_memory(pid):
    """What a NIC that was killed left in /dev/shm carries its process id."""
    for path in Path("/dev/shm").glob(f"nicsim.{pid}*"):
        if re.fullmatch(rf"nicsim\.{pid}(\..*)?", path.name) and path.lstat().st_uid == os.getuid():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def remove_netns(inode):
    """Remove the named namespace if it is the one with this inode (None: a crash came before it was known)."""
    path = Path("/run/netns") / NETNS
    if not path.exists() or (inode and path.stat().st_ino != inode):
        return
    empty_namespace(path.stat().st_ino)
    command("ip", "-n", NETNS, "link", "del", TAP, check=False)
    command("ip", "netns", "del", NETNS)


def empty_namespace(inode):
    """End everybody in our namespace: shells hang up, what is left is killed."""
    pids = processes_in(inode)
    signal_all(pids, signal.SIGHUP)
    signal_all(pids, signal.SIGCONT)
    left = wait_gone(pids, HANGUP_S)
    signal_all(left, signal.SIGKILL)
    wait_gone(left, HANGUP_S)
