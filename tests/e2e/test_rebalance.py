#!/usr/bin/env python3
"""Work piled on one worker of four is spread by the rebalancer, live: by hand and by itself; the streams stay exact."""
import contextlib
import os
import pty
import socket
import threading

import nbtest
from nbtest import check, equal

SERVER6 = "fd99::2"
WORKERS = 4
DOWNLOADS = 8
HEAVY6 = 3
PERIOD = 251  # of the bytes of /bytes/N
PATTERN = nbtest.pattern(PERIOD + (1 << 18))
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
CONNECTIONS = 300  # opened, of which a quarter is at home at each worker
PAGE = b"netbypass: served by the core that owns this connection. Hello.\n"
LOST = ("move_lost", "drop_ring_full", "drop_two_hops")


class Download(threading.Thread):
    """A connection that receives without end, and compares what comes with what should."""

    def __init__(self, connect):
        super().__init__(daemon=True)
        self.socket = connect()
        self.wrong = None
        self.received = 0
        self.socket.sendall(GET)
        self.skip_head()
        nbtest.read_exactly(self.socket, 64)

    def skip_head(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += nbtest.read_exactly(self.socket, 1)

    def run(self):
        try:
            self.socket.sendall(GET.replace(b"/", b"/bytes/4000000000", 1))
            self.skip_head()
            while chunk := self.socket.recv(1 << 18):
                at = self.received % PERIOD
                if chunk != PATTERN[at:at + len(chunk)]:
                    self.wrong = f"other bytes than expected between {self.received} and {self.received + len(chunk)}"
                    return
                self.received += len(chunk)
            self.wrong = "the server closed"
        except OSError as why:
            self.wrong = str(why)

    def end(self):
        """Not close() alone: poll() in the other thread would hold on to the connection, and look at whatever file has
        its number next."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        if self.is_alive():
            self.join()
        self.socket.close()


class Rebalancing(nbtest.System):
    def __init__(self):
        super().__init__(queues=WORKERS, workers=WORKERS,
                         ports=[{"device": "0000:82:00.0", "address": f"{nbtest.SERVER}/24",
                                 "addresses": [f"{SERVER6}/64"]}],
                         apps=[{"module": "http", "listen": ["0.0.0.0:80", "[::]:80"]}])

    def connect6(self):
        return socket.create_connection((SERVER6, 80), timeout=nbtest.LIMIT_S)

    def usable6(self):
        """Duplicate Address Detection takes a second."""
        return all(a["state"] == "usable" for a in self.ask("port", "show")[0]["addresses"])

    def owners(self):
        return {flow["id"]: flow["worker"] for flow in self.flows(state="established")}

    @contextlib.contextmanager
    def piled_up(self):
        """Downloads, all on worker 0, until the end of the block, when they are still what they should be."""
        with contextlib.ExitStack() as stack:
            downloads = [Download(self.connect) for _ in range(DOWNLOADS)]
            for download in downloads:
                stack.callback(download.end)
            nbtest.wait_until(self.gather, "all flows are on worker 0")
            for download in downloads:
                download.start()
            nbtest.wait_until(lambda: all(d.received for d in downloads), "every download has begun")
            lost = [self.counter(name) for name in LOST]
            yield
            for download in downloads:
                seen = download.received
                nbtest.wait_until(lambda d=download, n=seen: d.wrong or d.received > n, "the download goes on")
                equal(download.wrong, None, "a download")
            equal([self.counter(name) for name in LOST], lost, f"{LOST}")
        nbtest.wait_until(lambda: not self.flows(state="established"), "the flows have ended")

    def gather(self):
        away = [flow for flow, worker in self.owners().items() if worker != 0]
        for flow in away:
            self.run("netbypassctl", "flow", "move", flow, "--to", 0, expect=None)
        return not away


def test_dry_run_moves_nothing_and_apply_spreads_the_flows(system):
    with system.piled_up():
        before = system.owners()
        plan = nbtest.wait_until(lambda: loaded_plan(system), "a plan with moves")
        equal(system.owners(), before, "owners after the dry run")
        loads = [worker["before_permille"] for worker in plan["workers"]]
        check(loads[0] == max(loads), f"worker 0 is not the busiest: {loads}")
        planned = [worker["after_permille"] for worker in plan["workers"]]
        check(max(planned) - min(planned) < max(loads) - min(loads), f"not more even: {planned} after {loads}")
        nbtest.wait_until(lambda: system.ask("worker", "list")[0]["load_permille"] > 0, "worker 0's load is seen")
        text = nbtest.wait_until(lambda: applied(system), "flows are on several workers")
        check("P99" in text and "REORDERED" in text, f"no summary in: {text}")


def loaded_plan(system):
    plan = system.ask("rebalance", "--dry-run")
    return plan if plan["moves"] else None


def applied(system):
    """Plan and carry out; what was said, when the flows are spread. What one plan leaves, the next one has: loads waver,
    and a flow may be busy."""
    text = system.run("netbypassctl", "rebalance", "--apply", expect=None).stdout.decode()
    return text if len(set(system.owners().values())) > 1 else None


def test_automatic_mode_spreads_the_flows_and_then_leaves_them_alone(system):
    before = system.ask("rebalance", "show")[0]
    check(not before["auto"], "automatic mode is on without being asked for")
    with system.piled_up():
        system.ctl("rebalance", "auto", "on")
        nbtest.wait_until(lambda: len(set(system.owners().values())) > 1, "flows are on several workers")
        status = nbtest.wait_until(lambda: carried_out(system, before["plans"]), "a plan is counted as carried out")
        check(status["auto"] and status["moved"] > before["moved"], f"status is {status}")
        system.ctl("rebalance", "auto", "off")
        equal(status["lost"], 0, "segments lost in moves")


class LightClients(threading.Thread):
    """Connections at home at worker 0 that ask for a page in turn, each answered in full, until told to stop."""

    def __init__(self, system):
        super().__init__(daemon=True)
        self.sockets = {}
        self.stopping = False
        self.wrong = None
        for _ in range(CONNECTIONS):
            s = system.connect()
            self.sockets[s.getsockname()[1]] = s
        nbtest.wait_until(lambda: len(self.flows(system)) == CONNECTIONS, "the connections are there")
        for flow in self.flows(system):
            if flow["worker"] != 0:
                self.sockets.pop(port_of(flow)).close()
        nbtest.wait_until(lambda: len(self.flows(system)) == len(self.sockets), "the others are gone")

    def flows(self, system):
        return [f for f in system.flows(state="established") if port_of(f) in self.sockets]

    def run(self):
        try:
            while not self.stopping:
                for s in self.sockets.values():
                    s.sendall(GET)
                for s in self.sockets.values():
                    answer = b""
                    while b"\r\n\r\n" not in answer or len(answer) < answer.index(b"\r\n\r\n") + 4 + len(PAGE):
                        answer += s.recv(4096) or check(False, "the server closed")
                    check(answer.endswith(b"\r\n\r\n" + PAGE), f"an answer is {answer}")
        except (OSError, nbtest.Failed) as why:
            self.wrong = str(why)

    def stop(self):
        self.stopping = True
        self.join()
        for s in self.sockets.values():
            s.close()
        equal(self.wrong, None, "the clients")


def port_of(flow):
    return int(flow["remote"].rpartition(":")[2])


def test_many_light_flows_move_with_their_buckets_and_need_no_rules(system):
    clients = LightClients(system)
    before, lost = system.ask("rebalance", "show")[0], [system.counter(name) for name in LOST]
    clients.start()
    nbtest.wait_until(lambda: applied(system), "flows are on several workers")
    status = system.ask("rebalance", "show")[0]
    check(status["buckets"] > before["buckets"], "no bucket was moved")
    equal([system.counter(name) for name in LOST], lost, f"{LOST}")
    nbtest.wait_until(lambda: {f["method"] for f in clients.flows(system)} == {"rss"}, "every flow is at home")
    clients.stop()


def test_heavy_flows_for_which_the_nic_has_no_rule_move_with_their_buckets(system):
    nbtest.wait_until(system.usable6, "the IPv6 address is usable")
    for bucket in range(128):  # a worker without any counts as drained
        system.ctl("bucket", "move", 0, bucket, "to", bucket if bucket < WORKERS else 0)
    with contextlib.ExitStack() as stack:
        downloads = [Download(system.connect6) for _ in range(HEAVY6)]
        for download in downloads:
            stack.callback(download.socket.close)
        elsewhere = [port_of(flow) for flow in system.flows(state="established") if flow["worker"] != 0]
        downloads = [d for d in downloads if d.socket.getsockname()[1] not in elsewhere]
        for download in downloads:
            download.start()
        nbtest.wait_until(lambda: all(d.received for d in downloads), "every download has begun")
        nbtest.wait_until(lambda: applied(system), "flows are on several workers")
        nbtest.wait_until(lambda: {f["method"] for f in system.flows(state="established")} == {"rss"},
                          "every flow comes by hardware")
    nbtest.wait_until(lambda: not system.flows(state="established"), "the flows have ended")


def carried_out(system, plans):
    status = system.ask("rebalance", "show")[0]
    return status if status["plans"] > plans else None


def read_screen(fd):
    """All that was written to a terminal whose other end is closed."""
    drawn = b""
    with os.fdopen(fd, "rb", 0) as screen, contextlib.suppress(OSError):  # EIO is a terminal's end
        while chunk := screen.read(65536):
            drawn += chunk
    return drawn


def test_bar_is_drawn_on_a_terminal_only(system):
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "wb", 0) as terminal:
        system.run("netbypassctl", "rebalance", "--apply", stdout=terminal)
    drawn = read_screen(ours)
    check(b"\r[####" in drawn and b"\r\x1b[K" in drawn, f"no bar in {drawn}")
    equal(system.run("netbypassctl", "rebalance", "--apply").stdout.count(b"[#"), 0, "bars in a file")


if __name__ == "__main__":
    nbtest.main(Rebalancing)
