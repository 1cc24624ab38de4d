"""moving_load - load through a TAP while random flows are moved from worker to worker: what the short test and the long
one share. wrk and a download run; a mover picks flows and moves them, so many a second, over the control socket."""
import contextlib
import json
import random
import re
import socket
import threading
import time
from pathlib import Path

import nbtest
from nbtest import check, equal

WORKERS = 4
PERIOD = 251  # of the bytes of /bytes/N
PATTERN = nbtest.pattern(PERIOD + (1 << 18))
LOST = ("move_lost", "drop_ring_full")


class Refused(Exception):
    """netbypassd said no, in these words."""


class Operator:
    """One connection to the control socket."""

    def __init__(self, system):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(nbtest.LIMIT_S)
        self.socket.connect(str(system.socket))
        self.file = self.socket.makefile("rwb")

    def call(self, method, **params):
        self.file.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
        self.file.flush()
        answer = json.loads(self.file.readline())
        if "error" in answer:
            raise Refused(answer["error"]["message"])
        return answer["result"]

    def flows(self):
        flows, cursor = [], {}
        while True:
            page = self.call("flow.list", state="established", **cursor)
            flows += page["flows"]
            if not page["next"]:
                return flows
            cursor = {"cursor": page["next"]}


class Mover(threading.Thread):
    """Moves random flows, `rate` a second as far as netbypassd goes along, until told to stop."""

    def __init__(self, system, rate, seed=1):
        super().__init__(daemon=True)
        self.operator = Operator(system)
        self.rate = rate
        self.random = random.Random(seed)
        self.stopping = threading.Event()
        self.moves, self.refused, self.failed = [], {}, None

    def run(self):
        started, asked, flows = time.monotonic(), 0, []
        try:
            while not self.stopping.is_set():
                flows = flows or self.operator.flows()
                if flows:
                    self.move(flows.pop(self.random.randrange(len(flows))))
                asked += 1
                self.stopping.wait(max(0.0, started + asked / self.rate - time.monotonic()))
        except Exception as why:  # pylint: disable=broad-except
            self.failed = repr(why)

    def move(self, flow):
        to = (flow["worker"] + 1 + self.random.randrange(WORKERS - 1)) % WORKERS
        try:
            self.moves.append(self.operator.call("flow.move", id=flow["id"], to=to)["move"])
        except Refused as why:
            words = re.sub(r".*: ", "", str(why))
            words = "no flow" if "no flow" in words else words
            self.refused[words] = self.refused.get(words, 0) + 1

    def stop(self):
        self.stopping.set()
        self.join()
        equal(self.failed, None, "the mover")


class Downloads(threading.Thread):
    """Downloads of so many bytes, one after the other, each compared byte by byte, until told to stop."""

    def __init__(self, system, size):
        super().__init__(daemon=True)
        self.system, self.size = system, size
        self.stopping = False
        self.done, self.received, self.wrong = 0, 0, None

    def run(self):
        try:
            while not self.stopping:
                self.download()
                self.done += 1
        except (OSError, nbtest.Failed) as why:
            self.wrong = str(why)

    def download(self):
        with self.system.connect() as s:
            s.sendall(f"GET /bytes/{self.size} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += nbtest.read_exactly(s, 1)
            at = 0
            while chunk := s.recv(1 << 18):
                check(chunk == PATTERN[at % PERIOD:at % PERIOD + len(chunk)], f"other bytes than expected after {at}")
                at += len(chunk)
                self.received += len(chunk)
            equal(at, self.size, "length of the download")


def client_retransmissions():
    """TcpRetransSegs of this network namespace, the client's."""
    names, values = [line.split() for line in Path("/proc/net/snmp").read_text(encoding="ascii").splitlines()
                     if line.startswith("Tcp:")]
    return int(values[names.index("RetransSegs")])


def wrk(system, seconds):
    """Requests answered; fails when wrk saw an error."""
    out = nbtest.command("wrk", "-t1", "-c32", f"-d{seconds}s", system.url("/"), limit_s=seconds + 30).stdout.decode()
    check("Socket errors" not in out and "Non-2xx" not in out, f"wrk reports errors:\n{out}")
    return int(re.search(r"(\d+) requests in", out).group(1))


@contextlib.contextmanager
def downloads(system, size):
    """Downloads as long as the block lasts, until the last one is whole; all of them exact."""
    thread = Downloads(system, size)
    thread.start()
    yield thread
    thread.stopping = True
    thread.join()
    equal(thread.wrong, None, "the download")
    check(thread.done > 0, "no download was whole")


def phase(system, seconds, rate):
    """wrk for so long, while `rate` flows a second are moved (0: none). What was seen, as a dict."""
    before = {name: system.counter(name) for name in (*LOST, "move_reordered", "retransmitted")}
    client, mover = client_retransmissions(), Mover(system, rate or 1)
    if rate:
        mover.start()
    requests = wrk(system, seconds)
    if rate:
        mover.stop()
    seen = {name: system.counter(name) - count for name, count in before.items()}
    return {**seen, "client_retransmissions": client_retransmissions() - client, "requests": requests,
            "moves": mover.moves, "refused": mover.refused}


def summary(seen):
    """A line for the log."""
    times = sorted(move["settled_us"] for move in seen["moves"]) or [0]
    moved = {key: sum(move[key] for move in seen["moves"]) for key in ("forwarded", "parked", "lost", "reordered")}
    plain = {key: value for key, value in seen.items() if key != "moves"}
    return (f"{len(seen['moves'])} moves, settled after {times[0]} to {times[-1]} us, p50 {times[len(times) // 2]}, "
            f"p99 {times[(len(times) - 1) * 99 // 100]}; {moved}; {plain}")


def move_one_flow(system, times, seconds):
    """A connection that keeps asking, moved so often in so many seconds; it gets every answer. The moves."""
    operator, moves, answers = Operator(system), [], 0
    with system.connect() as client:
        port = client.getsockname()[1]
        stopping = threading.Event()

        def ask():
            nonlocal answers
            while not stopping.is_set():
                client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    head += nbtest.read_exactly(client, 1)
                nbtest.read_exactly(client, 64)
                answers += 1

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        flow = nbtest.wait_until(lambda: next((f for f in operator.flows() if f["remote"].endswith(f":{port}")), None),
                                 "the flow is there")
        started = time.monotonic()
        while len(moves) < times:
            try:
                moves.append(operator.call("flow.move", id=flow["id"], to=(flow["worker"] + len(moves) + 1) % WORKERS)["move"])
            except Refused as why:
                check("just been moved" in str(why) or "busy" in str(why), f"the move: {why}")
            time.sleep(max(0.001, min(0.05, started + len(moves) * seconds / times - time.monotonic())))
        took_s = time.monotonic() - started
        stopping.set()
        asking.join(nbtest.LIMIT_S)
        check(not asking.is_alive() and answers > 0, "the connection does not answer any more")
    return moves, took_s, answers
