#!/usr/bin/env python3
"""Checksums, segmentation and VLAN tags of the simulated 82599: dpdk-testpmd asks Debian's ixgbe driver for them, and
tshark judges every header and checksum of what leaves the card. Where the card is to compute something, testpmd's own
computation in software is the comparison."""
import re

import frames
import nbtest
import testpmd
from nbtest import check, equal

MSS = 800
JUMBO = 9000  # bytes of a received packet that is to be cut
FAMILIES = {"IPv4": ("10.0.0.1", "10.0.0.2"), "IPv6": ("2001:db8::1", "2001:db8::2")}
PROTOCOLS = ("ip", "tcp", "udp")
TAG = 0x6005  # VLAN 5, priority 3
SENT_TAG = 77  # testpmd takes a VLAN, no priority


class Started:
    """testpmd that sends every frame back, checksums computed anew."""

    def __init__(self):
        self.pmd = testpmd.Testpmd("--enable-rx-cksum", "--max-pkt-len=9518", "--enable-scatter", "--port-topology=loop",
                                   capture=True)

    def __enter__(self):
        self.pmd.__enter__()
        for command in ("set fwd csum", "set verbose 1", "start"):
            self.pmd.say(command)
        return self.pmd

    def __exit__(self, *why):
        self.pmd.__exit__(*why)


def payload(n):
    return nbtest.pattern(n)


def both_families(make):
    """A frame of either family."""
    return [make(*addresses) for addresses in FAMILIES.values()]


def tcp_frame(src, dst, n=100, **more):
    return frames.tcp(src, 1000, dst, 80, payload=payload(n), **more)


def udp_frame(src, dst, n=101):
    return frames.udp(src, 1000, dst, 80, payload=payload(n))


def l4_checksum_at(frame):
    """Where a frame of this file has the checksum of TCP or UDP."""
    ip = frames.IPV6 if frame[12:14] == b"\x86\xdd" else frames.IPV4
    return frames.ETHERNET + ip + (16 if frames.TCP_PROTOCOL in (frame[20], frame[23]) else 6)


def test_verdicts_on_received_checksums_reach_the_program(pmd):
    for make in (tcp_frame, udp_frame):
        for frame in both_families(make):
            flags = pmd.receive(frame)["pmd_flags"]
            check({"L4_CKSUM_GOOD", "IP_CKSUM_GOOD"} <= flags, f"flags of a good frame: {flags}")
            flags = pmd.receive(frames.damaged(frame, len(frame) - 1))["pmd_flags"]
            bad = "L4_CKSUM_BAD" if make is tcp_frame else "L4_CKSUM_UNKNOWN"  # ixgbe never calls UDP's bad: an erratum
            check({bad, "IP_CKSUM_GOOD"} <= flags, f"flags of damaged payload: {flags}")
    flags = pmd.receive(frames.damaged(tcp_frame(*FAMILIES["IPv4"]), frames.ETHERNET + 8))["pmd_flags"]
    check("IP_CKSUM_BAD" in flags, f"flags of a damaged IPv4 header: {flags}")
    nbtest.wait_until(lambda: counted(pmd) == ("1", "2"), "testpmd has counted one bad header and two bad segments")


def counted(pmd):
    """Bad IP and L4 checksums; testpmd counts a frame after it has said that it received it."""
    return re.search(r"Bad-ipcsum: (\d+) +Bad-l4csum: (\d+)", pmd.say("show fwd stats all")).groups()


def test_what_the_card_did_not_check_is_called_good_by_the_driver(pmd):
    """The descriptor says that nothing was checked (tests/firmware-sim/nics/82599/test_rx.c); ixgbe looks at its error
    bits only."""
    for frame in (frames.fragment(udp_frame(*FAMILIES["IPv4"])), frames.ethernet(0x88B5, bytes(50)),
                  frames.without_udp_checksum(udp_frame(*FAMILIES["IPv4"]))):
        flags = pmd.receive(frame)["pmd_flags"]
        check("L4_CKSUM_GOOD" in flags, f"flags: {flags}")


def test_checksums_by_the_card_are_as_good_as_those_by_software(pmd):
    """Every frame comes with wrong checksums; what leaves is right, whoever was told to compute it."""
    sent, zero = [], frames.udp_whose_sum_is_zero("10.0.0.1", 1000, "10.0.0.2", 80)
    for who in ("sw", "hw"):
        pmd.restart(*(f"csum set {protocol} {who} 0" for protocol in PROTOCOLS))
        pmd.skip_what_was_sent()
        wrong = [frames.damaged(f, l4_checksum_at(f)) for make in (tcp_frame, udp_frame) for f in both_families(make)]
        wrong.append(frames.damaged(wrong[0], frames.ETHERNET + 10))  # and the IPv4 header's
        wrong.append(frames.damaged(zero, l4_checksum_at(zero)))
        pmd.forward(*wrong)
        sent.append(pmd.judged("tcp.checksum", "udp.checksum", "ip.checksum", "tcp.payload", "udp.payload"))
        equal(len(sent[-1]), len(wrong), "frames that left")
    equal(sent[1][-1]["udp.checksum"], "0xffff", "a checksum that comes out as zero")
    equal([values(one) for one in sent[1]], [values(one) for one in sent[0]], "by the card against by software")


def values(packet):
    return {name: value for name, value in packet.items() if name != "frame.number"}


def test_segments_that_the_card_cuts_are_what_a_sender_would_have_sent(pmd):
    """A jumbo packet arrives, over several small buffers, and leaves as segments of MSS bytes."""
    pmd.restart(*(f"csum set {protocol} hw 0" for protocol in PROTOCOLS), f"tso set {MSS} 0")
    pmd.skip_what_was_sent()
    body, flags = payload(JUMBO), frames.ACK | frames.PSH | frames.FIN
    for family, addresses in FAMILIES.items():
        pmd.forward(tcp_frame(*addresses, n=JUMBO, flags=flags), out=-(-JUMBO // MSS))
        segments = pmd.judged("tcp.seq", "tcp.len", "tcp.ack", "tcp.flags", "tcp.payload", "ip.id", "ip.len", "ipv6.plen")
        equal("".join(s["tcp.payload"].replace(":", "") for s in segments), body.hex(), f"bytes of {family}")
        for i, segment in enumerate(segments):
            last = i == len(segments) - 1
            n = len(body) - i * MSS if last else MSS
            equal(segment["tcp.seq"], str(1 + i * MSS), f"sequence number of segment {i}, {family}")
            equal(segment["tcp.ack"], "1", f"acknowledgment of segment {i}, {family}")
            equal(int(segment["tcp.flags"], 16), flags if last else frames.ACK, f"flags of segment {i}, {family}")
            equal(segment["tcp.len"], str(n), f"length of segment {i}, {family}")
            equal(segment["ip.id"], f"0x{i:04x}" if family == "IPv4" else "", f"identification of segment {i}")
            length = ("ip.len", frames.IPV4 + frames.TCP + n) if family == "IPv4" else ("ipv6.plen", frames.TCP + n)
            equal(segment[length[0]], str(length[1]), f"IP length of segment {i}, {family}")


def test_packet_smaller_than_a_segment_leaves_whole(pmd):
    pmd.forward(*both_families(tcp_frame))
    equal([s["tcp.len"] for s in pmd.judged("tcp.len")], ["100", "100"], "lengths")


def test_tag_is_stripped_and_its_value_told(pmd):
    frame = frames.tagged(tcp_frame(*FAMILIES["IPv4"]), TAG)
    kept = pmd.receive(frame)
    equal((kept["pmd_length"], kept["pmd_vlan"]), (str(len(frame)), "0x0"), "with stripping off")
    check("VLAN_STRIPPED" not in kept["pmd_flags"], f"flags: {kept['pmd_flags']}")
    pmd.say("vlan set strip on 0")
    stripped = pmd.receive(frame)
    equal((stripped["pmd_length"], stripped["pmd_vlan"]), (str(len(frame) - 4), hex(TAG)), "with stripping on")
    check({"VLAN", "VLAN_STRIPPED"} <= stripped["pmd_flags"], f"flags: {stripped['pmd_flags']}")
    pmd.say("vlan set strip off 0")


def test_tag_is_inserted_where_testpmd_asks_for_one(pmd):
    """testpmd asks in its mac mode; tags on segments are in tests/firmware-sim/nics/82599/test_tx.c."""
    pmd.restart("tso set 0 0", f"tx_vlan set 0 {SENT_TAG}", "set fwd mac")
    pmd.skip_what_was_sent()
    pmd.forward(*both_families(tcp_frame), *both_families(udp_frame))
    for one in pmd.judged("vlan.id", "vlan.priority", "tcp.payload", "udp.payload"):
        equal((one["vlan.id"], one["vlan.priority"]), (str(SENT_TAG), "0"), "tag")
        equal((one["tcp.payload"] or one["udp.payload"]).replace(":", "")[:200], payload(100).hex(), "bytes")
    pmd.restart("tx_vlan reset 0")


if __name__ == "__main__":
    nbtest.main(Started)
