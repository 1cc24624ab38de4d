#!/usr/bin/env python3
"""The life of a port again and again, through dpdk-testpmd: stopped and started with rules and frames in between, the cable
pulled and put back. What the last time does must be what the first did."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

import frames  # pylint: disable=wrong-import-position
import nbtest  # pylint: disable=wrong-import-position
import testpmd  # pylint: disable=wrong-import-position
from nbtest import check, equal  # pylint: disable=wrong-import-position

CYCLES = 50
FLAPS = 10  # ixgbe waits seconds before it believes a change
EVENT = "link state change event"
FRAME = frames.tcp("10.0.0.1", 1000, "10.0.0.2", 80)
RULE = "pattern eth / ipv4 src is 10.0.0.1 dst is 10.0.0.2 / tcp src is 1000 dst is 80 / end actions queue index 3 "


class Started:
    """testpmd receiving."""

    def __init__(self):
        self.pmd = testpmd.Testpmd("--enable-rx-cksum", "--rss-ip")

    def __enter__(self):
        self.pmd.__enter__()
        for command in ("set fwd rxonly", "set verbose 1", "start"):
            self.pmd.say(command)
        return self.pmd

    def __exit__(self, *why):
        self.pmd.__exit__(*why)


def test_port_works_after_every_restart(pmd):
    first = pmd.receive(FRAME)
    for cycle in range(CYCLES):
        pmd.restart()
        again = pmd.receive(FRAME)
        equal((again["table"], again["pmd_queue"], again["pmd_hash"]),
              (first["table"], first["pmd_queue"], first["pmd_hash"]), f"by RSS in cycle {cycle}")
        for actions, table in (("/ end", "5-tuple"), (f"/ mark id {cycle + 1} / end", "flow-director")):
            rule = pmd.flow_create(RULE + actions)
            got = pmd.receive(FRAME)
            equal((got["table"], got["pmd_queue"]), (table, "3"), f"by rule in cycle {cycle}")
            pmd.flow_destroy(rule)
    stats = pmd.stats()
    equal((stats["dma_faults"], stats["single_steps"], pmd.drops()), (0, 0, {}), "faults, single steps, drops")


def test_link_is_seen_down_and_up_every_time(pmd):
    pmd.skip_what_was_said()
    before = pmd.said.count(EVENT)
    for cycle in range(FLAPS):
        for state in ("down", "up"):
            pmd.nic("link", state)
            nbtest.wait_until(lambda: f"Link status: {state}" in pmd.say("show port info 0"), f"{state} in cycle {cycle}")
    events = pmd.said.count(EVENT) - before
    check(events >= FLAPS, f"{events} link events; one interrupt may tell of two changes")
    equal(pmd.receive(FRAME)["pmd_queue"], pmd.receive(FRAME)["pmd_queue"], "frames come in afterwards")


if __name__ == "__main__":
    nbtest.main(Started)
