#!/usr/bin/env python3
"""Audit: a filter that somebody puts into the NIC, or takes out of it, behind netbypassd's back is found.

The 82599 cannot be read back through its driver; it counts. So the audit says how many are too many or too few, and that
the NIC cannot name them. The stranger is written with the NIC's own registers, as a mad driver would.
"""
import contextlib

import nbtest
from nbtest import equal

FLOWS = 20
ADD_TCP_FILTER_TO_QUEUE_1 = 0x1 | 1 << 3 | 2 << 5 | 1 << 11 | 1 << 15 | 1 << 16  # FDIRCMD, datasheet 8.2.3.21.17
REMOVE_FILTER = 0x2
STRANGER = 0x7ABC << 16 | 0x8000 | 5  # FDIRHASH: soft id, valid, bucket


def write(system, **registers):
    for name, value in registers.items():
        system.nic("reg", name, hex(value))


def audit(system):
    return next(row for row in system.ask("rule", "audit") if row["engine"] == "flow-director")


def test_orphan_is_found_and_gone_when_it_goes(system):
    with contextlib.ExitStack() as stack:
        for _ in range(FLOWS):
            stack.enter_context(system.connect())
        nbtest.wait_until(lambda: audit(system)["rules"] == FLOWS, f"{FLOWS} rules")
        before = audit(system)
        equal((before["device_used"], before["orphans"], before["missing"], before["witness"]),
              (FLOWS, 0, 0, "count only"), "audit of an honest NIC")
        equal(system.ask("rule", "findings"), [], "findings")

        write(system, FDIRIPSA=0x0A0A0A0A, FDIRIPDA=0x0A0A0A0B, FDIRPORT=0x12345678, FDIRHASH=STRANGER,
              FDIRCMD=ADD_TCP_FILTER_TO_QUEUE_1)
        equal((audit(system)["device_used"], audit(system)["orphans"]), (FLOWS + 1, 1), "audit with an orphan")
        equal([(f["kind"], f["engine"]) for f in system.ask("rule", "findings")], [("orphan", "flow-director")],
              "findings")

        write(system, FDIRHASH=STRANGER, FDIRCMD=REMOVE_FILTER)
        equal((audit(system)["device_used"], audit(system)["orphans"]), (FLOWS, 0), "audit without it")


if __name__ == "__main__":
    nbtest.main(lambda: nbtest.System(steering={"policy": "exact", "exact_after_ms": 0}))
