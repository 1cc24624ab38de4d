#!/usr/bin/env python3
"""Real clients against the HTTP responder: curl, wrk, ping, and clients that misbehave; one system for all of them."""
import hashlib
import os
import re
import select
import socket
import struct
import subprocess

import nbtest
from nbtest import check, command, equal

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
GET_CLOSE = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
DOWNLOAD_BYTES = 10 * 1024 * 1024
CURLS = 200
WRK_S = int(os.environ.get("NB_WRK_S", "3"))  # make test-long: 10
GHOST = "10.99.0.77"  # a client that goes away without a word


# --- ordinary clients -------------------------------------------------------------------------------------------------

def test_root_is_64_bytes(system):
    status, body = system.curl("/")
    equal((status, len(body)), (200, 64), "status and length of /")


def test_download_has_the_right_sha256(system):
    status, body = system.curl(f"/bytes/{DOWNLOAD_BYTES}")
    equal(status, 200, "status")
    equal(hashlib.sha256(body).hexdigest(), hashlib.sha256(nbtest.pattern(DOWNLOAD_BYTES)).hexdigest(), "SHA-256")


def test_200_concurrent_curls_all_succeed(system):
    want = hashlib.sha256(nbtest.pattern(100000)).digest()
    curls = [subprocess.Popen(["curl", "-sS", "--fail", system.url("/bytes/100000")], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(CURLS)]
    bad = []
    for curl in curls:
        out, said = curl.communicate(timeout=nbtest.LIMIT_S)
        if curl.returncode != 0 or hashlib.sha256(out).digest() != want:
            bad.append(f"exit {curl.returncode}, {len(out)} bytes: {said.decode(errors='replace').strip()}")
    equal(bad, [], "curls that failed")


def wrk(system, *options, path="/"):
    out = command("wrk", "-t1", "-c64", f"-d{WRK_S}s", *options, system.url(path)).stdout.decode()
    check("Socket errors" not in out, f"wrk {' '.join(options)} reports socket errors:\n{out}")
    check("Non-2xx" not in out, f"wrk {' '.join(options)} got other answers than 200:\n{out}")
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    check(requests >= 64, f"wrk {' '.join(options)}: only {requests} requests were answered:\n{out}")


def test_wrk_keep_alive_reports_no_errors(system):
    wrk(system)


def test_wrk_connection_close_reports_no_errors(system):
    wrk(system, "-H", "Connection: close")


def test_bulk_drops_nothing_of_our_own_making(system):
    """More than the port can take at once: what there is no room for waits. (That such data is not sent again either is
    shown in virtual time, test_worker.c: here a machine that stands still for a time-out makes us send again, too.)"""
    before = system.counter("tx_packets")
    wrk(system, "-c16", path="/bytes/1000000")
    equal(system.counter("drop_tx_full"), 0, "drop_tx_full")
    check(system.counter("tx_packets") - before > 10000, "hardly anything was sent")


def test_ping_is_answered(system):
    out = command("ping", "-c", "20", "-i", "0.01", "-W", "5", nbtest.SERVER).stdout.decode()
    check(" 20 received" in out, f"ping:\n{out}")
    out = command("ping", "-c", "5", "-i", "0.01", "-W", "5", "-s", "1472", nbtest.SERVER).stdout.decode()
    check(" 5 received" in out, f"ping of full frames:\n{out}")
    equal(system.counter("drop_bad_checksum"), 0, "drop_bad_checksum")


# --- HTTP on the wire -------------------------------------------------------------------------------------------------

def test_head_404_and_405(system):
    head = system.exchange(b"HEAD /bytes/1000 HTTP/1.0\r\n\r\n")
    check(head.startswith(b"HTTP/1.1 200 ") and b"Content-Length: 1000\r\n" in head, f"HEAD: {head}")
    check(head.endswith(b"\r\n\r\n"), f"HEAD has a body: {head}")
    equal(system.curl("/nothing")[0], 404, "status of a path that does not exist")
    equal(system.curl("/", "-X", "DELETE")[0], 405, "status of DELETE")
    equal(system.curl("/", "--data", "x" * 5000)[0], 405, "status of a POST with a body")


def test_server_closes_first_after_connection_close(system):
    with system.connect() as s:
        s.sendall(GET_CLOSE)
        answer = nbtest.read_all(s)
        check(answer.startswith(b"HTTP/1.1 200 ") and b"Connection: close\r\n" in answer, f"answer: {answer}")
        # Whoever closes first is in TIME-WAIT: here that must be the server, so our side is in CLOSE-WAIT now.
        equal(tcp_state(s), "CLOSE-WAIT", "our state after the server's FIN")


def tcp_state(s):
    names = ("", "ESTAB", "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSE", "CLOSE-WAIT",
             "LAST-ACK", "LISTEN", "CLOSING")
    return names[s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]]


def test_keep_alive_serves_many_requests_on_one_connection(system):
    with system.connect() as s:
        for _ in range(100):
            s.sendall(GET)
            read_response(s, 64)


def read_response(s, body_bytes):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += nbtest.read_exactly(s, 1)
    check(head.startswith(b"HTTP/1.1 200 "), f"response: {head}")
    return nbtest.read_exactly(s, body_bytes)


def test_pipelined_requests_are_answered_in_order(system):
    sizes = [i * 37 for i in range(200)]
    with system.connect() as s:
        s.sendall(b"".join(b"GET /bytes/%d HTTP/1.1\r\nHost: h\r\n\r\n" % n for n in sizes))
        for n in sizes:
            equal(read_response(s, n), nbtest.pattern(n), f"body {n}")


def test_client_that_asks_and_does_not_read_is_held_back(system):
    """2 MB of requests, more than both ends can buffer. Others are served meanwhile, and it gets its answers."""
    request = b"GET /bytes/10000000 HTTP/1.1\r\nHost: h\r\n\r\n" * 50000
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)  # else the kernel lets it grow to megabytes
        s.settimeout(nbtest.LIMIT_S)
        s.connect((nbtest.SERVER, 80))
        sent = send_until_full(s, request)
        check(sent < len(request), "the server's window never closed")
        equal(system.curl("/")[0], 200, "another client's request")
        equal(read_response(s, 10000000), nbtest.pattern(10000000), "first body")


def send_until_full(s, data):
    """Send until nothing more is taken for a second: how much that was."""
    sent, view = 0, memoryview(data)
    while sent < len(data) and select.select([], [s], [], 1)[1]:
        sent += s.send(view[sent:sent + 16384])
    return sent


MALFORMED = {
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03": 400,
    b"GET /\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\n\r\n": 400,
    b"GET / HTTP/1.1\nHost: h\n\n": 400,
    b"GET / HTTP/1.1\r\nHost: h\r\n folded: yes\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost : h\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n": 413,
    b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n": 414,
    b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 20000 + b"\r\n\r\n": 431,
    b"GET / HTTP/1.1\r\nHost: h\r\n" + b"X: y\r\n" * 200 + b"\r\n": 431,
    b"GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": 501,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": 505,
}


def test_malformed_requests_are_refused_and_harm_nobody(system):
    with system.connect() as bystander:
        for request, status in MALFORMED.items():
            answer = system.exchange(request)
            check(answer.startswith(b"HTTP/1.1 %d " % status), f"{request[:40]}: want {status}, got {answer[:60]}")
            check(b"\r\nConnection: close\r\n" in answer, f"{request[:40]}: Connection: close is missing: {answer}")
            bystander.sendall(GET)
            read_response(bystander, 64)


def test_request_byte_by_byte_is_answered(system):
    with system.connect() as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in GET_CLOSE:
            s.sendall(bytes([byte]))
        check(nbtest.read_all(s).startswith(b"HTTP/1.1 200 "), "answer")


# --- clients that vanish ----------------------------------------------------------------------------------------------

def test_clients_that_vanish_harm_nobody(system):
    """Their address goes away with half a request sent, with an answer unread, and with only a SYN sent."""
    command("ip", "address", "add", f"{GHOST}/32", "dev", nbtest.WIRE)
    before = len(system.flows())
    ghosts = []
    for said in (b"", GET[:10], GET, b"GET /bytes/100000000 HTTP/1.1\r\nHost: h\r\n\r\n") * 5:
        ghost = socket.create_connection((nbtest.SERVER, 80), timeout=nbtest.LIMIT_S, source_address=(GHOST, 0))
        ghost.sendall(said)
        ghosts.append(ghost)
    equal(len(system.flows()) - before, len(ghosts), "flows the ghosts have")
    for ghost in ghosts:  # closed without FIN or RST
        ghost.setsockopt(socket.IPPROTO_TCP, 19, 1)  # TCP_REPAIR
        ghost.close()
    command("ip", "address", "del", f"{GHOST}/32", "dev", nbtest.WIRE)
    send_syns(100)
    for _ in range(20):
        equal(system.curl("/")[0], 200, "a request after the ghosts have gone")


def send_syns(n):
    """SYNs from an address that nobody has, and that will never answer."""
    server_mac = bytes.fromhex(neighbour_mac().replace(":", ""))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((nbtest.WIRE, 0))
        for port in range(1024, 1024 + n):
            raw.send(server_mac + bytes.fromhex("020000000077") + b"\x08\x00" + syn("10.99.0.78", port))


def neighbour_mac():
    out = command("ip", "neigh", "show", nbtest.SERVER, "dev", nbtest.WIRE).stdout.decode()
    return re.search(r"lladdr (\S+)", out).group(1)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def syn(source, port):
    addresses = socket.inet_aton(source) + socket.inet_aton(nbtest.SERVER)
    tcp = struct.pack("!HHIIHHHH", port, 80, 1000, 0, 5 << 12 | 2, 65535, 0, 0)
    tcp = tcp[:16] + struct.pack("!H", checksum(addresses + struct.pack("!HH", 6, len(tcp)) + tcp)) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + addresses
    return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + tcp


# --- afterwards -------------------------------------------------------------------------------------------------------

def test_nothing_went_astray(system):
    for name in ("misdirected", "drop_bad_checksum", "drop_malformed", "drop_table_full"):
        equal(system.counter(name), 0, name)


if __name__ == "__main__":
    os.chdir(nbtest.ROOT)
    nbtest.main(nbtest.System)
