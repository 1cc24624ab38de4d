#!/usr/bin/env python3
"""All that an 82599 has: 2046 exact rules and, with steering.spill_rules, 128 five-tuple rules are in force at once, by the
NIC's own tables; the next connection works by RSS.
"""
import contextlib
import resource
from collections import Counter

import nbtest
from nbtest import equal

EXACT, FIVE_TUPLE, MORE = 2046, 128, 26
FLOWS = EXACT + FIVE_TUPLE + MORE


def tables(system):
    return {row["engine"]: row for row in system.ask("rule", "table")}


def in_nic(system, table):
    return len(system.nic("table", table).splitlines()) - 1


def test_both_tables_are_full_and_the_next_connection_works(system):
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * FLOWS, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with contextlib.ExitStack() as stack:
        for _ in range(FLOWS):
            stack.enter_context(system.connect())
        nbtest.wait_until(lambda: tables(system)["flow-director"]["rejected"] == MORE, f"{MORE} flows turned away")
        nbtest.wait_until(lambda: tables(system)["5-tuple"]["used"] == FIVE_TUPLE, f"{FIVE_TUPLE} five-tuple rules")
        equal((in_nic(system, "flow-director"), in_nic(system, "5-tuple")), (EXACT, FIVE_TUPLE), "filters in the NIC")
        rows = tables(system)
        equal([(rows[e]["used"], rows[e]["max"]) for e in ("flow-director", "5-tuple")],
              [(EXACT, EXACT), (FIVE_TUPLE, FIVE_TUPLE)], "used and max")
        equal(Counter((f["method"], f["why"]) for f in system.flows()),
              {("exact", "policy exact"): EXACT + FIVE_TUPLE, ("rss", "table full"): MORE}, "methods of the flows")
        equal(system.curl("/")[0], 200, "status for one more connection")
        equal(system.counter("misdirected"), 0, "misdirected")
    nbtest.wait_until(lambda: in_nic(system, "flow-director") == in_nic(system, "5-tuple") == 0, "empty tables")


if __name__ == "__main__":
    nbtest.main(lambda: nbtest.System(steering={"policy": "exact", "exact_after_ms": 0, "reserved_rules": 0,
                                                "spill_rules": 128}))
