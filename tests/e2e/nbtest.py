"""nbtest - what the end-to-end tests share: isolation, TAP output and a running system.

A test file is a program:

    #!/usr/bin/env python3
    import nbtest

    def test_something_happens(system):
        nbtest.equal(system.curl("/")[1], b"...", "body of /")

    if __name__ == "__main__":
        nbtest.main(lambda: nbtest.System())

main() moves the program into network, mount and PID namespaces of its own (and a user namespace when it is not root),
with an empty /run and /dev/shm. So tests neither see nor touch the host's network, run side by side, and whatever one
leaves behind vanishes with it, also when it is killed; `leftovers()` can say exactly what would have been left.
Tests wait for events (a ready pipe, a readable socket, the end of a process), never for time to pass.

Environment: NB_BUILD is the folder of the programs under test (build/); NB_WRK_S is how long load is applied.
"""
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("NB_BUILD", ROOT / "build")).resolve()
SERVER = "10.99.0.2"
CLIENT = "10.99.0.1"
WIRE = "nbwire0"
READY_S = 60    # probing the NIC takes about 4 s of sleeping in the driver, more on a busy machine
LIMIT_S = 30    # for one command or one answer; a test that waits so long has failed
CONFIG = {
    "workers": 2,
    "ports": [{"device": "0000:82:00.0", "address": f"{SERVER}/24"}],
    "apps": [{"module": "http", "listen": [f"{SERVER}:80"]}],
}

# A shell without job control starts background jobs with SIGINT ignored, and programs under test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


class Failed(Exception):
    """A check did not hold; the text says what was seen and what should have been."""


class Skipped(Exception):
    """The check cannot be made here; the text says what is missing. Counts as a failure in CI."""


def check(condition, what):
    if not condition:
        raise Failed(what)


def equal(got, want, what):
    if got != want:
        raise Failed(f"{what}: got {shorten(got)}, want {shorten(want)}")


def shorten(value, limit=400):
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"


# --- running tests ----------------------------------------------------------------------------------------------------

def main(shared=None, isolated=True):
    """Run every test_* function of the program in order and print TAP. `shared` makes a context manager that is entered
    once, and whose value is passed to each test."""
    if isolated:
        isolate()
    module = sys.modules["__main__"]
    tests = [f for name, f in vars(module).items() if name.startswith("test_") and callable(f)]
    print(f"1..{len(tests)}", flush=True)
    with contextlib.ExitStack() as stack:
        arguments, broken = [], None
        try:
            if shared:
                arguments = [stack.enter_context(shared())]
        except Exception as why:  # pylint: disable=broad-except
            diagnose(why if isinstance(why, Failed) else traceback.format_exc())
            broken = "the shared system did not start; see above"
        failed = sum(not run_test(i, f, arguments, broken) for i, f in enumerate(tests, 1))
    sys.exit(1 if failed else 0)


def run_test(number, function, arguments, broken):
    started = time.monotonic()
    try:
        if broken:
            raise Failed(broken)
        function(*arguments)
        print(f"ok {number} - {function.__name__}", flush=True)
        return True
    except Skipped as why:
        print(f"ok {number} - {function.__name__} # SKIP {why}", flush=True)
        return True
    except Exception as why:  # pylint: disable=broad-except
        text = str(why) if isinstance(why, Failed) else traceback.format_exc()
        print(f"not ok {number} - {function.__name__}")
        diagnose(f"{text}\nafter {time.monotonic() - started:.1f} s")
        for argument in arguments:
            if hasattr(argument, "diagnosis"):
                diagnose(argument.diagnosis())
        return False


def diagnose(text):
    print("".join(f"# {line}\n" for line in str(text).splitlines()), end="", flush=True)


# --- isolation --------------------------------------------------------------------------------------------------------

def isolate():
    """Begin again inside namespaces of our own."""
    if os.environ.get("NBTEST_ISOLATED") != "1":
        user = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
        os.environ["NBTEST_ISOLATED"] = "1"
        os.execvp("unshare", ["unshare", *user, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                              "--", sys.executable, *sys.argv])
    del os.environ["NBTEST_ISOLATED"]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # process 1 gets only signals it handles
    for path in ("/dev/shm", "/run"):
        command("mount", "-t", "tmpfs", "nbtest", path)
    command("ip", "link", "set", "lo", "up")


def ended(entry):
    """Is this process no more than a name in the table? A zombie whose other threads still run holds its sockets."""
    state = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    return state == "Z" and len(list((entry / "task").iterdir())) == 1


def processes():
    """Everything alive in our PID namespace except this program, as {pid: command line}."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if not ended(entry):
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    found[int(entry.name)] = b" ".join(words).decode(errors="replace")
    return found


def leftovers():
    """What a program under test has left behind in this isolated place: a list of words, empty when all is clean."""
    left = [f"process {pid}: {line}" for pid, line in processes().items()]
    left += [f"shared memory: {path}" for path in Path("/dev/shm").iterdir()]
    left += [f"interface: {name}" for name in interfaces() if name != "lo"]
    left += [f"namespace: {path}" for path in Path("/run/netns").glob("*")]
    left += [f"socket: {path}" for path in Path("/run").rglob("*") if path.is_socket()]
    return left


def interfaces():
    return [link["ifname"] for link in json.loads(command("ip", "-j", "link", "show").stdout)]


# --- commands ---------------------------------------------------------------------------------------------------------

def command(*args, expect=0, limit_s=LIMIT_S, **options):
    """Run a command; Failed with its words unless it ends with `expect` (None: anything)."""
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    done = subprocess.run([str(a) for a in args], timeout=limit_s, check=False, **options)
    if expect is not None and done.returncode != expect:
        said = ((done.stderr or b"") + (done.stdout or b"")[-2000:]).decode(errors="replace").strip()
        raise Failed(f"{' '.join(map(str, args))}: exit {done.returncode}, want {expect}: {said}")
    return done


def pattern(n):
    """The body of /bytes/N: byte i is i mod 251."""
    return (bytes(range(251)) * (n // 251 + 1))[:n]


def wait_until(condition, what, limit_s=LIMIT_S, pause_s=0.02):
    """For state that only asking shows. Fails after limit_s; returns what condition returned."""
    deadline = time.monotonic() + limit_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise Failed(f"not within {limit_s} s: {what}")
        select.select([], [], [], pause_s)
    return value


# --- the system under test --------------------------------------------------------------------------------------------

def make_wire(name=WIRE, addresses=(f"{CLIENT}/24", "fd99::1/64")):
    """A TAP with addresses, there before the NIC is."""
    command("ip", "tuntap", "add", "dev", name, "mode", "tap")
    for address in addresses:
        command("ip", "address", "add", address, "dev", name, *(["nodad"] if ":" in address else []))
    command("ip", "link", "set", name, "up")


class System:
    """netbypassd on a simulated NIC whose wire is a TAP. A context manager."""

    def __init__(self, queues=2, nic_options=(), wire=True, **config):
        self.queues = queues
        self.nic_options = list(nic_options)
        self.wire = wire
        self.config = {**CONFIG, **config}
        self.folder = Path(tempfile.mkdtemp(prefix="nbtest.", dir="/run"))
        self.socket = self.folder / "control.sock"
        self.log = self.folder / "log"
        self.process = None

    def environment(self):
        return {**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}", "NETBYPASS_SOCKET": str(self.socket),
                "RUNTIME_DIRECTORY": str(self.folder)}

    def argv(self, ready_fd):
        config = self.folder / "netbypass.yaml"
        config.write_text(json.dumps(self.config, indent=1), encoding="utf-8")  # JSON is YAML
        return [str(BUILD / "nicsim"), "--nic", "82599", "--queues", str(self.queues), "--wire", f"tap:{WIRE}",
                *self.nic_options, "--", str(BUILD / "netbypassd"), "--config", str(config), "--ready-fd", str(ready_fd)]

    def start(self):
        if self.wire:
            make_wire()
        ready, ready_write = os.pipe()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.argv(ready_write), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            pass_fds=[ready_write], env=self.environment(), start_new_session=True)
        os.close(ready_write)
        with os.fdopen(ready, "rb") as pipe:
            if not select.select([pipe], [], [], READY_S)[0]:
                raise Failed(f"not ready within {READY_S} s\n{self.diagnosis()}")
            if not pipe.read(1):
                raise Failed(f"did not start: exit {self.process.wait(LIMIT_S)}\n{self.diagnosis()}")
        return self

    def stop(self, number=signal.SIGTERM):
        """End it with a signal; the exit status."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                raise Failed(f"no end within {LIMIT_S} s of {number.name}\n{self.diagnosis()}") from None
        if self.wire and WIRE in interfaces():
            command("ip", "link", "del", WIRE)
        return self.process.returncode if self.process else None

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, failure, *_):
        running = self.process.poll() is None
        if self.stop() != 0 and running and not failure:  # a sanitizer's report, too, comes at the end
            raise Failed(f"it ended with status {self.process.returncode}\n{self.diagnosis()}")

    def diagnosis(self):
        lines = self.log.read_text(errors="replace").splitlines()[-60:] if self.log.exists() else []
        return "\n".join(["log of nicsim and netbypassd:", *lines])

    # asking it

    def run(self, *args, **options):
        return command(*args, env=self.environment(), **options)

    def ctl(self, *words, **options):
        """netbypassctl; its output as text."""
        return self.run("netbypassctl", *words, **options).stdout.decode()

    def ask(self, *words):
        """netbypassctl -j; its answer."""
        return json.loads(self.ctl("-j", *words))

    def flows(self, **wanted):
        """flow list, those whose fields have the wanted values."""
        return [f for f in self.ask("flow", "list") if all(f[k] == v for k, v in wanted.items())]

    def counter(self, name):
        """A counter, summed over the workers."""
        return sum(worker["counters"][name] for worker in self.ask("worker", "list"))

    def nic(self, *words, **options):
        """nicsim ctl; its output as text."""
        return self.run("nicsim", "ctl", *words, **options).stdout.decode()

    # using it

    def url(self, path):
        return f"http://{SERVER}{path}"

    def curl(self, path, *options):
        """Status and body of a GET."""
        out = self.run("curl", "-sS", "-o", "-", "-w", "\n%{http_code}", *options, self.url(path)).stdout
        body, _, status = out.rpartition(b"\n")
        return int(status), body

    def connect(self, timeout_s=LIMIT_S):
        return socket.create_connection((SERVER, 80), timeout=timeout_s)

    def exchange(self, request, timeout_s=LIMIT_S):
        """Send bytes on a connection of their own; everything that comes back until the peer closes."""
        with self.connect(timeout_s) as s:
            s.sendall(request)
            return read_all(s)


def read_all(s):
    chunks = []
    while chunk := s.recv(65536):
        chunks.append(chunk)
    return b"".join(chunks)


def read_exactly(s, n):
    chunks = []
    while n:
        chunk = s.recv(min(n, 65536))
        if not chunk:
            raise Failed(f"the peer closed with {n} bytes missing")
        chunks.append(chunk)
        n -= len(chunk)
    return b"".join(chunks)
