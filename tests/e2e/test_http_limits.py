#!/usr/bin/env python3
"""What happens at the limits of a worker: a full connection table drops SYNs, counts them, and recovers."""
import contextlib
import socket

import nbtest
from nbtest import check, equal

CONNECTIONS = 32  # per worker


def small_system():
    return nbtest.System(limits={"connections": CONNECTIONS})


def test_full_connection_table_drops_syns_and_counts_them(system):
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(3 * 2 * CONNECTIONS):  # by either worker's hash both tables fill
            s = stack.enter_context(socket.socket())
            s.setblocking(False)
            s.connect_ex((nbtest.SERVER, 80))
            opened.append(s)
        nbtest.wait_until(lambda: system.counter("drop_table_full") > 0, "a SYN is dropped for a full table")
        nbtest.wait_until(lambda: len(system.flows()) == 2 * CONNECTIONS, "both tables are full")
        for worker in system.ask("worker", "list"):
            check(worker["flows"] <= CONNECTIONS, f"worker {worker['worker']} has {worker['flows']} connections")
    nbtest.wait_until(lambda: not system.flows(), "the connections are gone again")
    equal(system.curl("/")[0], 200, "a request after the table was full")


def test_resets_were_not_sent_for_dropped_syns(system):
    equal(system.counter("rst_sent"), 0, "rst_sent")


if __name__ == "__main__":
    nbtest.main(small_system)
