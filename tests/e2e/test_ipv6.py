#!/usr/bin/env python3
"""IPv6 on a simulated 82599: Neighbour Discovery, ping, HTTP, and what the tools say about it."""
import subprocess

import nbtest
from nbtest import check, equal, wait_until

SERVER6 = "fd99::2"
SECOND = "fd99::22"
CLIENT6 = "fd99::1"
CONFIG = {
    "ports": [{"device": "0000:82:00.0", "address": f"{nbtest.SERVER}/24",
               "addresses": [f"{SERVER6}/64", f"{SECOND}/64", "10.99.0.22/24"]}],
    "apps": [{"module": "http", "listen": ["0.0.0.0:80", "[::]:80"]}],
    "steering": {"policy": "exact"},
}


def usable(system):
    """Duplicate Address Detection takes a second."""
    return all(a["state"] == "usable" for a in system.ask("port", "show")[0]["addresses"])


def start():
    return nbtest.System(**CONFIG)


def url(address, path="/"):
    return f"http://{f'[{address}]' if ':' in address else address}{path}"


def get(system, address, path):
    done = system.run("curl", "-sS", "-g", "-w", "\n%{http_code}", url(address, path))
    body, _, status = done.stdout.rpartition(b"\n")
    return int(status), body


def link_local(system):
    return next(a["address"] for a in system.ask("port", "show")[0]["addresses"] if a["address"].startswith("fe80"))


def test_addresses_become_usable(system):
    wait_until(lambda: usable(system), "every address is usable")
    addresses = [a["address"] for a in system.ask("port", "show")[0]["addresses"]]
    check({f"{SERVER6}/64", f"{SECOND}/64", "10.99.0.22/24"} < set(addresses), f"configured addresses: {addresses}")
    check(any(a.startswith("fe80:") for a in addresses), f"a link-local address: {addresses}")


def test_ping_is_answered_from_every_address(system):
    for address in SERVER6, SECOND:
        nbtest.command("ping", "-6", "-c", "3", "-i", "0.02", "-s", "1200", address)
    nbtest.command("ping", "-6", "-c", "2", "-i", "0.02", f"{link_local(system).split('/')[0]}%{nbtest.WIRE}")
    nbtest.command("ping", "-c", "2", "-i", "0.02", "10.99.0.22")
    check(system.counter("nd_replies") >= 2, "neighbour solicitations were answered")
    equal(system.counter("drop_bad_checksum"), 0, "packets with a wrong checksum")


def test_http_over_both_families_and_all_addresses(system):
    for address in SERVER6, SECOND, nbtest.SERVER, "10.99.0.22":
        equal(get(system, address, "/bytes/300000"), (200, nbtest.pattern(300000)), f"a body from {address}")


def test_connections_arrive_where_the_hash_says(system):
    for _ in range(20):
        equal(get(system, SERVER6, "/bytes/1000")[0], 200, "status")
    equal(system.counter("misdirected"), 0, "misdirected segments")
    equal(system.counter("forwarded_in"), 0, "forwarded segments")
    equal(system.ask("port", "show")[0]["rss_untrusted"], False, "hash of the card and ours are the same")


def test_flows_are_shown_and_found_by_prefix(system):
    client = subprocess.Popen(["curl", "-sS", "-g", "-o", "/dev/null", "--limit-rate", "200k",
                               url(SERVER6, "/bytes/100000000")])
    try:
        flow = wait_until(lambda: system.flows(state="established"), "the flow is listed")[0]
        equal(flow["local"], f"[{SERVER6}]:80", "local endpoint")
        check(flow["remote"].startswith(f"[{CLIENT6}]:"), f"remote endpoint: {flow['remote']}")
        equal(flow["method"], "rss", "method")
        equal(len(system.ask("flow", "list", "src", "fd99::/64")), 1, "flows from the prefix")
        equal(len(system.ask("flow", "list", "src", "fd98::/64")), 0, "flows from another prefix")
        why = system.ask("flow", "show", str(flow["id"]))[0]["why"]
        check("IPv6" in why, f"flow show says why there is no rule for it: {why}")
    finally:
        client.kill()
        client.wait()


if __name__ == "__main__":
    nbtest.main(start)
