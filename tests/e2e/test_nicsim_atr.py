#!/usr/bin/env python3
"""ATR seen from outside: testpmd swaps the addresses of what it receives and sends it back from the queue it came to, as a
server's thread does; from then on the card steers the connection there, whatever RSS says."""
import frames
import nbtest
import testpmd
from nbtest import check, equal

CLIENT, SERVER = "10.0.0.1", "10.0.0.2"


class Swapping(testpmd.Testpmd):
    def __init__(self):
        super().__init__("--forward-mode=5tswap", nic_options=["--atr=100,1"])

    def __enter__(self):
        super().__enter__()
        self.say("start")
        return self

    def atr(self):
        """The card's own count."""
        rows = [line.rsplit(": ", 1) for line in self.nic("atr").splitlines()]
        return {row[0]: int(row[1]) for row in rows if len(row) == 2}


def send(pmd, port, flags):
    """One segment of a connection, and wait for it to have been sent back. What the card decided."""
    before = sent(pmd)
    verdict = pmd.inject(frames.tcp(CLIENT, port, SERVER, 80, flags))
    nbtest.wait_until(lambda: sent(pmd) > before, "the segment sent back")
    return verdict


def sent(pmd):
    return int(pmd.nic("stats").split("tx_frames ")[1].split()[0])


def test_connection_is_steered_after_its_syn_was_answered(pmd):
    first = send(pmd, 1000, frames.SYN)
    equal(first["table"], "rss", "the SYN's table")
    nbtest.wait_until(lambda: pmd.atr()["filters"] == 1, "a filter")
    second = send(pmd, 1000, frames.ACK)
    equal((second["table"], second["queue"]), ("flow-director", first["queue"]), "the next segment's table and queue")
    equal(send(pmd, 1001, frames.ACK)["table"], "rss", "another connection's table")


def test_filter_outlives_a_new_indirection_table(pmd):
    """RSS would send it elsewhere now."""
    home = send(pmd, 1000, frames.ACK)
    other = (int(home["queue"]) + 1) % 4
    pmd.spread_over(other)
    equal(send(pmd, 5000, frames.ACK)["queue"], str(other), "where RSS sends now")
    again = send(pmd, 1000, frames.ACK)
    equal((again["table"], again["queue"]), ("flow-director", home["queue"]), "where its filter sends it")


def test_full_table_is_emptied(pmd):
    before = pmd.atr()["times it was emptied"]
    for port in range(2000, 2105):
        pmd.inject(frames.tcp(CLIENT, port, SERVER, 80, frames.SYN))
    nbtest.wait_until(lambda: pmd.atr()["times it was emptied"] == before + 1, "the table emptied")
    check(pmd.atr()["filters"] < 100, f"filters left: {pmd.atr()}")


def test_it_is_switched_while_it_runs(pmd):
    pmd.nic("atr", "off")
    equal(send(pmd, 1000, frames.ACK)["table"], "rss", "table without it")
    pmd.nic("atr", "on", "8190")
    send(pmd, 1000, frames.SYN)
    nbtest.wait_until(lambda: pmd.atr()["filters"] == 1, "a filter")
    equal(send(pmd, 1000, frames.ACK)["table"], "flow-director", "table with it")
    refused = nbtest.command(nbtest.BUILD / "nicsim", "ctl", "--control", pmd.control, "atr", "on", "32767", expect=1)
    check("the table of a 82599 has 1 to 32766 filters" in refused.stderr.decode(), refused.stderr.decode())


if __name__ == "__main__":
    nbtest.main(Swapping)
