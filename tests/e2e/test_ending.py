#!/usr/bin/env python3
"""nicsim and netbypassd end alike on SIGINT, SIGTERM and SIGHUP, with clients connected, and leave nothing behind."""
import signal
import time

import nbtest
from nbtest import check, equal

END_S = 2


def end_with(number):
    with nbtest.System(steering={"policy": "exact", "exact_after_ms": 0}) as system:
        idle, busy = system.connect(), system.connect()
        busy.sendall(b"GET /bytes/1000000000 HTTP/1.1\r\nHost: h\r\n\r\n")
        nbtest.read_exactly(busy, 1)
        began = time.monotonic()
        equal(system.stop(number), 0, "exit status")
        took = time.monotonic() - began
        check(took < END_S, f"it took {took:.2f} s to end")
        said = system.log.read_text(errors="replace")
        check("Sanitizer" not in said and "runtime error" not in said, f"a sanitizer has something to say:\n{said}")
        equal(peer_saw(idle), "reset", "what the idle client saw")
        busy.close()
    equal(nbtest.leftovers(), [], "what is left")


def peer_saw(client):
    try:
        return "end" if client.recv(1) == b"" else "data"
    except ConnectionResetError:
        return "reset"


def test_sigterm():
    end_with(signal.SIGTERM)


def test_sigint():
    end_with(signal.SIGINT)


def test_sighup():
    end_with(signal.SIGHUP)


if __name__ == "__main__":
    nbtest.main()
