#!/usr/bin/env python3
"""A download goes on while its flow is moved from worker to worker, on the simulated 82599 with its rules.

The bytes that curl gets are compared with what they should be, and the stack's own word is that nothing was lost or
came out of order because of a move.
"""
import subprocess
import time

import nbtest
from nbtest import check, equal

WORKERS = 3
BYTES = 100 << 20
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
GET_CLOSE = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


class Moving(nbtest.System):
    def __init__(self):
        super().__init__(queues=WORKERS, workers=WORKERS)

    def move(self, flow, to):
        """Exit code of netbypassctl, and what it said."""
        done = self.run("netbypassctl", "flow", "move", flow, "--to", to, expect=None)
        return done.returncode, done.stderr.decode()


def test_idle_flow_moves_and_answers(system):
    with system.connect() as client:
        flow = None
        for to in (1, 2, 0, 2, 1, 0) * 3:
            client.sendall(GET)
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += nbtest.read_exactly(client, 1)
            nbtest.read_exactly(client, 64)
            flow = next(f for f in system.flows() if f["remote"].endswith(f":{client.getsockname()[1]}"))
            if flow["worker"] != to:
                move_until_done(system, flow["id"], to)
                moved = system.ask("flow", "show", flow["id"])[0]
                equal(moved["worker"], to, "owner after the move")
                equal(moved["id"], flow["id"], "id after the move")
        check(moved["moves"] >= 10, f"only {moved['moves']} moves")


def move_until_done(system, flow, to):
    """A flow that was just moved is busy for some milliseconds."""
    nbtest.wait_until(lambda: try_move(system, flow, to), f"flow {flow} moves to worker {to}")


def try_move(system, flow, to):
    code, said = system.move(flow, to)
    check(code == 0 or any(word in said for word in ("busy", "there already", "no flow", "ended")), f"move: {said}")
    return code == 0


def test_download_survives_being_moved(system):
    lost = [system.counter(name) for name in ("move_lost", "drop_ring_full", "drop_two_hops")]
    out = system.folder / "download"
    with subprocess.Popen(["curl", "-s", "-o", out, system.url(f"/bytes/{BYTES}")]) as curl:
        moves, to = 0, 0
        while curl.poll() is None:
            flows = [f for f in system.flows() if f["state"] == "established"]
            for flow in flows:
                to = (flow["worker"] + 1) % WORKERS
                moves += try_move(system, flow["id"], to)
            time.sleep(0.002)
    equal(curl.returncode, 0, "curl's exit code")
    check(moves >= 5, f"only {moves} moves during the download")
    check(out.read_bytes() == nbtest.pattern(BYTES), "the bytes that arrived are not those that were sent")
    out.unlink()
    equal([system.counter(name) for name in ("move_lost", "drop_ring_full", "drop_two_hops")], lost, "segments lost")


def test_pinned_flow_stays(system):
    with system.connect() as client:
        client.sendall(GET)
        nbtest.read_exactly(client, 10)
        flow = next(f for f in system.flows() if f["remote"].endswith(f":{client.getsockname()[1]}"))
        system.ctl("flow", "pin", flow["id"])
        code, said = system.move(flow["id"], (flow["worker"] + 1) % WORKERS)
        check(code and "pinned: operator" in said, f"said {said}")
        system.ctl("flow", "unpin", flow["id"])
        move_until_done(system, flow["id"], (flow["worker"] + 1) % WORKERS)


def drain(system, worker):
    """One command is enough, though the change of the table keeps flows busy for a while."""
    done = system.ask("worker", "drain", worker)[0]
    equal(done["left"], 0, f"flows left, because: {done['why']}")


def test_drain_says_why_flows_are_left(system):
    clients = [system.connect() for _ in range(30)]
    for client in clients:
        client.sendall(GET)
        nbtest.read_exactly(client, 10)
    pinned = [flow["id"] for flow in system.flows(worker=1)][:2]
    for flow in pinned:
        system.ctl("flow", "pin", flow)
    left = system.ask("worker", "drain", 1)[0]
    equal([left["left"], left["refused"], left["why"]], [2, 2, "pinned: operator (2)"], "what is left, and why")
    check("pinned: operator (2)" in system.ctl("worker", "drain", 1), "the table says why, too")
    for flow in pinned:
        system.ctl("flow", "unpin", flow)
    drain(system, 1)
    system.ctl("worker", "resume", 1)
    for client in clients:
        client.close()


def test_drained_worker_has_no_flows_left(system):
    clients = [system.connect() for _ in range(30)]
    for client in clients:
        client.sendall(GET)
        nbtest.read_exactly(client, 10)
    check(system.flows(worker=1), "worker 1 has flows")
    drain(system, 1)
    equal(system.flows(worker=1), [], "flows of worker 1")
    more = [system.connect() for _ in range(30)]
    for client in clients + more:
        client.sendall(GET)
        nbtest.read_exactly(client, 10)
    equal(system.flows(worker=1), [], "flows of worker 1, with new connections")
    system.ctl("worker", "resume", 1)
    for client in clients + more:
        client.close()


def test_drained_worker_has_no_time_wait_records_left(system):
    """The server closes first, so they are its own; all of them are elsewhere then, none is lost."""
    before = time_waits(system)
    for _ in range(30):
        with system.connect() as client:
            client.sendall(GET_CLOSE)
            while client.recv(4096):
                pass
    nbtest.wait_until(lambda: sum(time_waits(system)) == sum(before) + 30, "30 connections are in TIME-WAIT")
    check(time_waits(system)[1] > before[1], "worker 1 has records")
    drain(system, 1)
    equal(time_waits(system)[1], 0, "TIME-WAIT records at worker 1")
    equal(sum(time_waits(system)), sum(before) + 30, "TIME-WAIT records in all")
    check(system.counter("time_wait_out") == system.counter("time_wait_in") > 0, "records have gone and come")
    system.ctl("worker", "resume", 1)


def time_waits(system):
    return [worker["time_wait"] for worker in system.ask("worker", "list")]


def test_buckets_take_their_flows_along(system):
    clients = [system.connect() for _ in range(30)]
    for client in clients:
        client.sendall(GET)
        nbtest.read_exactly(client, 10)
    check(system.flows(worker=1), "worker 1 has flows")
    reta = system.ask("-d", "port", "show")[0]["reta"]
    for bucket in [i for i, worker in enumerate(reta) if worker == 1]:
        moved = system.ask("bucket", "move", 0, bucket, "to", 2)[0]
        equal(moved["left"], 0, f"flows of bucket {bucket} that have not followed: {moved['why']}")
    equal(system.flows(worker=1), [], "flows of worker 1")
    equal([f for f in system.flows() if f["worker"] != f["home_queue"]], [], "flows that are not at home")
    for client in clients:
        client.sendall(GET)
        nbtest.read_exactly(client, 10)
        client.close()
    refused = system.run("netbypassctl", "bucket", "move", 0, len(reta), "to", 2, expect=None)
    check(f"0 to {len(reta) - 1}" in refused.stderr.decode(), f"said {refused.stderr}")


if __name__ == "__main__":
    nbtest.main(Moving)
