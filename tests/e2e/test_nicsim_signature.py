#!/usr/bin/env python3
"""Signature filters of the Flow Director: dpdk-testpmd's `fuzzy` rules, for IPv4 and for IPv6. The mode of a port is
latched by its first rule, so these tests have a port of their own."""
import frames
import nbtest
import testpmd
from nbtest import check, equal

RULE = "pattern fuzzy thresh is 1 / {ip} src is {src} dst is {dst} / {l4} src is {sport} dst is {dport} / end " \
       "actions queue index {queue} / end"


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


def steered(pmd, frame):
    verdict = pmd.receive(frame)
    equal(verdict["pmd_queue"], verdict["queue"], "testpmd's queue against the NIC's")
    return verdict["table"], int(verdict["queue"])


def test_ipv4_flow_goes_where_its_signature_says(pmd):
    rule = pmd.flow_create(RULE.format(ip="ipv4", src="10.0.0.1", dst="10.0.0.2", l4="tcp", sport=1000, dport=80, queue=3))
    check("0 of 8190" not in pmd.nic("table", "flow-director"), "no filter in the NIC")
    check(" of 8190 filters" in pmd.nic("table", "flow-director"), "size of the table")
    equal(steered(pmd, frames.tcp("10.0.0.1", 1000, "10.0.0.2", 80)), ("flow-director", 3), "the rule's own frame")
    equal(steered(pmd, frames.tcp("10.0.0.1", 1001, "10.0.0.2", 80))[0], "rss", "another port")
    equal(steered(pmd, frames.tcp("10.0.0.2", 1000, "10.0.0.1", 80)), ("flow-director", 3), "addresses swapped: same hash")
    pmd.flow_destroy(rule)
    equal(steered(pmd, frames.tcp("10.0.0.1", 1000, "10.0.0.2", 80))[0], "rss", "table once the rule is gone")


def test_ipv6_flow_goes_where_its_signature_says(pmd):
    flow = {"src": "2001:db8::1", "dst": "2001:db8:1::2", "sport": 1000, "dport": 80}
    rule = pmd.flow_create(RULE.format(ip="ipv6", l4="tcp", queue=2, **flow))
    check("tcp over ipv6 queue 2" in pmd.nic("table", "flow-director"), "the filter in the NIC")
    equal(steered(pmd, frames.tcp("2001:db8::1", 1000, "2001:db8:1::2", 80)), ("flow-director", 2), "its own frame")
    equal(steered(pmd, frames.tcp("2001:db8::3", 1000, "2001:db8:1::2", 80))[0], "rss", "another source")
    pmd.flow_destroy(rule)
    equal(steered(pmd, frames.tcp("2001:db8::1", 1000, "2001:db8:1::2", 80))[0], "rss", "table once the rule is gone")


def test_perfect_rule_is_refused_on_a_port_of_signatures(pmd):
    answer = pmd.say("flow create 0 ingress pattern eth / ipv4 src is 10.0.0.1 dst is 10.0.0.2 / tcp src is 1000 dst is 80 "
                     "/ end actions queue index 3 / mark id 7 / end")
    check("created" not in answer, answer)


if __name__ == "__main__":
    nbtest.main(Started)
