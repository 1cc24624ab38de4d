#!/usr/bin/env python3
"""Count what the data plane costs: run build/bench/instructions under callgrind, once for each work and side, and add up.

usage: instructions.py PROGRAM [WORK...]

WORK is short-connection, keepalive-request or bulk-segment; without it, all.
callgrind counts within one function of the program, nb_bench_server_step or nb_bench_client_step, which only the
measured phase calls. The counts are of instructions, so they are the same in every run, and on every machine that has
the same compiler and the same libraries. The files stay beside the program, for callgrind_annotate or kcachegrind.
"""
import collections
import re
import subprocess
import sys
from pathlib import Path

SIDES = ("server", "client")
WORKS = ("short-connection", "keepalive-request", "bulk-segment")

# What a line of source belongs to, by its file or shared object; the first row that fits. Inlined code is counted where
# it is written (rte_mbuf.h) when that has a row here, else with the function it was inlined into (rte_byteorder.h).
GROUPS = (
    ("checksum", r"wire/checksum|rte_ip\.h|rte_cksum"),
    ("mempool", r"rte_mempool|rte_mbuf|librte_mempool|librte_mbuf|tcp/buffers"),
    ("driver", r"rte_ethdev|librte_net_ring|librte_ethdev|rte_eth_ring|rte_ring|librte_ring"),
    ("timers", r"worker/timer_wheel|tcp/timers"),
    ("flow table", r"worker/flow_table"),
    ("tcp input", r"wire/segment\.c|tcp/(input|ack|text|handshake|reasm|listen|isn|paws|recovery|rtt|timewait)"),
    ("tcp output", r"wire/segment_emit|wire/tcp_option|tcp/(output|emit|sendq|chain|calls)"),
    ("tcp other", r"host-lib/tcp/"),
    ("net/ip", r"host-lib/(net|wire)/"),
    ("app", r"tests/bench/"),
    ("worker", r"host-lib/worker/"),
    ("libc", r"libc\.so|libc-|/string/|sysdeps"),
)
LINE = re.compile(r"^\s*([\d,]+)\s+(?:\([\d. ]+%\)\s+)?(\S+?):(\S.*?)(?:\s+\[(\S+)\])?$")


def callgrind(program, work, side):
    """Run once; the file with the counts, and how many connections, requests or segments were measured."""
    out = program.parent / f"callgrind.{work}.{side}"
    argv = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--collect-atstart=no", "--dump-instr=no",
            f"--toggle-collect=nb_bench_{side}_step", str(program), work]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    units = re.search(rf"^{work} (\d+)$", done.stdout, re.MULTILINE)
    if done.returncode != 0 or not units:
        sys.exit(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return out, int(units.group(1))


def group_of(file, where):
    return next((name for name, pattern in GROUPS if re.search(pattern, f"{file} {where or ''}")), None)


def number(text):
    return int(text.replace(",", ""))


def count(out):
    """Instructions by group."""
    text = subprocess.run(["callgrind_annotate", "--threshold=100", "--auto=no", str(out)], stdout=subprocess.PIPE,
                          text=True, check=True).stdout
    total = number(re.search(r"^\s*([\d,]+)(?: \(100.0%\))?\s+PROGRAM TOTALS", text, re.MULTILINE).group(1))
    lines = [found.groups() for found in map(LINE.match, text.splitlines()) if found]
    homes = {function: group_of(file, None) for _, file, function, _ in lines if "host-lib/" in file}
    groups = collections.Counter()
    for n, file, function, where in lines:
        groups[group_of(file, where) or homes.get(function) or "other"] += number(n)
    groups["other"] += total - sum(groups.values())  # what callgrind_annotate leaves out
    return total, groups


def measure(program, work):
    """Per side: instructions for one unit of work, in all and by group."""
    results = {}
    for side in SIDES:
        out, units = callgrind(program, work, side)
        total, groups = count(out)
        results[side] = (total / units, {name: n / units for name, n in groups.items()})
    return results


def main():
    works = sys.argv[2:] or WORKS
    if len(sys.argv) < 2 or not set(works) <= set(WORKS):
        sys.exit(__doc__.split("\n\n")[1])
    results = {work: measure(Path(sys.argv[1]).resolve(), work) for work in works}
    for work in works:
        for side in SIDES:
            print(f"{side} {work} instructions: {round(results[work][side][0])}")
    columns = [(work, side) for work in works for side in SIDES]
    print(f"\n{'':12}" + "".join(f"{work.split('-')[0] + ' ' + side:>18}" for work, side in columns))
    for name in [*dict(GROUPS), "other"]:
        print(f"{name:12}" + "".join(f"{round(results[work][side][1].get(name, 0)):18}" for work, side in columns))


if __name__ == "__main__":
    main()
