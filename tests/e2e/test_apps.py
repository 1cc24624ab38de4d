#!/usr/bin/env python3
"""The bundled proxy, discard and source, between Linux's TCP on both sides: bytes, half-close, errors, and locality."""
import contextlib
import hashlib
import socket
import struct
import threading

import nbtest
from nbtest import CLIENT, SERVER, check, equal

PROXY, REFUSED, LIMITED, DISCARD, SOURCE = 8080, 8081, 8082, 9, 19
ECHO, NOBODY, SINK = 9000, 9001, 9002  # on Linux's side
SOURCE_BYTES = 20_000_000
CONNECTIONS = 200
PAIRS, WORKERS = 2, 2  # of the proxy that is limited; on each worker
BUFFER = 262144  # bytes a connection may have queued for sending, and unread


def listener(port, address=CLIENT):
    s = socket.create_server((address, port), backlog=512)
    s.settimeout(nbtest.LIMIT_S)
    return s


def proxy_system():
    def app(module, port, **options):
        return {"module": module, "listen": [f"{SERVER}:{port}"] if port else [], "options": options}
    # Buffers of one size, so that what a connection may hold is known: otherwise they follow the path.
    return nbtest.System(limits={"send_buffer": BUFFER, "recv_buffer": BUFFER},
                         apps=[app("proxy", PROXY, backends=f"{CLIENT}:{ECHO}"),
                               app("proxy", REFUSED, backends=f"{CLIENT}:{NOBODY}"),
                               app("proxy", LIMITED, backends=f"{CLIENT}:{ECHO}", pairs=PAIRS),
                               app("bulk", DISCARD),
                               app("bulk", SOURCE, send=SOURCE_BYTES)])


def connect(port):
    return socket.create_connection((SERVER, port), timeout=nbtest.LIMIT_S)


@contextlib.contextmanager
def echo_backend(connections):
    """Accepts so many connections; each gets back what it sends, after its end: only a FIN that was passed on helps."""
    def serve(s):
        with s:
            s.sendall(b"".join(iter(lambda: s.recv(1 << 20), b"")))

    def accept():
        for _ in range(connections):
            threads.append(threading.Thread(target=serve, args=(server.accept()[0],)))
            threads[-1].start()

    threads = []
    with listener(ECHO) as server:
        threads.append(threading.Thread(target=accept))
        threads[0].start()
        yield
        for thread in threads:
            thread.join()


def through(request, port=PROXY):
    with connect(port) as s:
        s.sendall(request)
        s.shutdown(socket.SHUT_WR)
        return nbtest.read_all(s)


def test_bytes_and_half_close_pass_the_proxy_both_ways(system):
    with echo_backend(1):
        body = nbtest.pattern(5_000_000)
        equal(hashlib.sha256(through(body)).hexdigest(), hashlib.sha256(body).hexdigest(), "what came back")
    nbtest.wait_until(lambda: not system.flows(), "both connections are gone")


def test_a_connection_per_request_stays_on_its_core(system):
    opened, answers = system.counter("connections_opened"), []
    with echo_backend(CONNECTIONS):
        def client(i):
            answers.append(through(b"%d" % i) == b"%d" % i)
        threads = [threading.Thread(target=client, args=(i,)) for i in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    equal(answers, [True] * CONNECTIONS, "answers")
    equal(system.counter("connections_opened") - opened, CONNECTIONS, "connections opened")
    equal(system.counter("forwarded_in"), 0, "segments that came over another worker")
    equal(system.counter("misdirected"), 0, "misdirected")
    workers = [w["counters"]["connections_opened"] for w in system.ask("worker", "list")]
    check(min(workers) > 0, f"every worker opened some: {workers}")


def test_clients_beyond_the_pairs_wait_and_none_is_reset(system):
    more, answers = 10, []
    resets, opened = system.counter("rst_sent"), system.counter("connections_opened")
    waiting = system.counter("drop_not_accepting")
    with echo_backend(WORKERS * PAIRS + more):
        first = [connect(LIMITED) for _ in range(WORKERS * PAIRS)]
        for s in first:
            s.sendall(b"first")
        nbtest.wait_until(lambda: system.counter("connections_opened") - opened == len(first), "every pair is in use")
        threads = [threading.Thread(target=lambda i=i: answers.append(through(b"%d" % i, LIMITED) == b"%d" % i))
                   for i in range(more)]
        for thread in threads:
            thread.start()
        nbtest.wait_until(lambda: system.counter("drop_not_accepting") - waiting >= more, "the others wait")
        equal(system.counter("connections_opened") - opened, len(first), "pairs in use")
        for s in first:
            with s:
                s.shutdown(socket.SHUT_WR)
                equal(nbtest.read_all(s), b"first", "the answer to one of the first")
        for thread in threads:
            thread.join()
    equal(answers, [True] * more, "answers to the others")
    equal(system.counter("rst_sent") - resets, 0, "resets sent")


def test_refused_backend_resets_the_client(_system):
    try:
        with connect(REFUSED) as s:
            got = s.recv(1)
    except ConnectionResetError:  # in connect() already, when the backend's answer is quick
        return
    raise nbtest.Failed(f"the client read {got!r} and no reset")


def test_reset_by_the_client_reaches_the_backend(_system):
    with listener(ECHO) as server:
        s = connect(PROXY)
        s.sendall(b"x")
        backend = server.accept()[0]
        with backend:
            equal(backend.recv(1), b"x", "the first byte")
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
            try:
                got = backend.recv(1)
            except ConnectionResetError:
                return
    raise nbtest.Failed(f"the backend read {got!r} and no reset")


def test_slow_reader_slows_the_sender_and_loses_nothing(system):
    body = nbtest.pattern(8_000_000)
    with listener(ECHO) as server, connect(PROXY) as s:
        s.sendall(b"go")
        with server.accept()[0] as backend:
            backend.setblocking(False)
            sent = 0
            with contextlib.suppress(BlockingIOError):
                while sent < len(body):
                    sent += backend.send(body[sent:])
            queued = sum(f["recv_queue_bytes"] + f["send_queue_bytes"] for f in system.flows())
            check(queued <= 3 * BUFFER + 65536, f"the proxy holds {queued} bytes")
            backend.setblocking(True)
            rest = threading.Thread(target=lambda: (backend.sendall(body[sent:]), backend.shutdown(socket.SHUT_WR)))
            rest.start()
            got = hashlib.sha256(nbtest.read_all(s)).hexdigest()
            rest.join()
    equal(got, hashlib.sha256(body).hexdigest(), "what came through")


def test_source_sends_its_bytes_and_ends(_system):
    with connect(SOURCE) as s:
        got = nbtest.read_all(s)
    equal(len(got), SOURCE_BYTES, "bytes")
    equal(hashlib.sha256(got).hexdigest(), hashlib.sha256(nbtest.pattern(SOURCE_BYTES)).hexdigest(), "their hash")


def test_discard_takes_everything(system):
    before = sum(f["rx_bytes"] for f in system.flows())
    with connect(DISCARD) as s:
        s.sendall(bytes(8_000_000))
        nbtest.wait_until(lambda: sum(f["rx_bytes"] for f in system.flows()) - before == 8_000_000, "all bytes arrive")
        s.shutdown(socket.SHUT_WR)
        equal(nbtest.read_all(s), b"", "the answer")


def test_source_that_connects_keeps_its_connections_open(system):
    system.stop()
    options = {"connect": f"{CLIENT}:{SINK}", "connections": 3, "send": 1000}
    with listener(SINK, "") as server, nbtest.System(apps=[{"module": "bulk", "options": options}]) as client:
        for _ in range(20):
            with server.accept()[0] as s:
                equal(len(nbtest.read_all(s)), 1000, "bytes of a connection")
        check(client.counter("connections_opened") >= 20, "connections opened")


if __name__ == "__main__":
    nbtest.main(proxy_system)
