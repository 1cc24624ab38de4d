#!/usr/bin/env python3
"""scripts/demo: it starts, shows, ends on every signal within two seconds, and leaves nothing, whoever ran it.

Each test begins and ends in an empty place (nbtest's namespaces), so what the demo leaves is seen exactly.
"""
import contextlib
import os
import select
import signal
import subprocess
import time

import nbtest
from nbtest import check, command, equal

DEMO = nbtest.ROOT / "scripts/demo"
END_S = 2
# An ordinary user with no rights at all, who happens to own the files that root owns outside.
ORDINARY_USER = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]


def demo(*args, prefix=(), **options):
    return subprocess.Popen([*prefix, str(DEMO), *args, "--build", str(nbtest.BUILD)], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def await_line(process, words, limit_s=nbtest.READY_S):
    """Read output up to the line that has these words; all of it so far."""
    seen, deadline = "", time.monotonic() + limit_s
    while words not in seen:
        left = deadline - time.monotonic()
        if left < 0 or not select.select([process.stdout], [], [], left)[0]:
            process.kill()
            raise nbtest.Failed(f"no '{words}' within {limit_s} s; output so far:\n{seen}")
        chunk = os.read(process.stdout.fileno(), 4096).decode(errors="replace")
        if not chunk:
            raise nbtest.Failed(f"it ended (exit {process.wait()}) without '{words}'; output:\n{seen}")
        seen += chunk
    return seen


def started(**options):
    process = demo("run", **options)
    await_line(process, "netbypass is up")
    return process


def expect_end(process, code):
    try:
        out, _ = process.communicate(timeout=nbtest.LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise nbtest.Failed(f"no end within {nbtest.LIMIT_S} s") from None
    equal(process.returncode, code, f"exit status; output:\n{out}")
    return out


def expect_clean():
    equal(nbtest.leftovers(), [], "what is left")
    for path in ("/run/nbdemo", "/tmp/nbdemo-1000"):
        check(not os.path.lexists(path), f"{path} is left")


def end_with(number, **options):
    process = started(**options)
    began = time.monotonic()
    process.send_signal(number)
    expect_end(process, 0)
    took = time.monotonic() - began
    check(took < END_S, f"{number.name}: it took {took:.2f} s to end")
    expect_clean()


def ignore_sigint():
    """As a shell without job control does for a command started with &."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


# --- signals ----------------------------------------------------------------------------------------------------------

def test_sigterm_ends_it_and_leaves_nothing():
    end_with(signal.SIGTERM)


def test_sigint_ends_it_in_the_background_too():
    end_with(signal.SIGINT, preexec_fn=ignore_sigint)


def test_sighup_ends_it_with_traffic_flowing_and_a_shell_inside():
    process = started()
    with demo_shell("sh", "-c", "nicsim ctl --pid $NICSIM_PID status") as status:
        check(b"nic 82599" in status.communicate(timeout=nbtest.LIMIT_S)[0], "the shell knows its own NIC")
    with demo_shell("curl", "-s", f"http://{nbtest.SERVER}/bytes/1000000000") as curl, \
            demo_shell("sleep", "1000") as sleeper:
        check(select.select([curl.stdout], [], [], nbtest.LIMIT_S)[0], "the download does not begin")
        began = time.monotonic()
        process.send_signal(signal.SIGHUP)
        expect_end(process, 0)
        check(time.monotonic() - began < END_S, "it took longer than 2 s to end")
        curl.stdout.close()
        sleeper.wait(nbtest.LIMIT_S)
        curl.wait(nbtest.LIMIT_S)
    expect_clean()


def demo_shell(*words):
    return subprocess.Popen([str(DEMO), "shell", "--build", str(nbtest.BUILD), "--", *words], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def test_ordinary_user_can_run_it_and_leaves_nothing():
    process = started(prefix=ORDINARY_USER)
    process.send_signal(signal.SIGINT)
    expect_end(process, 0)
    expect_clean()


def test_make_run_ends_whichever_signal_make_gets():
    """make passes SIGTERM on, SIGINT and SIGHUP it keeps to itself."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        process = subprocess.Popen(["make", "--no-print-directory", "-C", str(nbtest.ROOT), "run"], text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        await_line(process, "netbypass is up")
        began = time.monotonic()
        process.send_signal(number)
        process.communicate(timeout=nbtest.LIMIT_S)
        took = time.monotonic() - began
        check(took < END_S, f"{number.name} to make: it took {took:.2f} s to end")
        expect_clean()


# --- what a killed predecessor left -----------------------------------------------------------------------------------

def test_next_run_removes_what_a_killed_one_left():
    first = started()
    nic = [pid for pid, line in nbtest.processes().items() if "netbypassd" in line]
    first.kill()
    first.communicate()
    for pid in nic:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    check(nbtest.leftovers(), "a killed demo leaves something, or this test shows nothing")
    second = started()
    second.send_signal(signal.SIGTERM)
    expect_end(second, 0)
    expect_clean()


def test_system_ends_by_itself_when_its_demo_is_killed():
    process = started()
    process.kill()
    process.communicate()
    nbtest.wait_until(lambda: not nbtest.processes(), "nicsim and netbypassd end")


# --- refusals ---------------------------------------------------------------------------------------------------------

def test_second_demo_is_refused_and_the_first_goes_on():
    demo_of_before = started()
    out = expect_end(demo("run"), 1)
    check("running already" in out, f"reason: {out}")
    equal(demo_of_before.poll(), None, "exit status of the first")
    demo_of_before.send_signal(signal.SIGTERM)
    expect_end(demo_of_before, 0)
    expect_clean()


def test_foreign_namespace_of_that_name_is_left_alone():
    command("ip", "netns", "add", "nbdemo")
    out = expect_end(demo("run"), 1)
    check("did not make it" in out, f"reason: {out}")
    check(b"nbdemo" in command("ip", "netns").stdout, "the foreign namespace is gone")
    command("ip", "netns", "del", "nbdemo")
    expect_clean()


def test_bad_configuration_ends_with_its_reason():
    bad = "/run/bad.yaml"
    with open(bad, "w", encoding="utf-8") as f:
        f.write("wrokers: 2\n")
    out = expect_end(demo("run", "--config", bad), 1)
    check("bad.yaml:1" in out and "wrokers" in out, f"reason: {out}")
    os.unlink(bad)
    expect_clean()


def test_shell_without_a_demo_says_so():
    out = expect_end(demo("shell"), 1)
    check("no demo is running" in out, f"reason: {out}")


# --- show -------------------------------------------------------------------------------------------------------------

def test_show_passes_and_leaves_nothing():
    out = expect_end(demo("show"), 0)
    check("Every request was answered" in out, f"output: {out}")
    expect_clean()


if __name__ == "__main__":
    nbtest.main()
