#!/usr/bin/env python3
"""MAC loopback as DPDK's ixgbe switches it on: testpmd hears its own frames, and the wire is out of it."""
import nbtest
import testpmd
from nbtest import check, equal


def counters(pmd):
    return {name: int(value) for name, value in (line.split() for line in pmd.nic("stats").splitlines())}


def test_port_in_loopback_hears_itself_and_the_wire_hears_nothing(pmd):
    for words in ("port stop 0", "port config 0 loopback 1", "port start 0", "set promisc 0 on", "set fwd io"):
        answer = pmd.say(words)
        check("rror" not in answer and "Bad" not in answer, f"{words}: {answer}")
    pmd.say("start tx_first 1")  # 32 frames, which then go to and fro
    nbtest.wait_until(lambda: counters(pmd)["rx_frames"] >= 1000, "a thousand frames come back")
    pmd.say("stop")
    equal(counters(pmd)["tx_frames"], 0, "frames on the wire")


def test_link_is_up_without_a_cable(pmd):
    pmd.nic("link", "down")
    check("Link status: up" in pmd.say("show port info 0"), "link in loopback")
    for words in ("port stop 0", "port config 0 loopback 0", "port start 0"):
        pmd.say(words)
    nbtest.wait_until(lambda: "Link status: down" in pmd.say("show port info 0"), "link without it")


if __name__ == "__main__":
    nbtest.main(lambda: testpmd.Testpmd("--no-lsc-interrupt", "--disable-link-check"))
