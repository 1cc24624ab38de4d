#!/usr/bin/env python3
"""Short connections in numbers under policy exact: the table stays sane and serves those that stay."""
import contextlib
import time

import nbtest
from nbtest import check, equal

GET = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
STAYING = 50
SHORT = 3000


def table(system):
    return next(row for row in system.ask("rule", "table") if row["engine"] == "flow-director")


def ask_and_close(system):
    with system.connect() as client:
        client.sendall(GET)
        while client.recv(4096):
            pass


def test_flood_of_short_connections_leaves_the_table_in_order(system):
    with contextlib.ExitStack() as stack:
        for _ in range(STAYING):
            stack.enter_context(system.connect())
        started = time.monotonic()
        for i in range(SHORT):
            ask_and_close(system)
            if i % 500 == 0:
                row = table(system)
                check(row["used"] <= row["max"] and row["device_used"] == row["used"], f"in the flood: {row}")
        rate = SHORT / (time.monotonic() - started)
        print(f"# {rate:.0f} connections/s, {table(system)['added']} rules made", flush=True)
        nbtest.wait_until(lambda: table(system)["used"] == STAYING, "only rules of connections that stay")
        row = table(system)
        equal((row["device_used"], row["failed"]), (STAYING, 0), "rules in the NIC, operations refused")
        equal(row["added"] - row["removed"], STAYING, "rules made less rules removed")
        equal(system.counter("misdirected"), 0, "misdirected")


if __name__ == "__main__":
    nbtest.main(lambda: nbtest.System(steering={"policy": "exact", "exact_after_ms": 0}))
