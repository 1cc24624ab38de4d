#!/usr/bin/env python3
"""Fragments and ICMP errors against Linux: pings larger than the link's packets, UDP to nobody."""
import socket

import nbtest
from nbtest import check, equal, wait_until

SERVER6 = "fd99::2"
CONFIG = {
    "ports": [{"device": "0000:82:00.0", "address": f"{nbtest.SERVER}/24", "addresses": [f"{SERVER6}/64"]}],
    "apps": [{"module": "http", "listen": ["0.0.0.0:80", "[::]:80"]}],
}


def start():
    return nbtest.System(**CONFIG)


def test_pings_in_fragments_are_answered(system):
    wait_until(lambda: all(a["state"] == "usable" for a in system.ask("port", "show")[0]["addresses"]), "addresses")
    nbtest.command("ping", "-c", "3", "-i", "0.05", "-s", "4000", nbtest.SERVER)
    check(system.counter("reassembled") >= 3, "IPv4 datagrams were put together")
    nbtest.command("ping", "-6", "-c", "3", "-i", "0.05", "-s", "4000", SERVER6)
    check(system.counter("reassembled") >= 6, "IPv6 packets were put together")
    equal(system.counter("drop_fragment"), 0, "fragments refused")


def test_udp_to_nobody_is_refused(system):
    for family, address in (socket.AF_INET, nbtest.SERVER), (socket.AF_INET6, SERVER6):
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            s.settimeout(10)
            s.connect((address, 9))
            s.send(b"anybody?")
            try:
                s.recv(1)
                check(False, "somebody answered")
            except ConnectionRefusedError:
                pass
    check(system.counter("icmp_sent") >= 2, "errors were sent")


if __name__ == "__main__":
    nbtest.main(start)
