#!/usr/bin/env python3
"""A port is restarted under load: no connection is lost, and afterwards every one has its rule again.

ixgbe loses its mask when a port starts (every filter it restores then ignores every field, and new ones are refused), so
that the rules are there afterwards, in the NIC's own table, and steer, says that they went before and came back after.
"""
import contextlib
import json
import threading

import nbtest
from nbtest import check, equal

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
FLOWS = 100


def ask(client):
    client.sendall(GET)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += nbtest.read_exactly(client, 1)
    nbtest.read_exactly(client, 64)


class Load(threading.Thread):
    """Requests and responses, one connection after the other, until told to stop."""

    def __init__(self, clients):
        super().__init__()
        self.clients, self.rounds, self.failure, self.stop = clients, 0, None, threading.Event()

    def run(self):
        try:
            while not self.stop.is_set():
                for client in self.clients:
                    ask(client)
                self.rounds += 1
        except Exception as e:  # told by end()
            self.failure = e

    def wait_for_round(self):
        seen = self.rounds
        nbtest.wait_until(lambda: self.rounds > seen or self.failure, "a round of requests")

    def end(self):
        self.stop.set()
        self.join()
        if self.failure:
            raise self.failure


def table(system):
    return next(row for row in system.ask("rule", "table") if row["engine"] == "flow-director")


def in_nic(system):
    return len(system.nic("table", "flow-director").splitlines()) - 1


def traced_tables(system, clients):
    path = system.folder / "trace"
    system.nic("trace", "to", path, "frames")
    for client in clients:
        ask(client)
    system.nic("trace", "off")
    frames = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    ports = {c.getsockname()[1] for c in clients}
    return {f["table"] for f in frames if f["event"] == "rx" and f.get("proto") == "tcp" and f["sport"] in ports}


def test_restart_under_load_loses_no_connection_and_no_rule(system):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(system.connect()) for _ in range(FLOWS)]
        nbtest.wait_until(lambda: table(system)["used"] == FLOWS, f"{FLOWS} rules")
        load = Load(clients)
        load.start()
        try:
            for _ in range(2):
                load.wait_for_round()
                system.ctl("port", "restart", "0")
                nbtest.wait_until(lambda: table(system)["used"] == FLOWS, f"{FLOWS} rules again")
                equal(in_nic(system), FLOWS, "filters in the NIC")
            load.wait_for_round()
        finally:
            load.end()
        check(load.rounds >= 3, f"{load.rounds} rounds of requests")
        equal({f["method"] for f in system.flows(state="established")}, {"exact"}, "methods of the flows")
        equal(traced_tables(system, clients), {"flow-director"}, "tables that chose a queue")
        equal(table(system)["failed"], 0, "operations refused")
        equal(system.counter("misdirected"), 0, "misdirected")


if __name__ == "__main__":
    nbtest.main(lambda: nbtest.System(steering={"policy": "exact", "exact_after_ms": 0}))
