#!/usr/bin/env python3
"""Receive side coalescing (LRO) seen from outside: a bulk TCP stream between two Linux hosts goes through dpdk-testpmd,
which receives with LRO on both ports and sends with TSO, so that what one card has put together the other cuts again."""
import re

import nbtest
import test_nicsim_ports
import testpmd
from nbtest import check
from test_nicsim_ports import RIGHT, inside

MSS = 1448


class Coalescing(test_nicsim_ports.Between):
    def __init__(self):
        super().__init__()
        self.pmd = testpmd.Testpmd("--nb-cores=1", "--enable-lro", "--enable-rx-cksum",
                                   wire="netdev:wire0", queues=1,
                                   nic_options=("--nic", "82599", "--queues", "1", "--wire", "netdev:wire1"))

    def __enter__(self):
        super().__enter__()
        self.pmd.say("stop")
        self.pmd.say("port stop all")
        for port in (0, 1):
            for words in (f"csum set ip hw {port}", f"csum set tcp hw {port}", f"tso set {MSS} {port}"):
                self.pmd.say(words)
        # The forwarding engine writes addresses of its own into what it sends.
        for port, host in ((0, "left"), (1, "right")):
            mac = re.search(r"link/ether (\S+)", inside(host, "ip", "link", "show", "nic")).group(1)
            self.pmd.say(f"set eth-peer {port} {mac}")
        self.pmd.say("port start all")
        self.pmd.say("set promisc all on")
        self.pmd.say("set fwd csum")
        self.pmd.say("start")
        return self

    def rsc(self, port):
        """The card's own count."""
        text = self.pmd.nic("port", str(port), "table", "rsc")
        return {name: int(value) for name, value in (line.rsplit(": ", 1) for line in text.splitlines())}


def test_hosts_reach_each_other(between):
    out = inside("left", "ping", "-c", "3", "-i", "0.05", RIGHT)
    check(" 3 received" in out, out)


def test_bulk_stream_arrives_whole_and_most_of_it_was_coalesced(between):
    before = between.rsc(0)
    received = test_nicsim_ports.iperf3()["end"]["sum_received"]["bytes"]
    check(received > 1_000_000, f"received {received} bytes")
    after = between.rsc(0)
    packets = after["packets in them"] - before["packets in them"]
    large = after["large receives"] - before["large receives"]
    check(packets * MSS > received / 2, f"{packets} packets coalesced, {received} bytes received")
    check(packets >= 3 * large, f"{packets} packets in {large} large receives")
    check(after["ended by as long as it may get"] + after["ended by interval of the queue's interrupt"] > 0,
          f"what ended them: {after}")


if __name__ == "__main__":
    nbtest.main(Coalescing)
