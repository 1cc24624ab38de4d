#!/usr/bin/env python3
"""Rates of this stack, Linux and lwIP, measured in one run.

usage: rates.py [--rounds N] [--seconds S] [--only MODE[,MODE...]] FOLDER

FOLDER holds the ends (build/bench): PROGRAM server|client MODE CPU SECONDS [SOCKET]. In each mode every stack is server
and client, each side on a CPU of its own; stacks take turns within a round, so that whatever else the machine does meets
all of them; a figure is the median of the rounds, the noise half the distance between the quartiles. Ours, lwIP and the bare
frames go over net_memif; Linux goes over a veth pair between two network namespaces that exist for this program only, once
with an epoll program that makes the same exchange and once as nginx and wrk (nginx.py). Bulk of Linux is iperf3's.

Latency is told at two loads: one request outstanding, and requests at a pace, counted from when they were due (rate.h).

Writes results.json, results.md, results.svg and latency.svg into FOLDER and prints the table.
"""
import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import nginx
import report

SERVER, CLIENT = "10.98.0.1", "10.98.0.2"
CPUS = (0, 1)
LIMIT_S = 30
MODES = {  # mode of the ends: who takes part
    "short": ("netbypass", "lwip", "linux", "nginx"),
    "keepalive": ("netbypass", "lwip", "linux", "nginx"),
    "pingpong": ("netbypass", "frame", "lwip", "linux", "nginx"),
    "paced": ("netbypass", "lwip", "linux"),
    "bulk": ("netbypass", "lwip", "linux"),
}
ROWS = {  # name: mode, unit, what a client's report says (None: nothing)
    "short connections": ("short", "1/s", lambda r: r["count"] / r["seconds"]),
    "keepalive requests": ("keepalive", "1/s", lambda r: r["count"] / r["seconds"]),
    "round trip p50": ("pingpong", "ns", lambda r: r["p50_ns"]),
    "round trip p99": ("pingpong", "ns", lambda r: r["p99_ns"]),
    "round trip p99.9": ("pingpong", "ns", lambda r: r.get("p999_ns")),
    "request at a pace p50": ("paced", "ns", lambda r: r["p50_ns"]),
    "request at a pace p99": ("paced", "ns", lambda r: r["p99_ns"]),
    "request at a pace p99.9": ("paced", "ns", lambda r: r["p999_ns"]),
    "bulk": ("bulk", "Gbit/s", lambda r: r["bytes"] * 8e-9 / r["seconds"]),
}


class Namespaces:
    """Two network namespaces joined by a veth pair, held by two processes that wait for us to end."""

    def __enter__(self):
        self.holders = [subprocess.Popen(["unshare", "--net", "--", "sh", "-c", "echo; exec cat"], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE) for _ in CPUS]
        for holder in self.holders:
            holder.stdout.readline()
        pids = [str(h.pid) for h in self.holders]
        self.inside(0, "ip", "link", "add", "bench0", "type", "veth", "peer", "name", "bench1", "netns", pids[1])
        for i, address in enumerate((SERVER, CLIENT)):
            self.inside(i, "ip", "address", "add", f"{address}/24", "dev", f"bench{i}")
            self.inside(i, "ip", "link", "set", f"bench{i}", "up")
        return self

    def __exit__(self, *_):
        for holder in self.holders:
            holder.stdin.close()
            holder.wait()

    def prefix(self, i):
        return ["nsenter", "--net", f"--target={self.holders[i].pid}", "--"]

    def inside(self, i, *command):
        subprocess.run([*self.prefix(i), *command], check=True)


@contextlib.contextmanager
def serving(argv):
    """A server that says when it is ready and ends when its standard input does."""
    server = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        if server.stdout.readline().strip() != "ready":
            sys.exit(f"{' '.join(argv)}: exit {server.wait()}")
        yield
    finally:
        server.stdin.close()
        server.wait(LIMIT_S)


def outcome(argv, seconds):
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, timeout=seconds + LIMIT_S, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)}: exit {done.returncode}")
    return json.loads(done.stdout)


def play_memif(folder, end, mode, seconds):
    program = str(folder / f"{end}_end")
    with tempfile.TemporaryDirectory() as there:
        socket = f"{there}/memif.sock"
        argv = [[program, role, mode, str(cpu), str(seconds), socket] for role, cpu in zip(("server", "client"), CPUS)]
        with serving(argv[0]):
            return outcome(argv[1], seconds)


def play_linux(folder, namespaces, mode, seconds):
    if mode == "bulk":
        return play_iperf3(namespaces, seconds)
    argv = [[*namespaces.prefix(i), str(folder / "linux_end"), role, mode, str(CPUS[i]), str(seconds)]
            for i, role in enumerate(("server", "client"))]
    with serving(argv[0]):
        return outcome(argv[1], seconds)


def play_iperf3(namespaces, seconds):
    server = subprocess.Popen([*namespaces.prefix(0), "iperf3", "-s", "-1", "-A", str(CPUS[0]), "--forceflush"],
                              stdout=subprocess.PIPE, text=True)
    while "listening" not in server.stdout.readline():
        if server.poll() is not None:
            sys.exit(f"iperf3 -s: exit {server.returncode}")
    client = [*namespaces.prefix(1), "iperf3", "-c", SERVER, "-A", str(CPUS[1]), "-t", str(max(1, round(seconds))), "-J"]
    done = subprocess.run(client, stdout=subprocess.PIPE, text=True, timeout=seconds + LIMIT_S, check=True)
    server.communicate(timeout=LIMIT_S)
    received = json.loads(done.stdout)["end"]["sum_received"]
    return {"bytes": received["bytes"], "seconds": received["seconds"], "errors": 0}


def play(folder, namespaces, stack, mode, seconds):
    if stack == "linux":
        return play_linux(folder, namespaces, mode, seconds)
    if stack == "nginx":
        return nginx.play([namespaces.prefix(i) for i in range(len(CPUS))], CPUS, SERVER, mode, seconds)
    return play_memif(folder, stack, mode, seconds)


def progress(text):
    if sys.stderr.isatty():
        print(f"\r{text:<70}\r", end="", file=sys.stderr, flush=True)


def measure(folder, modes, rounds, seconds):
    """{mode: {stack: [report of each round]}}"""
    reports = {mode: {stack: [] for stack in MODES[mode]} for mode in modes}
    with Namespaces() as namespaces:
        for number in range(rounds):
            for mode in modes:
                for stack in MODES[mode]:
                    progress(f"round {number + 1} of {rounds}: {mode}, {report.TITLES[stack]}")
                    reports[mode][stack].append(play(folder, namespaces, stack, mode, seconds))
    progress("")
    return reports


# --- results ----------------------------------------------------------------------------------------------------------

def summary(values):
    quartiles = statistics.quantiles(values, n=4) if len(values) > 1 else [values[0]] * 3
    return {"median": statistics.median(values), "noise": (quartiles[2] - quartiles[0]) / 2, "values": values}


def row(mode, unit, figure, reports):
    figures = {stack: [figure(r) for r in rounds] for stack, rounds in reports[mode].items()}
    return {"mode": mode, "unit": unit,
            "stacks": {stack: summary(values) for stack, values in figures.items() if None not in values}}


def load(rounds):
    """What all rounds together say of one stack in one mode."""
    histogram = Counter()
    for r in rounds:
        histogram.update(dict(r.get("histogram", ())))
    return {"offered_per_s": max(r.get("offered_per_s", 0) for r in rounds), "errors": sum(r["errors"] for r in rounds),
            "count_per_s": statistics.median(r.get("count", 0) / r["seconds"] for r in rounds),
            "histogram": sorted(histogram.items())}


def machine():
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="ascii"), re.MULTILINE)
    return f"{os.cpu_count()} CPUs{f' ({model.group(1)})' if model else ''}, Linux {os.uname().release}"


def gather(reports, rounds, seconds):
    return {"machine": machine(), "rounds": rounds, "seconds": seconds,
            "rows": {name: row(*of, reports) for name, of in ROWS.items() if of[0] in reports},
            "modes": {mode: {stack: load(of) for stack, of in stacks.items()} for mode, stacks in reports.items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--only", default=",".join(MODES), help="modes, separated by commas")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    modes = options.only.split(",")
    if unknown := [mode for mode in modes if mode not in MODES]:
        parser.error(f"no such mode: {', '.join(unknown)}; there are: {', '.join(MODES)}")
    if not set(CPUS) <= os.sched_getaffinity(0):
        sys.exit(f"CPUs {CPUS} are needed, one for each side")
    folder = options.folder.resolve()
    results = gather(measure(folder, modes, options.rounds, options.seconds), options.rounds, options.seconds)
    text = report.table(results)
    for name, content in (("results.json", json.dumps(results, indent=1) + "\n"), ("results.md", text),
                          ("results.svg", report.bars(results)), ("latency.svg", report.latency(results))):
        (folder / name).write_text(content, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
