#!/usr/bin/env python3
"""Which worker accepts a connection, on the simulated 82599: in turn, the least loaded, and whoever still accepts any.

Flows that are accepted away from home get rules; every byte is compared, and no client sees a reset.
"""
import collections
import socket

import nbtest
from nbtest import check, equal

WORKERS = 3
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
BYTES = 200_000
IN_TURN, LEAST, FEW = 80, 81, 82
MOST = 4  # connections a worker, of the application at port FEW


class Accepting(nbtest.System):
    def __init__(self):
        apps = [{"module": "http", "listen": [f"0.0.0.0:{IN_TURN}"], "distribute": "round_robin"},
                {"module": "http", "listen": [f"0.0.0.0:{LEAST}"], "distribute": "least_loaded"},
                {"module": "http", "listen": [f"0.0.0.0:{FEW}"], "options": {"connections": str(MOST)}}]
        super().__init__(queues=WORKERS, workers=WORKERS, apps=apps)

    def open(self, port):
        return socket.create_connection((nbtest.SERVER, port), timeout=nbtest.LIMIT_S)

    def flows_of(self, port):
        return [f for f in self.flows(state="established") if f["local"].endswith(f":{port}")]


def ask(client, path="/", body=64):
    """One request; its body."""
    client.sendall(GET.replace(b"/ ", path.encode() + b" ", 1))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += nbtest.read_exactly(client, 1)
    return nbtest.read_exactly(client, body)


def per_worker(flows):
    count = collections.Counter(f["worker"] for f in flows)
    return [count[w] for w in range(WORKERS)]


def close(system, clients, port):
    for client in clients:
        client.close()
    nbtest.wait_until(lambda: not system.flows_of(port), f"no connection to port {port} is left")


def test_connections_in_turn_are_spread_and_get_rules(system):
    clients = [system.open(IN_TURN) for _ in range(30)]
    for client in clients:
        ask(client)
    counts = per_worker(system.flows_of(IN_TURN))
    equal(sum(counts), 30, "connections")
    check(max(counts) - min(counts) <= WORKERS, f"connections per worker {counts}")  # each home has its own turn
    nbtest.wait_until(lambda: all(f["method"] == "exact" for f in system.flows_of(IN_TURN)
                                  if f["worker"] != f["home_queue"]), "flows away from home have rules")
    away = [f for f in system.flows_of(IN_TURN) if f["worker"] != f["home_queue"]]
    check(len(away) >= 10, f"only {len(away)} flows are away from home")
    shown = system.ask("flow", "show", away[0]["id"])[0]
    equal((shown["method"], shown["moves"]), ("exact", 0), "method and moves of a flow accepted away from home")
    for client in clients:
        check(ask(client, f"/bytes/{BYTES}", BYTES) == nbtest.pattern(BYTES), "the bytes are not those that were sent")
    equal(system.counter("misdirected"), 0, "misdirected")
    close(system, clients, IN_TURN)


def test_least_loaded_keeps_workers_even(system):
    clients = []
    for _ in range(30):
        clients.append(system.open(LEAST))
        ask(clients[-1])
    counts = per_worker(system.flows_of(LEAST))
    check(min(counts) >= 7, f"connections per worker {counts}")
    close(system, clients, LEAST)


def accepting(system):
    return next(x["accepting"] for x in system.ask("listener", "list") if x["local"].endswith(f":{FEW}"))


def test_full_workers_pass_connections_on_and_nobody_is_reset(system):
    resets = system.counter("rst_sent")
    clients = [system.open(FEW) for _ in range(MOST * WORKERS)]
    for client in clients:
        ask(client)
    equal(per_worker(system.flows_of(FEW)), [MOST] * WORKERS, "connections per worker")
    equal(accepting(system), 0, "workers that accept")
    with socket.socket() as late:
        late.setblocking(False)
        dropped = system.counter("drop_not_accepting")
        late.connect_ex((nbtest.SERVER, FEW))
        nbtest.wait_until(lambda: system.counter("drop_not_accepting") > dropped, "its SYN is dropped")
        clients.pop().close()
        nbtest.wait_until(lambda: accepting(system) == 1, "a worker accepts again")
        late.settimeout(nbtest.LIMIT_S)
        ask(late)  # waits until it is connected
        equal(accepting(system), 0, "workers that accept")
        clients.append(late.dup())
    equal(system.counter("rst_sent"), resets, "resets")
    close(system, clients, FEW)


def test_listeners_say_who_accepts(system):
    rows = {x["local"]: (x["distribute"], x["accepting"]) for x in system.ask("listener", "list")}
    equal(rows[f"0.0.0.0:{IN_TURN}"], ("round_robin", WORKERS), "the listener at port 80")
    equal(rows[f"0.0.0.0:{FEW}"], ("home", WORKERS), "the listener at port 82")


if __name__ == "__main__":
    nbtest.main(Accepting)
