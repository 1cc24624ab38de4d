#!/usr/bin/env python3
"""What Debian's ixgbe driver (DPDK 22.11) does that surprises, each shown on the simulated 82599 with dpdk-testpmd. Who
changes the model learns here whether the real driver still behaves as it does on the card; who writes a rule planner
learns what to reckon with. The order of the tests is the order of a port's life."""
import re

import frames
import nbtest
import testpmd
from nbtest import check, equal

FIVE_TUPLES = 128
SMALL_TABLE = 10
RULE = "pattern eth / ipv4 src is 10.0.0.1 dst is 10.0.{n} / tcp src is 1000 dst is 80 / end actions queue index 2 / "
FIVE_TUPLE, MARKED = RULE + "end", RULE + "mark id {mark} / end"
PORT_ONLY = "pattern eth / ipv4 src spec 0.0.0.0 src mask 0.0.0.0 / tcp dst is {port} / end actions queue index 1 / mark id {mark} / end"
ALL_IGNORED = 0xFFFFFFFF


class Started:
    """testpmd receiving, entered once for all tests."""

    def __init__(self):
        self.pmd = testpmd.Testpmd("--enable-rx-cksum", "--rss-ip")

    def __enter__(self):
        self.pmd.__enter__()
        for command in ("set fwd rxonly", "set verbose 1", "start"):
            self.pmd.say(command)
        return self.pmd

    def __exit__(self, *why):
        self.pmd.__exit__(*why)


def address(i):
    return f"{i // 250}.{i % 250 + 1}"


def register(pmd, name):
    return int(pmd.nic("reg", name), 16)


def used(pmd, table="flow-director"):
    return int(pmd.nic("table", table).split()[0])


def create(pmd, rule):
    """What testpmd says to a new rule."""
    return pmd.say(f"flow create 0 ingress {rule}")


def create_many(pmd, rules):
    """Have testpmd read the commands from a file: much faster than typing them."""
    script = pmd.folder / "rules"
    script.write_text("".join(f"flow create 0 ingress {rule}\n" for rule in rules), encoding="ascii")
    pmd.process.stdin.write(f"load {script}\n".encode())
    pmd.process.stdin.flush()
    heard = pmd.until(r"Read CLI commands from \S+")
    pmd.until_prompt()
    return heard


def test_validating_a_rule_already_reconfigures_the_card(pmd):
    before = register(pmd, "RXPBSIZE[0]")
    equal(register(pmd, "FDIRCTRL"), 0, "FDIRCTRL before")
    pmd.say("flow validate 0 ingress " + MARKED.format(n="0.2", mark=1))
    equal(before - register(pmd, "RXPBSIZE[0]"), 64 << 10, "packet buffer taken by the table")
    check(register(pmd, "FDIRCTRL") & 0x10, "perfect match mode is latched")
    equal(used(pmd), 0, "filters")


def test_without_mark_rules_go_to_the_5_tuple_table_of_128_and_the_next_is_refused(pmd):
    answers = create_many(pmd, [FIVE_TUPLE.format(n=address(i)) for i in range(FIVE_TUPLES)])
    equal(answers.count("created"), FIVE_TUPLES, "rules created")
    equal(used(pmd, "5-tuple"), FIVE_TUPLES, "5-tuple filters")
    equal(used(pmd), 0, "Flow Director filters")
    refused = create(pmd, FIVE_TUPLE.format(n=address(FIVE_TUPLES)))
    check("created" not in refused and "Function not implemented" in refused, refused)
    frame = frames.tcp("10.0.0.1", 1000, "10.0." + address(FIVE_TUPLES - 1), 80)
    equal(pmd.receive(frame)["table"], "5-tuple", "the last one steers")
    pmd.say("flow flush 0")
    equal(used(pmd, "5-tuple"), 0, "5-tuple filters after a flush")


def test_full_flow_director_is_silent(pmd):
    """With a table made small; all 2046 take testpmd half a minute (tests/long)."""
    before = pmd.xstat("flow_director_filter_add_errors")
    pmd.nic("fault", "table-full", str(SMALL_TABLE))
    answers = create_many(pmd, [MARKED.format(n=address(i), mark=i + 1) for i in range(SMALL_TABLE + 5)])
    equal(answers.count("created"), SMALL_TABLE + 5, "rules that the driver calls created")
    equal(used(pmd), SMALL_TABLE, "filters in the card")
    equal(pmd.xstat("flow_director_filter_add_errors") - before, 5, "add errors")
    last = pmd.receive(frames.tcp("10.0.0.1", 1000, "10.0." + address(SMALL_TABLE - 1), 80))
    equal((last["table"], last["rule"]), ("flow-director", str(SMALL_TABLE)), "the last that fitted")
    lost = pmd.receive(frames.tcp("10.0.0.1", 1000, "10.0." + address(SMALL_TABLE), 80))
    equal(lost["table"], "rss", "the first that did not")
    pmd.nic("fault", "off")


def test_mask_of_the_first_rule_binds_all_others_and_outlives_a_flush(pmd):
    check("created" not in create(pmd, PORT_ONLY.format(port=81, mark=3000)), "another mask was taken")
    pmd.say("flow flush 0")
    equal(used(pmd), 0, "filters after the flush")
    check("created" not in create(pmd, PORT_ONLY.format(port=81, mark=3000)), "another mask was taken after the flush")
    rule = pmd.flow_create(MARKED.format(n="0.2", mark=1))
    pmd.flow_destroy(rule)  # the last rule, one by one: that frees the mask
    rule = pmd.flow_create(PORT_ONLY.format(port=81, mark=3000))
    equal(pmd.receive(frames.tcp("10.9.9.9", 5, "10.8.8.8", 81))["table"], "flow-director", "any addresses")
    pmd.flow_destroy(rule)


def test_rule_of_a_foreign_queue_may_be_called_valid(pmd):
    """Which errno an earlier call left decides; so either answer is the driver's, but the card must not be touched."""
    answer = pmd.say("flow validate 0 ingress " + MARKED.format(n="0.2", mark=1).replace("index 2", "index 99"))
    check(re.search(r"validated|Not supported|error", answer), answer)
    equal(used(pmd), 0, "filters")


def test_restart_of_the_port_ignores_every_field(pmd):
    rule = pmd.flow_create(MARKED.format(n="0.2", mark=1))
    equal(register(pmd, "FDIRTCPM"), 0, "TCP ports compared before")
    pmd.flow_destroy(rule)
    for command in ("stop", "port stop 0", "port start 0"):
        pmd.say(command)
    equal(register(pmd, "FDIRTCPM"), ALL_IGNORED, "FDIRTCPM after the restart")
    equal(register(pmd, "FDIRSIP4M"), ALL_IGNORED, "FDIRSIP4M")
    equal(register(pmd, "FDIRDIP4M"), ALL_IGNORED, "FDIRDIP4M")
    pmd.say("start")


def test_marks_are_not_reported_and_frames_keep_their_rss_hash(pmd):
    rule = pmd.flow_create(MARKED.format(n="0.2", mark=77))
    verdict = pmd.receive(frames.tcp("10.0.0.1", 1000, "10.0.0.2", 80))
    equal(verdict["table"], "flow-director", "table")
    equal(int(verdict["pmd_hash"], 16), int(verdict["hash"], 16), "the mbuf has the RSS hash")
    check("FDIR" not in pmd.said[-2000:], "an FDIR flag in the mbuf")
    pmd.flow_destroy(rule)


if __name__ == "__main__":
    nbtest.main(Started)
