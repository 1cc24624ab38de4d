#!/usr/bin/env python3
"""dpdk-testpmd, unmodified, on the simulated 82599: its rules steer, its hashes are Microsoft's.

Two programs witness each frame: the NIC model says which table and rule chose the queue, and testpmd, through Debian's
own ixgbe driver, says on which queue it received it and with which RSS hash.
"""
import frames
import nbtest
import testpmd
from nbtest import check, equal

# Microsoft, "Verifying the RSS Hash Calculation": source, port, destination, port, hash over addresses and TCP ports,
# hash over addresses. ixgbe's default key is the key of that page.
VECTORS = [
    ("66.9.149.187", 2794, "161.142.100.80", 1766, 0x51CCC178, 0x323E8FC2),
    ("199.92.111.2", 14230, "65.69.140.83", 4739, 0xC626B0EA, 0xD718262A),
    ("24.19.198.95", 12898, "12.22.207.184", 38024, 0x5C2B394A, 0xD2D0A5DE),
    ("38.27.205.30", 48228, "209.142.163.6", 2217, 0xAFC7327F, 0x82989176),
    ("153.39.163.191", 44251, "202.188.127.2", 1303, 0x10E828A2, 0x5D1809C5),
    ("3ffe:2501:200:1fff::7", 2794, "3ffe:2501:200:3::1", 1766, 0x40207D3D, 0x2CC18CD5),
    ("3ffe:501:8::260:97ff:fe40:efab", 14230, "ff02::1", 4739, 0xDDE51BBF, 0x0F0C461C),
    ("3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251, "fe80::200:f8ff:fe21:67cf", 38024, 0x02D1FEEF, 0x4B61E985),
]
RULE = ("pattern eth / ipv4 src is 10.0.0.1 dst is 10.0.0.2 / tcp src is {sport} dst is 80 / end "
        "actions queue index {queue}")
MARKED = RULE + " / mark id {mark} / end"
UNMARKED = RULE + " / end"


def frame(sport):
    return frames.tcp("10.0.0.1", sport, "10.0.0.2", 80)


def steered(pmd, sport):
    """Table and queue that a frame of the client port went to; testpmd must have received it on that queue."""
    verdict = pmd.receive(frame(sport))
    equal(verdict["pmd_queue"], verdict["queue"], "testpmd's queue against the NIC's")
    return verdict["table"], int(verdict["queue"])


def rss_queue(pmd, verdict):
    """The queue that the RETA, as the driver programmed it, gives for a hash."""
    reta = [int(line.split()[3]) for line in pmd.nic("table", "reta").splitlines()]  # "entry N queue Q"
    equal(len(reta), 128, "entries of the RETA")
    return reta[int(verdict["hash"], 16) % 128]


class Started:
    """testpmd receiving, entered once for all tests."""

    def __init__(self):
        self.pmd = testpmd.Testpmd("--enable-rx-cksum", "--rss-ip")

    def __enter__(self):
        self.pmd.__enter__()
        self.pmd.say("set fwd rxonly")
        self.pmd.say("set verbose 1")
        self.pmd.say("port config all rss all")
        self.pmd.say("start")
        return self.pmd

    def __exit__(self, *why):
        self.pmd.__exit__(*why)


def test_driver_is_ixgbe_and_sees_an_82599(pmd):
    info = pmd.say("show port info 0")
    check("Driver name: net_ixgbe" in info, info)
    check("MAC address: 02:82:59:00:00:01" in info, info)
    check("Link speed: 10 Gbps" in info, info)


def test_rss_hashes_are_microsofts(pmd):
    for src, sport, dst, dport, with_ports, _ in VECTORS:
        verdict = pmd.receive(frames.tcp(src, sport, dst, dport))
        equal(int(verdict["hash"], 16), with_ports, f"the NIC's hash of {src}:{sport} > {dst}:{dport}")
        equal(int(verdict["pmd_hash"], 16), with_ports, f"the mbuf's hash of {src}:{sport} > {dst}:{dport}")
        equal(verdict["table"], "rss", "table")
        equal(int(verdict["pmd_queue"]), rss_queue(pmd, verdict), "queue by hash and RETA")


def test_rss_over_addresses_only(pmd):
    for src, _, dst, _, _, addresses in VECTORS[:5]:
        verdict = pmd.receive(frames.packet(src, dst, 47, bytes(20), 18))
        equal(int(verdict["pmd_hash"], 16), addresses, f"hash of {src} > {dst} without ports")


def test_exact_rule_steers_to_queue_3_and_others_go_by_rss(pmd):
    rule = pmd.flow_create(MARKED.format(sport=1000, queue=3, mark=7))
    table = pmd.nic("table", "flow-director")
    check("10.0.0.1" in table and "1000" in table, f"the rule in the NIC's table: {table}")
    for _ in range(3):
        equal(steered(pmd, 1000), ("flow-director", 3), "the rule's own frame")
    for sport in range(1001, 1021):
        verdict = pmd.receive(frame(sport))
        equal(verdict["table"], "rss", f"table of port {sport}")
        equal(int(verdict["pmd_queue"]), rss_queue(pmd, verdict), f"queue of port {sport}")
    pmd.flow_destroy(rule)
    equal(steered(pmd, 1000)[0], "rss", "table once the rule is gone")


def test_rule_number_in_the_verdict_is_its_mark(pmd):
    rule = pmd.flow_create(MARKED.format(sport=1100, queue=2, mark=4711))
    equal(pmd.receive(frame(1100))["rule"], "4711", "soft id")
    pmd.flow_destroy(rule)


def test_filter_under_another_hash_key_is_not_found(pmd):
    """Silicon looks only into the bucket that the programmed key names. With the key changed behind the driver's back
    the filter lies in a bucket where nobody looks."""
    rule = pmd.flow_create(MARKED.format(sport=1200, queue=3, mark=8))
    equal(steered(pmd, 1200), ("flow-director", 3), "before")
    key = pmd.nic("reg", "FDIRHKEY").strip()
    pmd.nic("reg", "FDIRHKEY", "0x12345678")
    equal(steered(pmd, 1200)[0], "rss", "with the wrong key")
    pmd.nic("reg", "FDIRHKEY", key)
    equal(steered(pmd, 1200), ("flow-director", 3), "with the key restored")
    pmd.flow_destroy(rule)


def test_rule_without_mark_is_a_5_tuple_filter_and_outranks_flow_director(pmd):
    exact = pmd.flow_create(MARKED.format(sport=1300, queue=3, mark=9))
    five_tuple = pmd.flow_create(UNMARKED.format(sport=1300, queue=1))
    equal(steered(pmd, 1300), ("5-tuple", 1), "both there")
    pmd.flow_destroy(five_tuple)
    equal(steered(pmd, 1300), ("flow-director", 3), "the 5-tuple filter gone")
    pmd.flow_destroy(exact)


def test_driver_counts_matches_as_the_nic_does(pmd):
    rule = pmd.flow_create(MARKED.format(sport=1400, queue=0, mark=10))
    before = pmd.xstat("flow_director_matched_filters")
    for _ in range(5):
        steered(pmd, 1400)
    equal(pmd.xstat("flow_director_matched_filters") - before, 5, "flow_director_matched_filters")
    pmd.flow_destroy(rule)


def test_reta_rewritten_behind_the_drivers_back_moves_rss_only(pmd):
    rule = pmd.flow_create(MARKED.format(sport=1500, queue=3, mark=11))
    before = [pmd.nic("reg", f"RETA[{i}]").strip() for i in range(32)]
    for i in range(32):
        pmd.nic("reg", f"RETA[{i}]", "0x01010101")
    equal({steered(pmd, sport) for sport in range(1501, 1511)}, {("rss", 1)}, "frames without a rule")
    equal(steered(pmd, 1500), ("flow-director", 3), "the frame with one")
    for i, value in enumerate(before):
        pmd.nic("reg", f"RETA[{i}]", value)
    pmd.flow_destroy(rule)


def test_port_stop_and_start_keeps_nic_and_program_together(pmd):
    for _ in range(2):
        pmd.say("stop")
        pmd.say("port stop 0")
        equal(pmd.inject(frame(1600)).get("queue"), "-1", "queue while stopped")
        pmd.say("port start 0")
        pmd.nic("wait", "started")
        pmd.say("start")
        verdict = pmd.receive(frame(1600))
        equal(int(verdict["pmd_queue"]), rss_queue(pmd, verdict), "queue after the restart")
        rule = pmd.flow_create(MARKED.format(sport=1600, queue=3, mark=12))
        equal(steered(pmd, 1600), ("flow-director", 3), "a rule after the restart")
        pmd.flow_destroy(rule)


def test_link_change_reaches_the_driver(pmd):
    pmd.nic("link", "down")
    nbtest.wait_until(lambda: "Link status: down" in pmd.say("show port info 0"), "link down in testpmd")
    pmd.nic("link", "up")
    nbtest.wait_until(lambda: "Link status: up" in pmd.say("show port info 0"), "link up in testpmd")


def test_no_register_access_needed_single_stepping(pmd):
    stats = dict(line.split() for line in pmd.nic("stats").splitlines())
    check(int(stats["register_writes"]) > 1000, f"register writes: {stats['register_writes']}")
    equal(stats["single_steps"], "0", "single-stepped accesses")
    equal(stats["dma_faults"], "0", "DMA faults")


def test_wild_ring_address_is_a_counted_fault_and_harms_nobody(pmd):
    base = pmd.nic("reg", "RDBAL[0]").strip()
    reta = [pmd.nic("reg", f"RETA[{i}]").strip() for i in range(32)]
    for i in range(32):
        pmd.nic("reg", f"RETA[{i}]", "0")
    pmd.nic("reg", "RDBAL[0]", "0x1000")
    equal(pmd.inject(frame(1700))["queue"], "0", "queue")
    stats = dict(line.split() for line in pmd.nic("stats").splitlines())
    check(int(stats["dma_faults"]) > 0, "no DMA fault counted")
    pmd.nic("reg", "RDBAL[0]", base)
    for i, value in enumerate(reta):
        pmd.nic("reg", f"RETA[{i}]", value)
    check("Link status: up" in pmd.say("show port info 0"), "testpmd goes on")


def test_quit_ends_well_and_leaves_nothing(pmd):
    pmd.say("stop")
    equal(pmd.quit(), 0, "exit status")
    equal([left for left in nbtest.leftovers() if "/run/dpdk" not in left], [], "left behind")


if __name__ == "__main__":
    nbtest.main(Started)
