#!/usr/bin/env python3
"""Duplicate Address Detection: an IPv6 address that another host has is not used, the others are."""
import nbtest
from nbtest import check, equal, wait_until

TAKEN = "fd99::1"   # the other end of the wire has it
OURS = "fd99::2"


def test_an_address_that_is_taken_is_not_used():
    ports = [{"device": "0000:82:00.0", "address": f"{nbtest.SERVER}/24", "addresses": [f"{TAKEN}/64", f"{OURS}/64"]}]
    with nbtest.System(ports=ports) as system:
        states = wait_until(lambda: settled(system), "Duplicate Address Detection has ended")
        equal(states[f"{TAKEN}/64"], "conflict", "state of the address that the other end has")
        equal(states[f"{OURS}/64"], "usable", "state of the other one")
        check(system.counter("address_conflicts") >= 1, "conflicts are counted")


def settled(system):
    states = {a["address"]: a["state"] for a in system.ask("port", "show")[0]["addresses"]}
    return None if "tentative" in states.values() else states


if __name__ == "__main__":
    nbtest.main()
