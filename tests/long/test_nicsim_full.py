#!/usr/bin/env python3
"""The whole Flow Director table through dpdk-testpmd: 2046 filters fit, the driver calls 14 more created. Most of the
time is testpmd reading commands, some 40 a second."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

import frames  # pylint: disable=wrong-import-position
import nbtest  # pylint: disable=wrong-import-position
import testpmd  # pylint: disable=wrong-import-position
from nbtest import equal  # pylint: disable=wrong-import-position

FILTERS, MORE = 2046, 14
BURST_LIMIT_S = 150
RULE = "flow create 0 ingress pattern eth / ipv4 src is 10.0.0.1 dst is 10.0.{n} / tcp src is 1000 dst is 80 / end " \
       "actions queue index 2 / mark id {mark} / end\n"


def address(i):
    return f"{i // 250}.{i % 250 + 1}"


def test_table_takes_2046_filters_and_refuses_more_in_silence():
    with testpmd.Testpmd("--enable-rx-cksum", "--rss-ip") as pmd:
        for command in ("set fwd rxonly", "set verbose 1", "start"):
            pmd.say(command)
        before = pmd.xstat("flow_director_filter_add_errors")
        script = pmd.folder / "rules"
        script.write_text("".join(RULE.format(n=address(i), mark=i + 1) for i in range(FILTERS + MORE)), encoding="ascii")
        pmd.process.stdin.write(f"load {script}\n".encode())
        pmd.process.stdin.flush()
        heard = pmd.until(r"Read CLI commands from \S+", BURST_LIMIT_S)
        pmd.until_prompt()
        equal(heard.count("created"), FILTERS + MORE, "rules that the driver calls created")
        equal(pmd.nic("table", "flow-director").split()[0], str(FILTERS), "filters in the card")
        equal(int(pmd.nic("reg", "FDIRFREE"), 16) & 0xFFFF, 0, "FDIRFREE")
        equal(pmd.xstat("flow_director_filter_add_errors") - before, MORE, "add errors")
        for i, table in ((0, "flow-director"), (FILTERS - 1, "flow-director"), (FILTERS, "rss")):
            verdict = pmd.receive(frames.tcp("10.0.0.1", 1000, "10.0." + address(i), 80))
            equal(verdict["table"], table, f"the frame of rule {i + 1}")
        pmd.say("flow flush 0", BURST_LIMIT_S)
        equal(pmd.nic("table", "flow-director").split()[0], "0", "filters after a flush")


if __name__ == "__main__":
    nbtest.main()
