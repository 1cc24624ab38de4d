#!/usr/bin/env python3
"""TCP against Linux's over a wire that loses, reorders, repeats, damages and delays frames: what arrives is what was
sent, both ways. And over one that does nothing of the kind: tshark finds nothing to remark on. NB_CONNECTIONS says in how many
connections (100)."""
import hashlib
import os
import socket
import struct
import subprocess
import threading

import nbtest
from nbtest import CLIENT, SERVER, check, equal, wait_until

BULK = 1_500_000       # bytes: a thousand segments, so that each chance of a percent comes up
BACKEND = 9000
CONNECTIONS = int(os.environ.get("NB_CONNECTIONS", "100"))
FAULTS = {
    "loss": [("loss", "1")],
    "reordering": [("reorder", "2")],
    "repetition": [("duplicate", "2")],
    "damage": [("corrupt", "1")],
    "delay": [("delay", "3", "2")],
    "all of them": [("loss", "1"), ("reorder", "1"), ("duplicate", "1"), ("corrupt", "1"), ("delay", "2", "1")],
}
# Everything that tshark's analysis knows to be no ordinary segment or ACK. The first few are what a tail loss probe (RFC
# 8985) looks like whose peer was only slow, as one is on a busy machine; we count those probes.
PROBES = ["retransmission", "spurious_retransmission", "rto_frame", "duplicate_ack"]
REMARKS = [*PROBES, "fast_retransmission", "out_of_order", "lost_segment", "ack_lost_segment", "zero_window",
           "window_full", "reused_ports"]


def start():
    return nbtest.System(apps=[
        {"module": "http", "listen": [f"{SERVER}:80"]},
        {"module": "proxy", "listen": [f"{SERVER}:81"], "options": {"backends": f"{CLIENT}:{BACKEND}"}},
    ])


class Backend:
    """Answers what it received with its SHA-256, once the sender has ended."""

    def __enter__(self):
        self.listener = socket.create_server((CLIENT, BACKEND), backlog=64)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        return self

    def serve(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            with s:
                s.sendall(hashlib.sha256(nbtest.read_all(s)).hexdigest().encode())

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


def upload(data):
    """Through the proxy: our TCP receives it from Linux's, and sends it to Linux's again."""
    with socket.create_connection((SERVER, 81), timeout=nbtest.LIMIT_S) as s:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        return nbtest.read_all(s).decode()


def test_what_arrives_is_what_was_sent(system):
    data = os.urandom(BULK)
    system.nic("fault", "seed", "11")
    with Backend():
        for name, faults in FAULTS.items():
            for words in faults:
                system.nic("fault", *words)
            status, body = system.curl(f"/bytes/{BULK}")
            digest = upload(data)
            system.nic("fault", "off")
            equal(status, 200, f"status with {name}")
            check(body == nbtest.pattern(BULK), f"download with {name}: another body, {len(body)} bytes")
            equal(digest, hashlib.sha256(data).hexdigest(), f"upload with {name}: SHA-256")
    check(system.counter("retransmitted") > 0, "segments were sent again")
    check(system.counter("drop_bad_checksum") > 0, "damaged segments were noticed")


# --- tshark -----------------------------------------------------------------------------------------------------------

class Capture:
    """What crosses the wire during a with block, in a file."""

    def __init__(self, system):
        self.path = system.folder / "loss.pcap"

    def __enter__(self):
        self.process = subprocess.Popen(["tshark", "-q", "-i", nbtest.WIRE, "-B", "64", "-s", "128", "-f", "tcp", "-w",
                                         str(self.path)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        wait_until(lambda: self.path.exists() and self.path.stat().st_size > 0, "the capture has begun")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate(timeout=nbtest.LIMIT_S)

    def remarks(self):
        """{remark: the frames it is about}, those that are not there left out."""
        fields = [f"tcp.analysis.{name}" for name in REMARKS]
        wanted = [word for field in fields for word in ("-e", field)]
        out = nbtest.command("tshark", "-n", "-r", self.path, "-T", "fields", "-E", "separator=|", "-E", "occurrence=f",
                             "-e", "frame.number", *wanted, limit_s=120).stdout.decode()
        found = {}
        for line in out.splitlines():
            number, *values = line.split("|")
            for field, value in zip(REMARKS, values):
                if value:
                    found.setdefault(field, []).append(int(number))
        return found

    def story(self, frames):
        """The conversations of these frames, for whoever reads why the test failed."""
        out = nbtest.command("tshark", "-n", "-r", self.path, "-T", "fields", "-e", "frame.number", "-e", "tcp.stream",
                             "-e", "_ws.col.Info", limit_s=120).stdout.decode().splitlines()
        streams = {out[f - 1].split("\t")[1] for f in frames[:2]}
        return "\n".join(line for line in out if line.split("\t")[1] in streams)[:4000]


def request(path, close=True):
    return (f"GET {path} HTTP/1.1\r\nHost: x\r\n" + ("Connection: close\r\n" if close else "") + "\r\n").encode()


def close_by_server(system, size):
    body = system.exchange(request(f"/bytes/{size}")).partition(b"\r\n\r\n")[2]
    check(body == nbtest.pattern(size), f"{len(body)} bytes of {size}")


def keep_alive(system, size):
    with system.connect() as s:
        for _ in range(3):
            s.sendall(request(f"/bytes/{size}", close=False))
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                answer += nbtest.read_exactly(s, 1)
            equal(nbtest.read_exactly(s, size), nbtest.pattern(size), "body on a connection that is kept")


def reset_by_client(system, size):
    with system.connect() as s:
        s.sendall(request(f"/bytes/{size}", close=False))
        nbtest.read_exactly(s, min(size, 10))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def half_close(system, size):
    with system.connect() as s:
        s.sendall(request(f"/bytes/{size}"))
        s.shutdown(socket.SHUT_WR)
        check(nbtest.read_all(s).endswith(nbtest.pattern(size)), "the whole body after our FIN")


def test_tshark_has_nothing_to_remark_on(system):
    kinds = [close_by_server, keep_alive, reset_by_client, half_close]
    sizes = [1, 100, 1448, 1449, 10_000, 60_000]
    nbtest.command("ethtool", "-K", nbtest.WIRE, "tso", "off", "gso", "off", "gro", "off", expect=None)
    probes, again = system.counter("loss_probes"), system.counter("retransmitted")
    with Capture(system) as capture:
        for i in range(CONNECTIONS):
            kinds[i % len(kinds)](system, sizes[i // len(kinds) % len(sizes)])
    probes, again = system.counter("loss_probes") - probes, system.counter("retransmitted") - again
    equal(again, probes, "segments sent again, all of them as loss probes")
    remarks = capture.remarks()
    print(f"# {CONNECTIONS} connections, remarks: { {k: len(v) for k, v in remarks.items()} or 'none'}, "
          f"{probes} loss probes")
    for remark, frames in remarks.items():
        check(remark in PROBES and len(frames) <= probes, f"tshark: {remark} in frames {frames[:10]}:\n{capture.story(frames)}")


if __name__ == "__main__":
    nbtest.main(start)
