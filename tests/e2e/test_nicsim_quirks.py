#!/usr/bin/env python3
"""What Debian's ixgbe driver (DPDK 22.11) does that surprises, each shown on the simulated 82599 with dpdk-testpmd. Who
changes the model learns here whether the real driver still behaves as it does on the card; who writes a rule planner
learns what to reckon with. The order of the tests is the order of a port's life."""
import tempfile

import frames
import nbtest
import testpmd
from nbtest import check, equal

FIVE_TUPLES = 128
SMALL_TABLE = 10
RULE = "pattern eth / ipv4 src is 10.0.0.1 dst is 10.0.{n} / tcp src is 1000 dst is 80 / end actions queue index 2 / "
FIVE_TUPLE, MARKED = RULE + "end", RULE + "mark id {mark} / end"
PORT_ONLY = "pattern eth / ipv4 src spec 0.0.0.0 src mask 0.0.0.0 / tcp dst is {port} / end " \
            "actions queue index 1 / mark id {mark} / end"
PART_OF_PORT = "pattern eth / ipv4 src spec 0.0.0.0 src mask 0.0.0.0 / tcp dst spec {port} dst mask 0x000f / end " \
               "actions queue index 1 / mark id 1 / end"
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


def test_another_mask_is_refused_with_the_result_of_a_comparison_as_error_number(pmd):
    rule = pmd.flow_create(MARKED.format(n="0.2", mark=1))
    refused = create(pmd, PORT_ONLY.format(port=81, mark=3000))
    check("Unknown error" in refused, refused)
    pmd.flow_destroy(rule)


def test_value_outside_its_mask_is_taken_and_never_matches(pmd):
    """The driver hashes the value as given, the card the packet's under the mask."""
    for port, table in ((0x1233, "rss"), (0x0003, "flow-director")):
        rule = pmd.flow_create(PART_OF_PORT.format(port=port))
        equal(pmd.receive(frames.tcp("10.0.0.1", 5, "10.0.0.2", 0x1233))["table"], table, f"with value {port:#x}")
        pmd.flow_destroy(rule)


def test_rule_with_an_empty_pattern_catches_every_ipv4_packet(pmd):
    rule = pmd.flow_create("pattern eth / ipv4 / tcp / end actions queue index 2 / end")
    for frame in (frames.tcp("192.0.2.1", 1, "192.0.2.2", 2), frames.udp("192.0.2.1", 1, "192.0.2.2", 2)):
        equal(pmd.receive(frame)["table"], "5-tuple", "table")
    pmd.flow_destroy(rule)


def test_rule_for_tcp_that_does_not_say_proto_catches_udp_too(pmd):
    for proto, table in (("", "5-tuple"), ("proto is 6", "rss")):
        rule = pmd.flow_create(FIVE_TUPLE.format(n="0.2").replace("dst is 10.0.0.2", f"dst is 10.0.0.2 {proto}"))
        equal(pmd.receive(frames.tcp("10.0.0.1", 1000, "10.0.0.2", 80))["table"], "5-tuple", "table of TCP")
        equal(pmd.receive(frames.udp("10.0.0.1", 1000, "10.0.0.2", 80))["table"], table, f"table of UDP, '{proto}'")
        pmd.flow_destroy(rule)


def test_second_rule_of_a_kind_is_refused(pmd):
    syn = "pattern eth / ipv4 / tcp flags spec 2 flags mask 2 / end actions queue index {} / end"
    for first, second, words in ((FIVE_TUPLE.format(n="0.2"),) * 2 + ("File exists",),
                                 (MARKED.format(n="0.2", mark=1), MARKED.format(n="0.2", mark=2), "Invalid argument"),
                                 (syn.format(1), syn.format(2), "Invalid argument")):
        rule = pmd.flow_create(first)
        answer = create(pmd, second)
        check("created" not in answer and words in answer, answer)
        pmd.flow_destroy(rule)


def test_mark_beyond_15_bits_loses_the_others(pmd):
    rule = pmd.flow_create(MARKED.format(n="0.2", mark=0x8000 + 9))
    equal(pmd.receive(frames.tcp("10.0.0.1", 1000, "10.0.0.2", 80))["rule"], "9", "soft id")
    pmd.flow_destroy(rule)


def test_rules_of_one_bucket_and_mark_cannot_be_told_apart_when_one_is_destroyed(pmd):
    """The driver names a filter by bucket and mark only. Swapped addresses have the same bucket."""
    there, back = (MARKED.format(n="0.2", mark=5), MARKED.format(n="0.1", mark=5).replace("src is 10.0.0.1", "src is 10.0.0.2"))
    pmd.flow_create(there)
    second = pmd.flow_create(back)
    pmd.flow_destroy(second)
    equal(used(pmd), 1, "filters left")
    equal([pmd.receive(frame)["table"] for frame in (frames.tcp("10.0.0.1", 1000, "10.0.0.2", 80),
                                                     frames.tcp("10.0.0.2", 1000, "10.0.0.1", 80))],
          ["rss", "flow-director"], "tables of the rule that is left for the driver, and of the one it destroyed")
    pmd.say("flow flush 0")
    pmd.flow_destroy(pmd.flow_create(there))  # the last one, one by one: that frees the mask


def test_rules_cannot_be_counted_nor_the_port_isolated(pmd):
    rule = pmd.flow_create(MARKED.format(n="0.2", mark=1))
    for command in (f"flow query 0 {rule} count", "flow isolate 0 1"):
        answer = pmd.say(command)
        check("Function not implemented" in answer, answer)
    pmd.flow_destroy(rule)


def test_queue_that_does_not_exist_is_valid_if_the_last_error_was_none(_):
    """rte_flow_validate returns the negated rte_errno that an earlier call left; creating such a rule fails later on."""
    with tempfile.TemporaryDirectory(prefix="nbtest.") as folder:
        dpdk = nbtest.command("pkg-config", "--cflags", "--libs", "libdpdk").stdout.decode().split()
        nbtest.command("gcc", nbtest.ROOT / "tests/e2e/programs/errno_probe.c", "-o", f"{folder}/errno_probe", *dpdk)
        said = nbtest.command(nbtest.BUILD / "nicsim", "--nic", "82599", "--wire", "none", "--", f"{folder}/errno_probe",
                              "-l", "0").stdout.decode()
    equal(said.splitlines(), ["validate 0 0", "create 0 refused", "validate 22 -22", "create 22 refused"], "answers")


def test_rss_does_not_reach_beyond_queue_15(_):
    """The driver fills the RETA with more queues than its four bits hold; the rest of the number is lost."""
    with testpmd.Testpmd("--rss-ip", queues=20) as pmd:
        table = {int(line.split()[3]) for line in pmd.nic("table", "reta").splitlines()}
        sent = {int(pmd.inject(frames.tcp(f"10.0.0.{i}", 1000, "10.0.0.2", 80))["queue"]) for i in range(3, 203)}
    equal(table, set(range(16)), "queues in the RETA of a port with 20")
    equal(sent, table, "queues of frames from 200 addresses")


def test_flow_director_ends_vector_reception_at_the_next_start(_):
    with testpmd.Testpmd("--rss-ip", eal=("-l", "0,1", "--log-level", "pmd.net.ixgbe.init:debug")) as pmd:
        check("Vector rx enabled" in pmd.said, "vector reception at first")
        pmd.say("flow validate 0 ingress " + MARKED.format(n="0.2", mark=1))
        pmd.say("port stop 0")
        restarted = pmd.say("port start 0")
        check("doesn't meet Vector Rx preconditions" in restarted, restarted[-1500:])


def test_flush_of_one_port_takes_the_rules_of_the_others_from_the_driver_only(_):
    """The driver's lists are one for all ports, and the flush of one frees what belongs to another: its filter stays in the
    card, and nobody can remove it one by one any more."""
    two = ("--nic", "82599", "--queues", "4", "--wire", "none")
    with testpmd.Testpmd("--rss-ip", nic_options=two) as pmd:
        for port in (0, 1):  # testpmd does not flush what it knows to be empty
            check("created" in pmd.say(f"flow create {port} ingress " + MARKED.format(n="0.2", mark=1)), "a rule")
        pmd.say("flow flush 0")
        equal(pmd.nic("port", "1", "table", "flow-director").split()[0], "1", "filters in the other card")
        answer = pmd.say("flow destroy 1 rule 0")
        check("Filter type (0) not supported" in answer, answer)
        equal(pmd.nic("port", "1", "table", "flow-director").split()[0], "1", "filters after that")


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
