#!/usr/bin/env python3
"""Audit: a filter that somebody puts into the NIC, takes out of it or changes behind netbypassd's back.

The witness is nicsim's own table, a different program, compared here with `rule list` filter by filter. The 82599 cannot
be read back through its driver; it counts. So netbypassd's audit says how many are too many or too few, that the NIC cannot
name them, and that it knows no more: a changed queue does not show, nor one too many together with one too few. Filters are
written with the NIC's own registers, as a mad driver would.
"""
import contextlib
import ipaddress
import re

import nbtest
from nbtest import equal

FLOWS = 20
ADD = 0x1 | 1 << 3 | 2 << 5 | 1 << 11 | 1 << 15  # FDIRCMD, datasheet 8.2.3.21.17: a TCP filter, replaced if it is there
REMOVE_FILTER = 0x2
STRANGER = 0x7ABC << 16 | 0x8000 | 5  # FDIRHASH: soft id, valid, bucket
FILTER = re.compile(r"bucket (\d+) soft id (\d+): (\S+):(\d+) > (\S+):(\d+) tcp queue (\d+)")


def write(system, **registers):
    for name, value in registers.items():
        system.nic("reg", name, hex(value))


def address(text):
    """As FDIRIPSA and FDIRIPDA hold it: the first byte lowest."""
    return int.from_bytes(ipaddress.ip_address(text).packed, "little")


def audit(system):
    return next(row for row in system.ask("rule", "audit") if row["engine"] == "flow-director")


def in_nic(system):
    """{(source, port, destination, port): (queue, FDIRHASH that names the filter)}, by nicsim's own table."""
    lines = [FILTER.fullmatch(line).groups() for line in system.nic("table", "flow-director").splitlines()[1:]]
    return {(src, int(sport), dst, int(dport)): (int(queue), int(soft) << 16 | 0x8000 | int(bucket))
            for bucket, soft, src, sport, dst, dport, queue in lines}


def believed(system):
    match = re.compile(r"tcp (\S+):(\d+) -> (\S+):(\d+)")
    rows = [(match.fullmatch(rule["match"]).groups(), rule["queue"]) for rule in system.ask("rule", "list")]
    return {(src, int(sport), dst, int(dport)): queue for (src, sport, dst, dport), queue in rows}


def compare(system):
    """What is wrong, by the table itself: orphans, missing, mismatching tuples."""
    nic, ours = in_nic(system), believed(system)
    return (set(nic) - set(ours), set(ours) - set(nic),
            {key for key in set(nic) & set(ours) if nic[key][0] != ours[key]})


def counts(system):
    row = audit(system)
    return row["device_used"], row["orphans"], row["missing"], row["mismatched"]


@contextlib.contextmanager
def connections(system):
    with contextlib.ExitStack() as stack:
        for _ in range(FLOWS):
            stack.enter_context(system.connect())
        nbtest.wait_until(lambda: audit(system)["rules"] == FLOWS, f"{FLOWS} rules")
        equal(compare(system), (set(), set(), set()), "the NIC's table against rule list")
        equal((counts(system), audit(system)["witness"]), ((FLOWS, 0, 0, 0), "count only"), "audit of an honest NIC")
        equal(system.ask("rule", "findings"), [], "findings")
        yield in_nic(system)
    nbtest.wait_until(lambda: audit(system)["rules"] == 0, "no rules")


def kinds(system):
    return [(f["kind"], f["engine"]) for f in system.ask("rule", "findings")]


def test_planted_filter_is_found_and_gone_when_it_goes(system):
    with connections(system):
        write(system, FDIRIPSA=address("10.10.10.10"), FDIRIPDA=address("10.10.10.11"), FDIRPORT=0x12345678, FDIRHASH=STRANGER,
              FDIRCMD=ADD | 1 << 16)
        equal(compare(system), ({("10.10.10.10", 0x5678, "10.10.10.11", 0x1234)}, set(), set()), "by the NIC's table")
        equal((counts(system), kinds(system)), ((FLOWS + 1, 1, 0, 0), [("orphan", "flow-director")]), "audit")
        write(system, FDIRHASH=STRANGER, FDIRCMD=REMOVE_FILTER)
        equal(counts(system), (FLOWS, 0, 0, 0), "audit without it")


def test_filter_taken_out_behind_our_back_is_missing(system):
    with connections(system) as filters:
        victim = sorted(filters)[3]
        write(system, FDIRHASH=filters[victim][1], FDIRCMD=REMOVE_FILTER)
        equal(compare(system), (set(), {victim}, set()), "by the NIC's table")
        equal((counts(system), kinds(system)), ((FLOWS - 1, 0, 1, 0), [("missing", "flow-director")]), "audit")


def test_changed_queue_is_in_the_table_and_beyond_what_a_count_can_show(system):
    with connections(system) as filters:
        victim = (src, sport, dst, dport) = sorted(filters)[3]
        queue, name = filters[victim]
        write(system, FDIRIPSA=address(src), FDIRIPDA=address(dst),
              FDIRPORT=dport << 16 | sport, FDIRHASH=name, FDIRCMD=ADD | (1 - queue) << 16)
        equal(compare(system), (set(), set(), {victim}), "by the NIC's table")
        row = audit(system)
        equal((counts(system), row["witness"], row["confirmed"]), ((FLOWS, 0, 0, 0), "count only", 0), "audit")


if __name__ == "__main__":
    nbtest.main(lambda: nbtest.System(steering={"policy": "exact", "exact_after_ms": 0}))
