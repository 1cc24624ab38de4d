#!/usr/bin/env python3
"""Faults of the simulated NIC and its cable, seen by real clients: ping and curl on a Linux TAP, netbypassd behind the
card. Each fault is switched on while everything runs, has its effect, is counted, and is gone when switched off."""
import re
import socket

import nbtest
from nbtest import SERVER, check, equal

BODY = 300_000  # bytes of a transfer: some 200 segments, enough for every chance to come up
CONNECTIONS = 10  # that wait for rules


def faults(system):
    """{name: (setting, count)} as `nicsim ctl fault` lists them."""
    rows = [line.split() for line in system.nic("fault").splitlines()]
    return {row[0]: (row[1], int(row[2]) if len(row) > 2 else 0) for row in rows}


class Faulty:
    """One fault, switched on for the length of a with block; how often it struck afterwards."""

    def __init__(self, system, *words):
        self.system, self.words = system, words

    def __enter__(self):
        self.before = faults(self.system)
        self.system.nic("fault", *self.words)
        return self

    def __exit__(self, *_):
        self.system.nic("fault", "off")

    def count(self, name):
        return faults(self.system)[name][1] - self.before[name][1]


class Connections:
    """Some that stay open, so that the daemon finds it worth giving them rules."""

    def __init__(self, system):
        self.sockets = [system.connect() for _ in range(CONNECTIONS)]

    def __enter__(self):
        self.use()
        return self

    def __exit__(self, *_):
        for s in self.sockets:
            s.close()

    def use(self):
        for s in self.sockets:
            s.sendall(b"GET /bytes/10 HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(nbtest.pattern(10)):
                answer += nbtest.read_exactly(s, 1)


def ping(count=1, interval=0.01, wait=1, **options):
    out = nbtest.command("ping", "-c", count, "-i", interval, "-W", wait, SERVER, expect=None, **options).stdout.decode()
    return int(re.search(r"(\d+) received", out).group(1)), out


def fetch(system, *options):
    status, body = system.curl(f"/bytes/{BODY}", *options)
    equal(status, 200, "status")
    check(body == nbtest.pattern(BODY), f"body differs, {len(body)} bytes")


def kernel_counter(name):
    lines = open("/proc/net/netstat", encoding="ascii").read().splitlines()
    names, values = next((a.split(), b.split()) for a, b in zip(lines[::2], lines[1::2]) if name in a)
    return int(values[names.index(name)])


def test_certain_loss_ends_all_talk_until_it_is_switched_off(system):
    equal(ping()[0], 1, "answers before")
    with Faulty(system, "loss", "100", "rx") as fault:
        equal(ping()[0], 0, "answers")
        check(fault.count("loss.rx") >= 1, "loss.rx counted")
        equal(fault.count("loss.tx"), 0, "loss.tx")
    equal(ping()[0], 1, "answers afterwards")


def test_transfer_survives_loss(system):
    with Faulty(system, "loss", "3") as fault:
        fetch(system)
        check(fault.count("loss.tx") > 0, "nothing was lost")


def test_duplicated_frames_are_answered_twice(system):
    with Faulty(system, "duplicate", "100", "rx") as fault:
        check("DUP!" in ping(count=3)[1], "no duplicate answer")
        check(fault.count("duplicate.rx") >= 2, "duplicate.rx counted")
    with Faulty(system, "duplicate", "50"):
        fetch(system)


def test_corrupted_frames_are_seen_by_the_checksum_and_never_by_the_reader(system):
    with Faulty(system, "corrupt", "3") as fault:
        fetch(system)
        check(fault.count("corrupt.tx") > 0, "nothing was corrupted on the way out")
    with Faulty(system, "corrupt", "100", "rx") as fault:
        equal(ping(count=5)[0], 0, "answers to corrupted questions")
        check(fault.count("corrupt.rx") >= 5, "corrupt.rx counted")


def test_delay_is_the_round_trip_that_ping_sees(system):
    with Faulty(system, "delay", "40", "tx") as fault:
        times = [float(t) for t in re.findall(r"time=([\d.]+)", ping(count=3)[1])]
        check(len(times) == 3 and all(t >= 40 for t in times), f"round trips: {times}")
        check(fault.count("delay.tx") >= 3, "delay.tx counted")


def test_reordered_segments_reach_the_kernel_out_of_order_and_the_reader_in_order(system):
    before = kernel_counter("TCPOFOQueue")
    with Faulty(system, "reorder", "10", "tx") as fault:
        fetch(system)
        check(fault.count("reorder.tx") > 0, "nothing was reordered")
    check(kernel_counter("TCPOFOQueue") > before, "the kernel saw no segment out of order")


def test_transfer_survives_a_loose_plug(system):
    with Faulty(system, "link-flap", "30", "60") as fault:
        nbtest.wait_until(lambda: fault.count("link-flap") >= 2, "two outages")
        fetch(system, "--retry", "3", "--retry-all-errors")
    nbtest.wait_until(lambda: ping()[0], "answers once the plug is fixed")


def test_full_table_refuses_filters_in_silence_and_traffic_goes_on(system):
    with Faulty(system, "table-full", "0") as fault:
        equal(faults(system)["table-full"][0], "0", "setting")
        with Connections(system) as connections:
            nbtest.wait_until(lambda: fault.count("table-full") > 0, "a filter refused")
            connections.use()


def test_slow_table_does_not_stop_connections(system):
    with Faulty(system, "table-slow", "2000") as fault:
        with Connections(system) as connections:
            nbtest.wait_until(lambda: fault.count("table-slow") > 0, "a slow filter command")
            connections.use()


def test_stalled_queues_hold_a_connection_until_they_move_again(system):
    with system.connect(timeout_s=1) as s:
        for queue in range(system.queues):
            system.nic("fault", "queue-stall", str(queue))
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        try:
            check(False, f"an answer through stalled queues: {s.recv(10)}")
        except socket.timeout:
            pass
        check(faults(system)["queue-stall"][1] > 0, "no frame met a stalled queue")
        system.nic("fault", "queue-stall", "off")
        s.settimeout(nbtest.LIMIT_S)
        check(nbtest.read_all(s).startswith(b"HTTP/1.1 200"), "the answer afterwards")


def test_wrong_words_are_refused_with_what_would_be_right(system):
    for words, answer in [(("loss", "101"), "0 to 100"), (("loss", "x"), "a percentage"), (("loss", "1", "up"), "rx or tx"),
                          (("queue-stall", "128"), "0 to 127"), (("smoke",), "usage: fault"), (("seed", "-1"), "a number"),
                          (("delay", "nan"), "milliseconds")]:
        refused = nbtest.command(nbtest.BUILD / "nicsim", "ctl", "fault", *words, expect=1)
        check(answer in refused.stderr.decode(), f"fault {words}: {refused.stderr.decode()}")


def test_spontaneous_reset_switches_the_receiver_off(system):
    check("receiver on" in system.nic("status"), "receiver before")
    with Faulty(system, "reset") as fault:
        equal(fault.count("reset"), 1, "resets")
    check("receiver off" in system.nic("status"), "receiver afterwards")
    equal(ping()[0], 0, "answers of a card that has forgotten everything")


if __name__ == "__main__":
    nbtest.main(lambda: nbtest.System(steering={"policy": "exact", "exact_after_ms": 0}))
