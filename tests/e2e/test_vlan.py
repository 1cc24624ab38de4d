#!/usr/bin/env python3
"""A port in a VLAN: tagged frames are answered with the tag, others are dropped and counted. The client is a raw socket,
so that it needs no VLAN interface of the kernel."""
import socket
import struct

import frames
import nbtest
from nbtest import check, equal, wait_until

VLAN = 100
SOL_PACKET, PACKET_AUXDATA = 263, 8  # linux/if_packet.h
TAG_VALID = 1 << 4
CLIENT = "10.99.0.7"  # not the kernel's own, which would answer, too


def start():
    return nbtest.System(ports=[{"device": "0000:82:00.0", "address": f"{nbtest.SERVER}/24", "vlan": VLAN}])


class Wire:
    """The other end of the cable, frame by frame."""

    def __init__(self, system):
        self.mac = bytes.fromhex(system.ask("port", "show")[0]["mac"].replace(":", ""))
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind((nbtest.WIRE, 0))
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.socket.settimeout(nbtest.LIMIT_S)

    def send(self, frame, vlan=None):
        tag = struct.pack("!HH", 0x8100, vlan) if vlan is not None else b""
        self.socket.send(frame[:12] + tag + frame[12:])

    def answer(self, ethertype):
        """The next frame from the port of this type, and its VLAN (None: untagged)."""
        while True:
            frame, control, _, _ = self.socket.recvmsg(2048, 64)
            vlan = None
            for _, _, data in control:
                status, _, _, _, _, tci, _ = struct.unpack_from("=IIIHHHH", data)
                vlan = tci & 0xFFF if status & TAG_VALID else None
            if frame[6:12] == self.mac and frame[12:14] == struct.pack("!H", ethertype):
                return frame, vlan

    def arp_request(self):
        body = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, frames.SOURCE, socket.inet_aton(CLIENT), b"",
                           socket.inet_aton(nbtest.SERVER))
        return b"\xff" * 6 + frames.SOURCE + struct.pack("!H", 0x0806) + body.ljust(46, b"\0")


def test_tagged_frames_are_answered_with_the_tag(system):
    wire = Wire(system)
    wire.send(wire.arp_request(), VLAN)
    equal(wire.answer(0x0806)[1], VLAN, "VLAN of the ARP reply")
    wire.send(frames.tcp(CLIENT, 4000, nbtest.SERVER, 80, flags=frames.SYN, destination=wire.mac), VLAN)
    frame, vlan = wire.answer(0x0800)
    equal(vlan, VLAN, "VLAN of the SYN-ACK")
    equal(frame[47], frames.SYN | frames.ACK, "flags")
    pseudo = frame[26:34] + struct.pack("!II", len(frame) - 34, 6)
    equal(frames.checksum(pseudo + frame[34:]), 0, "the card's TCP checksum, which begins behind the tag")


def test_other_frames_are_dropped_and_counted(system):
    wire = Wire(system)
    before = system.counter("drop_vlan")
    wire.send(wire.arp_request())
    wire.send(wire.arp_request(), VLAN + 1)
    wait_until(lambda: system.counter("drop_vlan") >= before + 2, "both are counted")
    check(system.counter("arp_replies") == 1, "only the tagged question was answered")


if __name__ == "__main__":
    nbtest.main(start)
