#!/usr/bin/env python3
"""nicsim as a launcher: what it says, what it passes on, what it leaves behind (nothing)."""
import contextlib
import json
import os
import signal
import struct
import subprocess
import tempfile
from pathlib import Path

import frames
import nbtest
import testpmd
from nbtest import BUILD, LIMIT_S, check, command, equal

NICSIM = str(BUILD / "nicsim")
SIMULATED = [NICSIM, "--nic", "82599", "--wire", "none", "--"]
FOLDER = Path(tempfile.mkdtemp(prefix="nbtest."))
PROBE = str(FOLDER / "eal_probe")
EAL = ["-l", "0", "--log-level", "lib.*:error", "--no-telemetry", "--"]


def compile_probe(name, *flags):
    """The test program, built as its users would build theirs."""
    path = FOLDER / name
    if not path.exists():
        dpdk = command("pkg-config", "--cflags", "--libs", "libdpdk").stdout.decode().split()
        command("gcc", "-g", *flags, nbtest.ROOT / "tests/e2e/programs/eal_probe.c", "-o", path, *dpdk)
    return str(path)


class Programs:
    def __enter__(self):
        compile_probe("eal_probe")
        FOLDER.chmod(0o755)

    def __exit__(self, *_):
        command("rm", "-r", FOLDER)


def run(*words, **options):
    """Run to its end; (exit status, stdout, stderr)."""
    done = subprocess.run([str(w) for w in words], stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S,
                          check=False, text=True, **options)
    return done.returncode, done.stdout, done.stderr


@contextlib.contextmanager
def started(*words):
    """A program that has said how many ports it has; ended when the test is done with it."""
    with subprocess.Popen([str(w) for w in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          start_new_session=True) as process:
        try:
            equal(process.stdout.readline(), "ports 1\n", "first line of the program")
            yield process
            process.terminate()
            process.wait(LIMIT_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def nothing_left():
    """All ended, and nothing in /dev/shm. Waits, because a process may be a moment behind its parent."""
    nbtest.wait_until(lambda: not nbtest.processes(), "all processes end")
    equal([str(p) for p in Path("/dev/shm").iterdir()], [], "files in /dev/shm")


# --- words ------------------------------------------------------------------------------------------------------------

def test_help_names_models_wires_and_options(_):
    code, out, _err = run(NICSIM, "--help")
    equal(code, 0, "exit status")
    for word in ("82599", "tap:INTERFACE", "--queues", "--control", "--trace", "--pcap", "nicsim ctl"):
        check(word in out, f"--help does not say {word}")


def test_a_file_that_two_options_name_is_refused_and_stays(_):
    capture = Path("/run/played.pcap")
    whole = bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000")  # a capture without frames
    capture.write_bytes(whole)
    for words in (["--pcap", str(capture)], ["--trace", str(capture)]):
        code, _out, err = run(NICSIM, "--nic", "82599", "--wire", f"pcap:{capture}", *words, "--", "true")
        check(code != 0 and "another option names this file" in err, f"{words}: exit {code}: {err}")
        equal(capture.read_bytes(), whole, "the capture afterwards")


def test_bad_words_end_with_status_2_and_what_would_do(_):
    for words, said in (
            (["--nic", "x", "--wire", "none", "true"], "--nic x: no such model; there is 82599"),
            (["--nic", "82599", "--wire", "rope:x", "true"],
             "--wire rope:x: no such kind of wire; there is tap:INTERFACE, netdev:INTERFACE, link:PATH, "
             "pcap:IN[,OUT[,fast]], none"),
            (["--nic", "82599", "--wire", "none"], "which program? give it after --"),
            (["--frob"], "--frob: no such option")):
        code, _out, err = run(NICSIM, *words)
        equal(code, 2, f"exit status of {words}")
        check(said in err, f"{words}: {err}")


def test_programs_that_cannot_run_are_told_apart(_):
    plain = FOLDER / "plain"
    plain.write_text("x")
    for program, code, said in (("nosuch", 127, "nosuch: no such program on PATH"),
                                ("/nowhere/x", 127, "/nowhere/x: no such program"),
                                (plain, 126, "cannot be executed"),
                                ("/sbin/ldconfig", 1, "statically linked")):
        got, _out, err = run(*SIMULATED, program)
        equal(got, code, f"exit status of {program}")
        check(said in err, f"{program}: {err}")
    nothing_left()


def test_program_without_dpdk_is_pointed_out(_):
    code, _out, err = run(*SIMULATED, "true")
    equal(code, 0, "exit status")
    check("true ended (status 0) without starting DPDK on the simulated NIC" in err, err)
    equal(run(*SIMULATED, "sh", "-c", "echo my own words >&2; exit 3"), (3, "", "my own words\n"), "its own error")


def test_statically_linked_dpdk_is_pointed_out_also_behind_a_wrapper(_):
    libraries = [f"-l:librte_{name}.a" for name in ("ethdev", "bus_pci", "pci", "net", "mbuf", "mempool", "meter", "ring",
                                                    "eal", "kvargs", "telemetry")]
    static = FOLDER / "static_dpdk"
    command("gcc", "-march=corei7", "-I/usr/include/dpdk", "-I/usr/include/x86_64-linux-gnu/dpdk", "-include",
            "rte_config.h", nbtest.ROOT / "tests/e2e/programs/eal_probe.c", "-o", static, "-Wl,--whole-archive",
            *libraries, "-Wl,--no-whole-archive", "-lm", "-lnuma", "-l:libbsd.so.0", "-l:libarchive.so.13")
    for wrapper in ([], ["env", "X=1"]):
        _code, _out, err = run(*SIMULATED, *wrapper, static, "-l", "0", "--no-huge", "--no-pci", "--no-telemetry", "-m", "64")
        check(f"{static} has DPDK linked statically" in err, f"{wrapper}: {err}")


def test_eal_arguments_that_cannot_work_are_explained(_):
    for words, said in ((["--no-pci"], "--no-pci hides the simulated NIC"),
                        (["--proc-type=secondary"], "serves one process"),
                        (["--no-huge", "--iova-mode=pa"], "--iova-mode=pa needs physical addresses")):
        code, _out, err = run(*SIMULATED, PROBE, "-l", "0", *words)
        equal(code, 1, f"exit status with {words}")
        check(said in err, f"{words}: {err}")
    code, _out, err = run(*SIMULATED, PROBE, "-l", "0", "-b", "82:00.0")
    check("left out by -a or -b?" in err, err)


@contextlib.contextmanager
def without_driver(name):
    """DPDK's folder of drivers as it is where this one is not installed."""
    drivers = next(Path("/usr/lib").glob("*/dpdk/pmds-*"))
    every = Path("/mnt")  # not below /tmp or /run: EAL takes no driver from where all may write
    with tempfile.TemporaryDirectory() as rest:
        command("mount", "--bind", drivers, every)
        for driver in drivers.iterdir():
            if not driver.name.startswith(f"lib{name}."):
                (Path(rest) / driver.name).symlink_to(every / driver.name)
        command("mount", "--bind", rest, drivers)
        try:
            yield
        finally:
            command("umount", drivers, every)


def test_driver_that_is_not_installed_is_named(_):
    with without_driver("rte_net_ixgbe"):
        _code, _out, err = run(*SIMULATED, PROBE, *EAL)
    check("librte_net_ixgbe.so is not loaded: install DPDK's drivers" in err, err)


def test_tap_errors_name_the_interface_and_the_way_out(_):
    command("ip", "tuntap", "add", "dev", "nbsim0", "mode", "tun")
    code, _out, err = run(NICSIM, "--nic", "82599", "--wire", "tap:nbsim0", "--", "true")
    equal(code, 1, "exit status")
    check("an interface of this name exists" in err, err)
    command("ip", "link", "del", "nbsim0")
    code, _out, err = run(NICSIM, "--nic", "82599", "--wire", "tap:this-name-is-too-long", "--", "true")
    equal(code, 2, "exit status of a name that cannot be one")
    check("1 to 15 characters" in err, err)
    code, _out, err = run("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin", NICSIM, "--nic",
                          "82599", "--wire", "tap:nbsim0", "--", "true")
    equal(code, 1, "exit status without the right")
    check("not permitted" in err and "unshare -Urn" in err, err)


# --- running ----------------------------------------------------------------------------------------------------------

def test_program_finds_its_port(_):
    equal(run(*SIMULATED, PROBE, *EAL), (0, "ports 1\n", ""), "plain run")
    nothing_left()


def test_wrappers_may_stand_between(_):
    for wrapper in (["env", "X=1"], ["timeout", "20"], ["sh", "-c", '"$@"; exit $?', "sh"]):
        equal(run(*SIMULATED, *wrapper, PROBE, *EAL), (0, "ports 1\n", ""), f"under {wrapper[0]}")


def test_one_program_after_the_other_gets_the_nic_but_not_two_at_once(_):
    script = '"$@"; "$@"'
    equal(run(*SIMULATED, "sh", "-c", script, "sh", PROBE, *EAL), (0, "ports 1\nports 1\n", ""), "one after the other")
    words = " ".join([PROBE, *EAL])
    code, out, err = run(*SIMULATED, "sh", "-c", f"{words} run 'NICSIM=$0 LD_PRELOAD={BUILD}/libnicsim.so {words}'",
                         "/dev/shm/none")
    equal((code, out), (3, "ports 1\n"), "a helper pointed at no NIC")
    code, out, err = run(*SIMULATED, "sh", "-c", f"D=$NICSIM; export D; {words} run "
                         f"'NICSIM=$D LD_PRELOAD={BUILD}/libnicsim.so {words}'")
    equal((code, out), (3, "ports 1\n"), "both at once")
    check("already belongs to process" in err, err)


def test_two_instances_run_side_by_side_and_ctl_asks_which(_):
    with started(*SIMULATED, PROBE, *EAL, "stay") as one, started(*SIMULATED, PROBE, *EAL, "stay") as two:
        code, _out, err = run(NICSIM, "ctl", "status")
        equal(code, 1, "exit status")
        check("which one?" in err and str(one.pid) in err and str(two.pid) in err, err)
        check("nic 82599" in run(NICSIM, "ctl", "--pid", one.pid, "status")[1], "status by --pid")
    nothing_left()


def test_ctl_without_a_simulator_says_so(_):
    equal(run(NICSIM, "ctl", "status"), (1, "", "nicsim ctl: no nicsim is running (for this user)\n"), "ctl alone")
    code, _out, err = run(NICSIM, "ctl", "--control", "/nowhere", "status")
    equal(code, 1, "exit status")
    check("is that nicsim running?" in err, err)
    code, _out, err = run(NICSIM, "ctl", "status", env=dict(os.environ, NICSIM_PID="1"))
    equal((code, "nicsim.1/control" in err), (1, True), f"the instance that the environment names: {err}")


def test_control_path_that_is_taken_or_stale(_):
    path = FOLDER / "control"
    options = [NICSIM, "--nic", "82599", "--wire", "none", "--control", path, "--", PROBE, *EAL]
    with started(*options, "stay") as process:
        check("nic 82599" in run(NICSIM, "ctl", "--control", path, "status")[1], "status by path")
        check("nic 82599" in run(NICSIM, "ctl", "--pid", process.pid, "status")[1], "status by --pid")
        code, _out, err = run(*options)
        equal(code, 1, "exit status of a second one")
        check("somebody listens there already" in err, err)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(LIMIT_S)
    nbtest.wait_until(lambda: not nbtest.processes(), "all processes end")
    check(path.exists(), "the killed one could not remove its socket")
    equal(run(*options)[0], 0, "exit status with a stale socket in the way")
    check(not path.exists(), "the socket is removed at the end")


def test_helpers_of_the_program_meet_a_clean_environment(_):
    show = "env | grep -E 'NICSIM|LD_PRELOAD|ASAN_OPTIONS|SYSFS' || echo clean; readlink /proc/self/fd/*"
    _code, out, _err = run(*SIMULATED, PROBE, *EAL, "run", show)
    equal(out.split("\n")[:2], ["ports 1", "clean"], "environment of a helper")
    check("socket:" not in out and "net/tun" not in out, f"descriptors that a helper inherits: {out}")
    mine = dict(os.environ, LD_PRELOAD="libm.so.6", ASAN_OPTIONS="verify_asan_link_order=0")
    _code, out, _err = run(*SIMULATED, PROBE, *EAL, "run", show, env=mine)
    equal(sorted(out.split("\n")[1:3]), ["ASAN_OPTIONS=verify_asan_link_order=0", "LD_PRELOAD=libm.so.6"], "as before")


def test_thread_that_blocks_all_signals_still_reaches_registers(_):
    equal(run(*SIMULATED, PROBE, *EAL, "masked"), (0, "ports 1\nmasked 0\n", ""), "masked")


def test_ordinary_user_without_hugepages(_):
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if run(*user, "true")[0] != 0:
        user = []  # in a user namespace there is only one user, and he is ordinary
    command("cp", NICSIM, BUILD / "libnicsim.so", FOLDER)  # the build may lie where nobody else may look
    equal(run(*user, str(FOLDER / "nicsim"), *SIMULATED[1:], PROBE, *EAL, cwd="/"), (0, "ports 1\n", ""), "as nobody")
    nothing_left()


# --- ends -------------------------------------------------------------------------------------------------------------

def test_exit_status_and_signal_are_passed_on(_):
    equal(run(*SIMULATED, "sh", "-c", "exit 7")[0], 7, "exit status")
    equal(run(*SIMULATED, "sh", "-c", "kill -KILL $$")[0], -signal.SIGKILL, "signal")
    equal(run(*SIMULATED, PROBE, *EAL, "crash")[0], -signal.SIGSEGV, "a crash")
    nothing_left()


def test_signals_to_nicsim_reach_the_program(_):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with started(*SIMULATED, PROBE, *EAL, "stay") as process:
            process.send_signal(number)
            want = (33, "terminated\n") if number == signal.SIGTERM else (-number, "")
            equal((process.wait(LIMIT_S), process.stdout.read()), want, number.name)
        nothing_left()


def test_killed_launcher_takes_the_program_along(_):
    for behaviour in ("stay", "stubborn"):
        with started(*SIMULATED, PROBE, *EAL, behaviour) as process:
            process.kill()
            process.wait(LIMIT_S)
            nothing_left()
    with subprocess.Popen([*SIMULATED, "sh", "-c", "echo up; exec sleep 1000"], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        process.kill()
        process.wait(LIMIT_S)
        nbtest.wait_until(lambda: not nbtest.processes(), "a program that has not claimed its NIC ends too")


def test_what_was_killed_all_at_once_is_removed_by_the_next(_):
    with started(*SIMULATED, PROBE, *EAL, "stay") as process:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(LIMIT_S)
    nbtest.wait_until(lambda: not nbtest.processes(), "all processes end")
    equal(len(list(Path("/dev/shm").iterdir())), 1, "directories left by the killed")
    run(*SIMULATED, PROBE, *EAL)
    nothing_left()


# --- sanitizers -------------------------------------------------------------------------------------------------------

def test_program_with_address_sanitizer_runs_and_reports(_):
    asan = compile_probe("eal_probe_asan", "-fsanitize=address,undefined")
    equal(run(*SIMULATED, asan, *EAL), (0, "ports 1\n", ""), "a clean run, leak check included")
    for wrapper in ([], ["timeout", "20"]):
        for what, report in (("crash", "AddressSanitizer: SEGV on unknown address 0x000000000008"),
                             ("overflow", "AddressSanitizer: heap-buffer-overflow")):
            code, _out, err = run(*SIMULATED, *wrapper, asan, *EAL, what)
            check(code != 0, f"{what}: exit status 0")
            check(report in err, f"{what}: {err}")
    nothing_left()


# --- wires and records ------------------------------------------------------------------------------------------------

def test_ping_through_a_tap_with_capture_and_trace(_):
    nbtest.make_wire("nbsim0", ["10.9.0.1/24"])
    mac = ":".join(f"{b:02x}" for b in frames.MAC)
    command("ip", "neigh", "add", "10.9.0.2", "lladdr", mac, "dev", "nbsim0")
    pcap, trace = FOLDER / "wire.pcapng", FOLDER / "trace.json"
    with testpmd.Testpmd("--forward-mode=icmpecho", wire="tap:nbsim0",
                         nic_options=["--pcap", pcap, "--trace", trace]) as pmd:
        pmd.say("start")
        said = command("ping", "-c", "20", "-i", "0.01", "-W", "5", "10.9.0.2").stdout.decode()
        check(" 0% packet loss" in said, said)
        pmd.nic("stats")  # what happened before an answer is in the trace file
        echoes = [line for line in map(json.loads, trace.read_text().splitlines()) if line.get("proto") == "icmp"]
        equal([line["event"] for line in echoes].count("rx"), 20, "requests in the trace")
        equal([line["event"] for line in echoes].count("tx"), 20, "replies in the trace")
        check(all(line["table"] == "rss" for line in echoes if line["event"] == "rx"), f"tables: {echoes[0]}")
        command("ip", "link", "del", "nbsim0")
        nbtest.wait_until(lambda: "link down" in pmd.nic("status"), "a deleted TAP is an unplugged cable")
        pmd.say("stop")
        equal(pmd.quit(), 0, "exit status")
    fields = command("tshark", "-r", pcap, "-Y", "icmp", "-T", "fields", "-e", "frame.packet_flags_direction",
                     "-e", "icmp.type").stdout.decode().split("\n")
    directions = [(int(d, 0), int(t)) for d, t in (line.split() for line in fields if line)]
    equal((directions.count((1, 8)), directions.count((2, 0))), (20, 20), "requests inbound, replies outbound")


def test_capture_is_played_at_its_pace_and_answers_are_recorded(_):
    """Twelve frames, a tenth of a second between the halves, through testpmd and back out. To everybody: when ixgbe has
    enabled the receiver it takes the card's own address out of the table for a moment."""
    packets = [frames.udp("10.0.0.1", 1000 + i, "10.0.0.2", 7, destination=b"\xff" * 6) for i in range(12)]
    played, sent, trace = FOLDER / "in.pcap", FOLDER / "out.pcapng", FOLDER / "played.json"
    records = (struct.pack("<IIII", 5, 100_000 * (i // 6), len(f), len(f)) + f for i, f in enumerate(packets))
    played.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(records))
    with testpmd.Testpmd("--auto-start", "--no-flush-rx", "--forward-mode=io", wire=f"pcap:{played},{sent}",
                         nic_options=["--trace", trace, "--trace-only", "port=7"]) as pmd:
        pmd.nic("wait", "played")
        nbtest.wait_until(lambda: "tx_frames 12\n" in pmd.nic("stats"), "twelve frames sent on")
        equal(pmd.quit(), 0, "exit status")
    lines = [json.loads(line) for line in trace.read_text().splitlines()]
    received = [line for line in lines if line["event"] == "rx"]
    equal([line["sport"] for line in received], list(range(1000, 1012)), "frames received")
    check(received[6]["t"] - received[5]["t"] >= 90_000_000, "a tenth of a second between the halves")
    ports = command("tshark", "-r", sent, "-T", "fields", "-e", "udp.srcport").stdout.decode().split()
    equal(sorted(map(int, ports)), list(range(1000, 1012)), "frames in the record")


def test_tap_is_made_when_it_is_not_there_and_goes_with_nicsim(_):
    with started(NICSIM, "--nic", "82599", "--wire", "tap:nbsim1", "--", PROBE, *EAL, "stay") as process:
        check("nbsim1" in nbtest.interfaces(), "the TAP is there")
        process.send_signal(signal.SIGTERM)
        process.wait(LIMIT_S)
    check("nbsim1" not in nbtest.interfaces(), "the TAP is gone")


if __name__ == "__main__":
    nbtest.main(Programs)
