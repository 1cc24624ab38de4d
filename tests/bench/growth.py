#!/usr/bin/env python3
"""Count what a short connection costs a server that has much else to keep: run build/bench/growth under callgrind.

usage: growth.py PROGRAM [--small]

Prints a Markdown table, and writes it beside the program as growth.md. Counts are of instructions on the server's side,
so they are the same in every run. --small stops at 1000 connections and 4 workers, to see whether it works.
"""
import re
import subprocess
import sys
from pathlib import Path

from instructions import count

FULL = (("open", (1, 1000, 100_000, 1_000_000), "connections open and idle"),
        ("random", (100_000,), "the same, tuples without order"),
        ("hostile", (100_000,), "the same, tuples with one RSS hash in the low 18 bits"),
        ("time-wait", (1000, 100_000, 1_000_000), "in TIME-WAIT"),
        ("connect", (1000, 100_000, 1_000_000), "that we opened, in TIME-WAIT; we open more"),
        ("workers", (1, 2, 4, 8, 16, 32, 64), "workers"))
IDLE = (1, 1000, 100_000, 1_000_000)


def measure(program, work, n):
    """Instructions for one connection, or for one turn of an idle worker."""
    out = program.parent / f"callgrind.growth.{work}.{n}"
    argv = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--instr-atstart=no", "--collect-atstart=no",
            "--toggle-collect=nb_bench_server_step", str(program), work, str(n)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    units = re.search(r"^units (\d+)$", done.stdout, re.MULTILINE)
    if done.returncode != 0 or not units:
        sys.exit(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return count(out)[0] / int(units.group(1))


def rows(program, most_connections, most_workers):
    for work, steps, what in FULL:
        first = None
        for n in steps:
            if n <= (most_workers if work == "workers" else most_connections):
                cost = measure(program, work, n)
                first = first or cost
                yield f"| {n:,} {what} | {cost:,.0f} | {(cost / first - 1) * 100:+.1f} % |"
    for n in IDLE:
        if n <= most_connections:
            yield f"| {n:,} connections open, nothing happens: a turn of the loop | {measure(program, 'idle', n):,.0f} | |"


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["--small"]):
        sys.exit(__doc__.split("\n\n")[1])
    program, small = Path(sys.argv[1]).resolve(), len(sys.argv) == 3
    table = ["| with | instructions per short connection | against the first |", "|---|---|---|"]
    print("\n".join(table), flush=True)
    for row in rows(program, 1000 if small else 1_000_000, 4 if small else 64):
        print(row, flush=True)
        table.append(row)
    (program.parent / "growth.md").write_text("\n".join(table) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
