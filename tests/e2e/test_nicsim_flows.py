#!/usr/bin/env python3
"""Every kind of flow rule that Debian's ixgbe driver makes of an rte_flow: dpdk-testpmd is told the rule, the driver programs
the simulated 82599, and frames arrive where the rule says, those beside it elsewhere."""
import struct

import frames
import nbtest
import testpmd
from nbtest import check, equal

A, B = "10.0.0.1", "10.0.0.2"
ETHERTYPE = 0x88B5  # for local experiments (IEEE 802)
FLEX_AT = 54        # the two bytes that a flexible rule looks at: the first of a TCP segment's payload
FLEX = f"raw relative spec 0 relative mask 1 search spec 0 search mask 1 offset spec {FLEX_AT} offset mask 0xffffffff " \
       "limit spec 0 limit mask 0xffff pattern is ab"
ALL = "/ tcp src is 1000 dst is 80"


def sctp(src, sport, dst, dport):
    return frames.packet(src, dst, 132, struct.pack("!HHII", sport, dport, 1, 0), 8)


def text(words):
    return frames.tcp(A, 1000, B, 80, payload=words)


# What the rule says, the table it lies in, a frame for it, a frame that differs in what the rule is about.
KINDS = [
    (f"eth / ipv4 src is {A} dst is {B} / tcp src is 1000 dst is 80 / end actions queue index 3",
     "5-tuple", frames.tcp(A, 1000, B, 80), frames.tcp(A, 1001, B, 80)),
    (f"eth / ipv4 src is {A} dst is {B} proto is 17 / udp src is 1000 dst is 53 / end actions queue index 3",
     "5-tuple", frames.udp(A, 1000, B, 53), frames.tcp(A, 1000, B, 53)),
    (f"eth / ipv4 src is {A} dst is {B} / sctp src is 1000 dst is 80 / end actions queue index 3",
     "5-tuple", sctp(A, 1000, B, 80), sctp(A, 1000, B, 81)),
    (f"eth / ipv4 dst is {B} proto is 6 / tcp dst is 80 / end actions queue index 3",
     "5-tuple", frames.tcp("192.0.2.7", 4, B, 80), frames.tcp("192.0.2.7", 4, B, 81)),
    ("eth / ipv4 / tcp flags spec 0x02 flags mask 0x02 / end actions queue index 3",
     "syn", frames.tcp(A, 1000, B, 80, flags=frames.SYN), frames.tcp(A, 1000, B, 80)),
    ("eth / ipv6 / tcp flags spec 0x02 flags mask 0x02 / end actions queue index 3",
     "syn", frames.tcp("2001:db8::1", 1000, "2001:db8::2", 80, flags=frames.SYN), frames.udp(A, 1000, B, 80)),
    (f"eth type is 0x{ETHERTYPE:x} / end actions queue index 3",
     "ethertype", frames.ethernet(ETHERTYPE, bytes(50)), frames.ethernet(ETHERTYPE + 1, bytes(50))),
    (f"eth / ipv4 src is {A} dst is {B} / tcp src is 1000 dst is 80 / end actions queue index 3 / mark id 5",
     "flow-director", frames.tcp(A, 1000, B, 80), frames.tcp(A, 1000, B, 81)),
    (f"eth / ipv4 src is {A} dst is {B} / udp src is 1000 dst is 80 / end actions queue index 3 / mark id 6",
     "flow-director", frames.udp(A, 1000, B, 80), frames.tcp(A, 1000, B, 80)),
    (f"eth / ipv4 src is {A} dst is {B} / end actions queue index 3 / mark id 7",
     "flow-director", frames.packet(A, B, frames.GRE_PROTOCOL, bytes(20), 18),
     frames.packet(A, "10.0.0.3", frames.GRE_PROTOCOL, bytes(20), 18)),
    ("eth / ipv4 src spec 10.1.0.0 src mask 255.255.0.0 dst spec 0.0.0.0 dst mask 0.0.0.0 / tcp src spec 0 src mask 0 "
     "dst spec 3 dst mask 0x0f / end actions queue index 3 / mark id 8",
     "flow-director", frames.tcp("10.1.2.3", 999, "10.9.9.9", 0x1233), frames.tcp("10.1.2.3", 999, "10.9.9.9", 0x1234)),
    (f"eth / ipv4 src is {A} dst is {B} / tcp src is 1000 dst is 80 / {FLEX} / end actions queue index 3 / mark id 9",
     "flow-director", text(b"abc"), text(b"acc")),
]


class Started:
    """testpmd receiving; its RSS leaves queue 3 to the rules."""

    def __init__(self):
        self.pmd = testpmd.Testpmd("--enable-rx-cksum", "--rss-ip")

    def __enter__(self):
        self.pmd.__enter__()
        for command in ("set fwd rxonly", "set verbose 1", "port config all rss all", "start"):
            self.pmd.say(command)
        self.pmd.spread_over(0, 1, 2)
        return self.pmd

    def __exit__(self, *why):
        self.pmd.__exit__(*why)


def arrives(pmd, frame):
    """Table and queue by the card's account; testpmd must have received the frame there."""
    verdict = pmd.receive(frame)
    equal(verdict["pmd_queue"], verdict["queue"], "testpmd's queue against the NIC's")
    return verdict["table"], int(verdict["queue"])


def used(pmd, table):
    return int(pmd.nic("table", table).split()[0])


def test_every_kind_of_rule_steers_its_frames_and_no_others(pmd):
    for rule, table, own, other in KINDS:
        check(arrives(pmd, own)[1] != 3, f"queue before {rule}")
        number = pmd.flow_create(f"pattern {rule} / end")
        equal(arrives(pmd, own), (table, 3), f"with {rule}")
        check(arrives(pmd, other)[1] != 3, f"another frame, with {rule}")
        pmd.flow_destroy(number)
        check(arrives(pmd, own)[1] != 3, f"queue after {rule}")


def test_drop_rule_swallows_its_frames_and_counts_them(pmd):
    number = pmd.flow_create(f"pattern eth / ipv4 src is {A} dst is {B} / end actions drop / end")
    own = frames.packet(A, B, frames.GRE_PROTOCOL, bytes(20), 18)
    equal(pmd.inject(own).get("drop"), "Flow Director drop rule", "why the card dropped it")
    check("Flow Director drop rule: 1" in pmd.nic("table", "drops"), "counted")
    arrives(pmd, frames.packet(A, "10.0.0.3", frames.GRE_PROTOCOL, bytes(20), 18))
    pmd.flow_destroy(number)
    arrives(pmd, own)


def test_5_tuple_filters_obey_their_priorities(pmd):
    low = pmd.flow_create(f"pattern eth / ipv4 src is {A} dst is {B} {ALL} / end actions queue index 1 / end")
    high = pmd.flow_create(f"priority 7 pattern eth / ipv4 dst is {B} / tcp dst is 80 / end actions queue index 3 / end")
    equal(arrives(pmd, frames.tcp(A, 1000, B, 80)), ("5-tuple", 3), "both match, seven before one")
    pmd.flow_destroy(high)
    equal(arrives(pmd, frames.tcp(A, 1000, B, 80)), ("5-tuple", 1), "the other alone")
    pmd.flow_destroy(low)


def test_syn_filter_ranks_by_its_priority(pmd):
    syn = frames.tcp(A, 1000, B, 80, flags=frames.SYN)
    five_tuple = pmd.flow_create(f"pattern eth / ipv4 src is {A} dst is {B} {ALL} / end actions queue index 1 / end")
    for priority, wins in (("0", ("5-tuple", 1)), ("0xffffffff", ("syn", 3))):
        rule = pmd.flow_create(f"priority {priority} pattern eth / ipv4 / tcp flags spec 2 flags mask 2 / end "
                               "actions queue index 3 / end")
        equal(arrives(pmd, syn), wins, f"SYN filter of priority {priority}")
        pmd.flow_destroy(rule)
    pmd.flow_destroy(five_tuple)


def test_rss_action_takes_the_queues_it_names_and_its_end_ends_rss(pmd):
    rule = pmd.flow_create("pattern end actions rss types ipv4-tcp end queues 1 3 end / end")
    queues = {arrives(pmd, frames.tcp(A, 1000 + i, B, 80)) for i in range(16)}
    equal(queues, {("rss", 1), ("rss", 3)}, "where TCP over IPv4 goes")
    equal(arrives(pmd, frames.udp(A, 1000, B, 80))[0], "default", "table of UDP, not among the types")
    pmd.flow_destroy(rule)
    equal(arrives(pmd, frames.tcp(A, 1000, B, 80)), ("default", 0), "TCP with the rule gone")
    pmd.restart()


def test_flush_empties_every_table(pmd):
    for rule, _, _, _ in (KINDS[0], KINDS[4], KINDS[6], KINDS[7]):
        pmd.flow_create(f"pattern {rule} / end")
    equal((used(pmd, "5-tuple"), used(pmd, "flow-director")), (1, 1), "filters before")
    check(int(pmd.nic("reg", "SYNQF"), 16) & 1, "SYN filter before")
    check(int(pmd.nic("reg", "ETQF[0]"), 16) >> 31, "EtherType filter before")
    pmd.say("flow flush 0")
    equal((used(pmd, "5-tuple"), used(pmd, "flow-director")), (0, 0), "filters after")
    equal((int(pmd.nic("reg", "SYNQF"), 16) & 1, int(pmd.nic("reg", "ETQF[0]"), 16) >> 31), (0, 0), "SYN, EtherType after")
    for _, _, own, _ in (KINDS[0], KINDS[4], KINDS[6]):
        check(arrives(pmd, own)[1] != 3, "queue after")


def test_rules_that_the_card_cannot_do_are_refused_and_change_nothing(pmd):
    for rule, words in (
            (f"pattern eth / ipv4 src is {A} dst is {B} {ALL} / end actions drop / end", "Invalid argument"),
            ("pattern eth / ipv6 src is 2001:db8::1 / tcp src is 1000 dst is 80 / end actions queue index 3 / mark id 1 / end",
             "Invalid argument"),
            (f"pattern eth / ipv4 src is {A} / end actions count / queue index 3 / end", "Invalid argument"),
            ("pattern eth type is 0x0800 / end actions queue index 3 / end", "Invalid argument"),
            ("pattern e_tag grp_ecid_b is 0x309 / end actions vf id 0 / end", "Invalid argument")):
        answer = pmd.say(f"flow create 0 ingress {rule}")
        check("created" not in answer, f"{rule}: {answer}")
        check(words in answer, f"{rule}: {answer}")
    equal((used(pmd, "5-tuple"), used(pmd, "flow-director")), (0, 0), "filters")


if __name__ == "__main__":
    nbtest.main(Started)
