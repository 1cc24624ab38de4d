#!/usr/bin/env python3
"""The table is a budget: 2046 connections have a rule, the others work by RSS, and the NIC's own table agrees.

The driver is Debian's own ixgbe, which reports a rule as created when the table is full. What it has programmed is read
back from nicsim, a different program, and compared with what netbypassd believes.
"""
import contextlib
import re
import resource
from collections import Counter

import nbtest
from nbtest import equal

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
SIZE = 2046   # perfect filters of an 82599 under DPDK 22.11
FLOWS = 2200
CLOSED = 300


def table(system):
    return next(row for row in system.ask("rule", "table") if row["engine"] == "flow-director")


FILTER = re.compile(r"bucket \d+ soft id (\d+): (\S+) > (\S+) tcp queue (\d+)")


def in_nic(system):
    """The NIC's own table: (mark, source, destination, queue) of every filter."""
    return sorted(FILTER.fullmatch(line).groups() for line in system.nic("table", "flow-director").splitlines()[1:])


def ask_all(clients):
    for client in clients:
        client.sendall(GET)
    for client in clients:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += nbtest.read_exactly(client, 1)
        nbtest.read_exactly(client, 64)


def wait_for_used(system, used):
    nbtest.wait_until(lambda: table(system)["used"] == used, f"{used} rules")
    equal(table(system)["device_used"], used, "rules as the NIC counts them")


def test_full_table_refuses_nobody_and_empties_again(system):
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * FLOWS, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(system.connect()) for _ in range(FLOWS)]
        nbtest.wait_until(lambda: table(system)["rejected"] == FLOWS - SIZE, f"{FLOWS - SIZE} flows turned away")
        wait_for_used(system, SIZE)
        equal(Counter((f["method"], f["why"]) for f in system.flows()),
              {("exact", "policy exact"): SIZE, ("rss", "table full"): FLOWS - SIZE}, "methods of the flows")
        ask_all(clients)
        equal(system.counter("misdirected"), 0, "misdirected")

        for client in clients[:CLOSED]:  # all of them had a rule: those turned away take their places
            client.close()
        wait_for_used(system, FLOWS - CLOSED)
        equal({f["method"] for f in system.flows(state="established")}, {"exact"}, "methods of the flows that are left")
        ask_all(clients[CLOSED:])
        equal(system.counter("misdirected"), 0, "misdirected")
    wait_for_used(system, 0)
    equal(table(system)["failed"], 0, "operations refused")


def test_nic_holds_exactly_the_rules_that_are_shown(system):
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(system.connect())
        wait_for_used(system, 50)
        rules = system.ask("rule", "list")
        equal(len({rule["mark"] for rule in rules}), 50, "different marks")
        shown = [(str(rule["mark"]), *rule["match"].removeprefix("tcp ").split(" -> "), str(rule["queue"]))
                 for rule in rules]
        equal(in_nic(system), sorted(shown), "filters in the NIC")
        equal({(r["hits"], r["no_hits"]) for r in system.ask("rule", "list")},
              {(None, "the driver has no counters of rules")}, "hits, and why there are none")


if __name__ == "__main__":
    nbtest.main(lambda: nbtest.System(steering={"policy": "exact", "exact_after_ms": 0, "reserved_rules": 0}))
