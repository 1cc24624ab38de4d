"""The system: namespace, wire, simulated NIC with netbypassd; started, and stopped whatever happens."""
import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
from pathlib import Path

from .common import NETNS, TAP, Failure, command, ended_how
from .leftovers import empty_namespace, end_process_group, remove_leftovers, remove_netns, remove_shared_memory
from .processes import boot_id, die_with_parent, start_time
from .record import Record, take_lock
from .signals import Signals

CLIENT_ADDRESSES = ("10.99.0.1/24", "fd99::1/64")
QUEUES_MAX = 16         # RSS of the 82599 reaches queues 0 to 15
READY_S = 60            # probing the NIC takes about 4 s of sleeping in the driver, more on a busy machine


class Demo:
    """The running system. Made inside its user namespace when we are not root (`inside`)."""

    def __init__(self, options):
        self.build = Path(options.build).resolve()
        self.config = Path(options.config).resolve()
        self.run = Path(options.run_directory)
        self.named = not options.inside
        self.record = Record(self.run)
        self.lock = None
        self.nic = None
        self.inode = None

    def prefix(self):
        """What puts a command inside the namespace."""
        return ["ip", "netns", "exec", NETNS] if self.named else []

    def environment(self):
        return dict(os.environ, PATH=f"{self.build}:{os.environ.get('PATH', '/usr/sbin:/usr/bin:/sbin:/bin')}",
                    NETBYPASS_SOCKET=str(self.run / "control.sock"), RUNTIME_DIRECTORY=str(self.run))

    def check(self):
        missing = [str(p) for p in (self.build / "nicsim", self.build / "netbypassd", self.build / "netbypassctl")
                   if not os.access(p, os.X_OK)]
        if missing:
            raise Failure(f"not built: {', '.join(missing)}; run: make")
        if not self.config.is_file():
            raise Failure(f"no such configuration file: {self.config}")
        for tool in ("ip", "curl"):
            if not shutil.which(tool):
                raise Failure(f"{tool} is not installed; run: make deps")
        if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
            raise Failure("/dev/net/tun is not there or not accessible (kernel module tun; in a container it must be "
                          "passed in)")

    def start(self, signals):
        self.check()
        with signals.held():
            self.lock = take_lock(self.run)
            remove_leftovers(self.record)
            self.record.write(boot_id=boot_id(), supervisor=[os.getpid(), start_time(os.getpid())])
            self.make_namespace()
            self.make_wire()
            ready = self.start_nic()
        self.wait_ready(ready)

    def make_namespace(self):
        path = Path("/run/netns") / NETNS
        if not self.named:
            self.inode = os.stat("/proc/self/ns/net").st_ino
            return
        if path.exists():
            raise Failure(f"a network namespace named {NETNS} exists and this demo did not make it; if it is yours to "
                          f"remove: ip netns del {NETNS}")
        self.record.write(netns_inode=None)
        command("ip", "netns", "add", NETNS)
        self.inode = path.stat().st_ino
        self.record.write(netns_inode=self.inode)

    def make_wire(self):
        """The TAP exists before the NIC does: the wire has its addresses when the first frame comes."""
        def ip(*args):
            command(*self.prefix(), "ip", *args)
        ip("link", "set", "lo", "up")
        ip("tuntap", "add", "dev", TAP, "mode", "tap")
        for address in CLIENT_ADDRESSES:
            ip("address", "add", address, "dev", TAP, *(["nodad"] if ":" in address else []))
        ip("link", "set", TAP, "up")

    def queues(self):
        """A queue pair per worker: as many as the configuration names, else one per CPU, at least 2."""
        named = re.search(r"^workers:\s*(\d+)", self.config.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
        wanted = int(named.group(1)) if named else len(os.sched_getaffinity(0))
        return max(2, min(wanted, QUEUES_MAX))

    def start_nic(self):
        ready_read, ready_write = os.pipe()
        argv = [*self.prefix(), str(self.build / "nicsim"), "--nic", "82599", "--queues", str(self.queues()),
                "--wire", f"tap:{TAP}", "--", str(self.build / "netbypassd"), "--config", str(self.config),
                "--ready-fd", str(ready_write)]
        self.nic = subprocess.Popen(argv, stdin=subprocess.DEVNULL, env=self.environment(), pass_fds=[ready_write],
                                    start_new_session=True, preexec_fn=die_with_parent)
        self.record.write(nic=[self.nic.pid, start_time(self.nic.pid)])
        os.close(ready_write)
        return os.fdopen(ready_read, "rb")

    def wait_ready(self, ready):
        with ready:
            if not select.select([ready], [], [], READY_S)[0]:
                raise Failure(f"netbypassd did not become ready within {READY_S} s")
            if not ready.read(1):
                raise Failure(f"netbypassd did not start ({ended_how(self.nic.wait())}); its reason is above")

    def wait(self):
        """Until the system ends by itself, which it should not."""
        raise Failure(f"netbypassd ended unexpectedly ({ended_how(self.nic.wait())})")

    def stop(self):
        """End everything this run made, in reverse. Safe after a start that failed half-way."""
        if not self.lock:
            return
        if self.nic:
            end_process_group(self.nic.pid)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.nic.pid, signal.SIGKILL)  # before wait(): until then the id is nobody else's
            self.nic.wait()
            remove_shared_memory(self.nic.pid)
        if self.named and "netns_inode" in self.record.data:
            remove_netns(self.record.data["netns_inode"])
        elif self.inode:
            empty_namespace(self.inode)
            command("ip", "link", "del", TAP, check=False)
        shutil.rmtree(self.run, ignore_errors=True)
        self.lock.close()


@contextlib.contextmanager
def running(options):
    """A started Demo, which is stopped whatever happens."""
    signals = Signals(options.watch_parent)
    demo = Demo(options)
    try:
        demo.start(signals)
        yield demo
    finally:
        signals.ignore()
        demo.stop()
