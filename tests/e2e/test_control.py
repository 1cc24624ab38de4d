#!/usr/bin/env python3
"""netbypassd and netbypassctl as programs: starting, refusing, ending, who may do what. The port is an AF_PACKET socket
on one end of a veth pair, so no NIC model has to be probed."""
import array
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

import nbtest
from nbtest import check, command, equal

CONTROL = Path("/run/netbypass/control.sock")  # the usual one of root, which we are in here
CONFIG = Path("/run/netbypass.yaml")
END_S = 2
USUAL = {
    "workers": 2,
    "ports": [{"device": "net_af_packet0", "arguments": "iface=ctlnic,qpairs=2", "address": f"{nbtest.SERVER}/24"}],
    "apps": [{"module": "http", "listen": ["0.0.0.0:80"]}],
    "limits": {"connections": 1024, "time_wait": 1024, "mbufs": 4096},
}


def checksums_in_software(name):
    """ethtool -K NAME tx off: over veth the kernel leaves checksums to a NIC that is not there."""
    value = array.array("I", [0x17, 0])  # ETHTOOL_STXCSUM
    with socket.socket() as s:
        fcntl.ioctl(s, 0x8946, struct.pack("16sP", name.encode(), value.buffer_info()[0]))  # SIOCETHTOOL


def make_wire():
    command("ip", "link", "add", "ctlwire", "type", "veth", "peer", "name", "ctlnic")
    command("ip", "address", "add", f"{nbtest.CLIENT}/24", "dev", "ctlwire")
    for name in ("ctlwire", "ctlnic"):
        command("ip", "link", "set", name, "up")
    checksums_in_software("ctlwire")


def write_config(**changes):
    CONFIG.write_text(json.dumps({**USUAL, **changes}, indent=1), encoding="utf-8")
    return CONFIG


def daemon(*options, config=None, **popen):
    """Start netbypassd; the process and the reading end of its ready pipe."""
    ready, ready_write = os.pipe()
    process = subprocess.Popen([nbtest.BUILD / "netbypassd", "-c", config or write_config(), "--ready-fd",
                                str(ready_write), *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, pass_fds=[ready_write], text=True, **popen)
    os.close(ready_write)
    return process, os.fdopen(ready, "rb")


@contextlib.contextmanager
def serving(*options, **popen):
    process, ready = daemon(*options, **popen)
    try:
        with ready:
            check(select.select([ready], [], [], nbtest.READY_S)[0], "netbypassd is not ready")
            said = ready.read()
        if said != b"ready\n":
            raise nbtest.Failed(f"not ready: exit {process.wait(nbtest.LIMIT_S)}\n{process.stdout.read()}")
        yield process
    finally:
        if process.poll() is None:
            end(process)


def end(process, number=signal.SIGTERM):
    """Exit status and output after a signal; fails when it takes longer than it may."""
    began = time.monotonic()
    process.send_signal(number)
    try:
        out, _ = process.communicate(timeout=nbtest.LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise nbtest.Failed(f"no end after {number.name}:\n{process.communicate()[0]}") from None
    took = time.monotonic() - began
    check(took < END_S, f"{number.name} took {took:.1f} s to end it")
    return process.returncode, out


def refused(code, *words, config=None, options=(), **changes):
    """netbypassd does not start, with this exit status and these words."""
    process, ready = daemon(*options, config=config or write_config(**changes))
    with ready:
        out, _ = process.communicate(timeout=nbtest.LIMIT_S)
        equal(ready.read(), b"", "what the ready pipe says")
    equal(process.returncode, code, f"exit status; output:\n{out}")
    for word in words:
        check(word in out, f"'{word}' is missing in:\n{out}")
    return out


def ctl(*words, expect=0, prefix=(), program=None, **options):
    done = command(*prefix, program or nbtest.BUILD / "netbypassctl", *words, expect=expect, **options)
    return done.stdout.decode(), done.stderr.decode()


def ask(*words):
    return json.loads(ctl("-j", *words)[0])


def call(line):
    """A raw line to the control socket; the line that comes back."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(nbtest.LIMIT_S)
        s.connect(str(CONTROL))
        s.sendall(line)
        s.shutdown(socket.SHUT_WR)
        return nbtest.read_all(s)


def ran_clean():
    check(not CONTROL.exists(), f"{CONTROL} is still there")
    check(not CONTROL.with_name("control.sock.lock").exists(), "the lock file is still there")


# --- serving ----------------------------------------------------------------------------------------------------------

def test_a_connection_is_seen_in_every_form():
    with serving():
        with socket.create_connection((nbtest.SERVER, 80), nbtest.LIMIT_S) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            check(b"200 OK" in s.recv(4096), "no answer")
            local, remote = f"{nbtest.SERVER}:80", "{}:{}".format(*s.getsockname())
            flow = ask("flow", "list", "sport", s.getsockname()[1])
            equal(len(flow), 1, "flows")
            equal([flow[0][k] for k in ("state", "local", "remote", "app", "rx_bytes")],
                  ["established", local, remote, "http", 27], "the flow")
            equal(ask("flow", "show", flow[0]["id"])[0]["remote"], remote, "flow show")
            out, _ = ctl("flow", "list")
            heading, row = out.splitlines()
            equal(heading.split()[:4], ["ID", "STATE", "LOCAL", "REMOTE"], "headings")
            equal(row.split()[1:4], ["established", local, remote], "row")
            equal(ask("flow", "list", "state", "time-wait"), [], "flows in TIME-WAIT")
        equal(len(ask("worker", "list")), 2, "workers")
        equal(ask("port", "show")[0]["driver"], "net_af_packet", "driver")
        equal(ask("listener", "list"), [{"local": "0.0.0.0:80", "app": "http", "module": "http", "distribute": "home",
                                         "accepting": 2}], "listeners")
        check(any(c["name"] == "connections_accepted" and c["value"] == 1 for c in ask("stats")), "one was accepted")
        equal(ask("config")["limits"]["connections"], 1024, "configured limit")
        equal(ask("version")["protocol"], 1, "protocol")
        ctl("rule", "flush")
        ctl("rule", "resume")
    ran_clean()


def test_flow_list_of_more_than_a_page():
    with serving(), contextlib.ExitStack() as stack:
        ports = {stack.enter_context(socket.create_connection((nbtest.SERVER, 80), nbtest.LIMIT_S)).getsockname()[1]
                 for _ in range(900)}
        flows = ask("flow", "list", "state", "established")
        equal({int(f["remote"].rpartition(":")[2]) for f in flows}, ports, "ports of the flows")
        equal(len({f["id"] for f in flows}), 900, "ids")
        check(max(f["id"] for f in flows) < 2**53, "an id is too large for a double")
        equal(len(ctl("flow", "list")[0].splitlines()), 901, "lines of the table")


def test_what_is_not_there_is_exit_2():
    with serving():
        for words in (("flow", "show", "999"), ("worker", "list", "worker", "7"), ("port", "show", "eth7")):
            _, err = ctl(*words, expect=2)
            check(err.startswith("netbypassctl: ") and "no " in err, err)
        _, err = ctl("-j", "flow", "show", "999", expect=2)
        equal(json.loads(err), {"error": "flow show: no flow with id 999", "exit_code": 2}, "JSON error")
        _, err = ctl("flow", "list", "state", "open", expect=1)
        check("accepted: closed, syn-sent" in err, err)


def test_hostile_clients_harm_nobody():
    with serving() as process, contextlib.ExitStack() as stack:
        idle = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(60)]
        for s in idle:
            s.connect(str(CONTROL))
        for line in (b"", b"\n", b"hello\n", b"\0\0\0\n", b"[" * 60000 + b"\n", b"{" * 1000, b"x" * 70000,
                     b'{"jsonrpc":"2.0","id":1,"method":"flow.list","params":{"cursor":"63:99999999999999999999"}}\n',
                     b'{"jsonrpc":"2.0","id":1,"method":"flow.list","params":{"cursor":"0:18446744073709551615"}}\n',
                     b'{"jsonrpc":"2.0","id":1,"method":"flow.list","params":{"cursor":"1:4294967295"}}\n'):
            with contextlib.suppress(ConnectionError):
                call(line)
        slow = stack.enter_context(socket.socket(socket.AF_UNIX))
        slow.connect(str(CONTROL))
        slow.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                slow.send(b'{"jsonrpc":"2.0","id":1,"method":"help"}\n' * 100)
        equal(ask("version")["protocol"], 1, "protocol, with all that going on")
        equal(process.poll(), None, "netbypassd's exit status")


def test_a_viewer_may_look_and_not_touch():
    maps = [line.split() for line in Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()]
    if not any(int(first) <= 65534 < int(first) + int(n) for first, _, n in maps):
        raise nbtest.Skipped("only one user in this user namespace; run as root")
    program = Path("/run/netbypassctl")
    shutil.copy(nbtest.BUILD / "netbypassctl", program)
    viewer = {"prefix": ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"], "program": program,
              "env": {**os.environ, "NETBYPASS_SOCKET": str(CONTROL)}}
    member = {**viewer, "prefix": ["setpriv", "--reuid=65534", "--regid=65534", "--groups=4242"]}
    with serving(config=write_config(control={"operators": {"groups": [4242]}})):
        ctl("worker", "list", **viewer)
        _, err = ctl("rule", "flush", expect=3, **viewer)
        check("rule.flush needs operator rights" in err, err)
        ctl("rule", "flush", **member)
    program.unlink()


# --- refusing to start ------------------------------------------------------------------------------------------------

def test_mistakes_in_the_configuration_are_exit_2_with_file_and_line():
    refused(2, f"{CONFIG}:", "unknown key prots (did you mean ports?); accepted: workers, cpus, ports", prots=[])
    refused(2, f"{CONFIG}:2: workers: 0 is not accepted here; accepted: auto", workers=0)
    refused(2, "/run/none.yaml: No such file or directory", config="/run/none.yaml")
    refused(2, "module: none: no such application: neither /", apps=[{"module": "none", "listen": ["0.0.0.0:80"]}])
    refused(2, "this process may not use CPU 1023", cpus=[0, 1023])
    refused(2, "unknown option --fast; try --help", options=["--fast"])
    ran_clean()


def test_option_t_checks_and_starts_nothing():
    done = command(nbtest.BUILD / "netbypassd", "-t", "-c", write_config())
    equal(done.stdout.decode(), f"{CONFIG}: accepted\n", "what it says")
    command(nbtest.BUILD / "netbypassd", "-t", "-c", write_config(workers="two"), expect=2)
    ran_clean()


def test_a_module_of_another_interface_is_refused():
    module = Path("/run/old.so")
    source = "struct { unsigned abi; const char *name; void *calls[9]; } nb_app = {99, \"old\"};"
    command("gcc", "-shared", "-fPIC", "-o", module, "-x", "c", "-", stdin=None, input=source.encode())
    refused(2, "built for version 99 of the application interface, this netbypassd has ",
            apps=[{"module": str(module), "listen": ["0.0.0.0:80"]}])
    module.unlink()


def test_an_application_may_refuse_its_options():
    refused(1, "colour", apps=[{"module": "http", "listen": ["0.0.0.0:80"], "options": {"colour": "red"}}])
    ran_clean()


def test_a_nic_that_is_not_there_is_named_with_those_that_are():
    refused(1, "port 0000:7f:1f.7: no such NIC; here are: ",
            ports=[{"device": "0000:7f:1f.7", "address": "10.99.0.2/24"}])
    refused(1, "port net_af_packet0: DPDK could not make it",
            ports=[{"device": "net_af_packet0", "arguments": "iface=none", "address": "10.99.0.2/24"}])
    refused(1, ": port eth0: DPDK knows no such device; accepted: a PCI address or a DPDK virtual device",
            ports=[{"device": "eth0", "address": "10.99.0.2/24"}])
    ran_clean()


def test_the_wrong_address_of_a_simulated_nic_is_answered_with_the_right_one():
    try:
        with nbtest.System(ports=[{"device": "0000:83:00.0", "address": "10.99.0.2/24"}]):
            raise AssertionError("it started")
    except nbtest.Failed as why:
        check("port 0000:83:00.0: no such NIC; here are: 0000:82:00.0 (" in str(why), str(why))


def test_a_second_daemon_is_told_who_runs():
    with serving() as first:
        refused(1, f"already running (pid {first.pid})")
        equal(ask("version")["pid"], first.pid, "who answers")


def test_two_daemons_with_two_sockets_run_side_by_side():
    # Far from the other interface's index: DPDK tells fanout groups apart by process XOR interface, and the numbers of two
    # processes, one soon after the other, differ by little.
    command("ip", "link", "add", "ctlwire2", "type", "veth", "peer", "name", "ctlnic2", "index", 0x4001)
    for name in ("ctlwire2", "ctlnic2"):
        command("ip", "link", "set", name, "up")
    other = Path("/run/other.yaml")
    other.write_text(json.dumps({**USUAL, "ports": [{**USUAL["ports"][0], "arguments": "iface=ctlnic2,qpairs=2"}]}),
                     encoding="utf-8")
    with serving() as first, serving("-S", "/run/other.sock", config=other) as second:
        equal(ask("version")["pid"], first.pid, "the usual socket")
        equal(ask("-S", "/run/other.sock", "version")["pid"], second.pid, "the other socket")
    command("ip", "link", "del", "ctlwire2")


# --- ending -----------------------------------------------------------------------------------------------------------

def ignore_signals():
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def test_every_signal_ends_it_alike_and_leaves_nothing():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with serving() as process, socket.create_connection((nbtest.SERVER, 80), nbtest.LIMIT_S) as s:
            code, out = end(process, number)
            equal(code, 0, f"exit status after {number.name}; output:\n{out}")
            s.settimeout(nbtest.LIMIT_S)
            with contextlib.suppress(ConnectionResetError):
                equal(s.recv(1), b"", "the connection is reset")
        ran_clean()
    equal([left for left in nbtest.leftovers() if "interface" not in left], [], "what is left")


def test_signals_count_although_the_starter_ignored_them():
    for number in (signal.SIGINT, signal.SIGHUP):
        with serving(preexec_fn=ignore_signals) as process:
            equal(end(process, number)[0], 0, "exit status")
        ran_clean()


def stopped_in_start(process):
    """Wait until it has claimed its socket, which it does before DPDK is started."""
    nbtest.wait_until(lambda: CONTROL.with_name("control.sock.lock").exists() or process.poll() is not None,
                      "netbypassd has claimed its socket", pause_s=0.001)


def test_a_signal_while_it_starts_ends_it_too():
    process, ready = daemon()
    with ready:
        stopped_in_start(process)
        equal(end(process)[0], 0, "exit status")
    ran_clean()


def test_what_a_killed_daemon_left_is_no_hindrance():
    with serving() as process:
        process.kill()
        process.wait()
        check(CONTROL.exists(), "its socket has vanished")
    ctl("version", expect=4)
    with serving():
        ask("version")
    ran_clean()


def test_without_a_daemon_ctl_is_exit_4():
    _, err = ctl("flow", "list", expect=4)
    check(f"cannot reach netbypassd at {CONTROL}: No such file or directory" in err, err)
    _, err = ctl("-S", "x" * 108, "flow", expect=4)
    check("has 108 bytes; a socket path has at most 107" in err, err)


def test_nobody_reads_the_ready_pipe_or_the_output():
    ready, ready_write = os.pipe()
    os.close(ready)
    process = subprocess.Popen([nbtest.BUILD / "netbypassd", "-c", write_config(), "--ready-fd", str(ready_write)],
                               stdin=subprocess.DEVNULL, stdout=ready_write, stderr=ready_write, pass_fds=[ready_write])
    os.close(ready_write)
    try:
        nbtest.wait_until(CONTROL.exists, "the control socket")
        ask("version")
    finally:
        equal(end(process)[0], 0, "exit status")


if __name__ == "__main__":
    nbtest.isolate()
    make_wire()
    nbtest.main(isolated=False)
