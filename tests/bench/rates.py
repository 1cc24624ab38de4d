#!/usr/bin/env python3
"""Rates of this stack, Linux and lwIP, measured in one run.

usage: rates.py [--rounds N] [--seconds S] [--only ROW[,ROW...]] FOLDER

FOLDER holds the ends (build/bench): PROGRAM server|client MODE CPU SECONDS [SOCKET]. For each row every stack is server and
client, each side on a CPU of its own; stacks take turns within a round, so that whatever else the machine does meets all
of them; the figure is the median of the rounds, the noise half the distance between the quartiles. Ours, lwIP and the bare
frames go over net_memif; Linux goes over a veth pair between two network namespaces that exist for this program only, once
with an epoll program that makes the same exchange and once as nginx and wrk (nginx.py). Bulk of Linux is iperf3's.

Writes rates.json, rates.md and rates.svg into FOLDER and prints the table.
"""
import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import nginx

SERVER, CLIENT = "10.98.0.1", "10.98.0.2"
CPUS = (0, 1)
LIMIT_S = 30
ROWS = {  # name: mode of the ends, unit, what a client's report says, who takes part
    "short connections": ("short", "1/s", lambda r: r["count"] / r["seconds"], ("netbypass", "lwip", "linux", "nginx")),
    "keepalive requests": ("keepalive", "1/s", lambda r: r["count"] / r["seconds"], ("netbypass", "lwip", "linux", "nginx")),
    "round trip p50": ("pingpong", "ns", lambda r: r["p50_ns"], ("netbypass", "frame", "lwip", "linux", "nginx")),
    "bulk": ("bulk", "Gbit/s", lambda r: r["bytes"] * 8e-9 / r["seconds"], ("netbypass", "lwip", "linux")),
}
TITLES = {"netbypass": "netbypass", "lwip": "lwIP", "linux": "Linux, epoll", "nginx": "Linux, nginx + wrk",
          "frame": "bare memif"}


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


def report(argv, seconds):
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
            return report(argv[1], seconds)


def play_linux(folder, namespaces, mode, seconds):
    if mode == "bulk":
        return play_iperf3(namespaces, seconds)
    argv = [[*namespaces.prefix(i), str(folder / "linux_end"), role, mode, str(CPUS[i]), str(seconds)]
            for i, role in enumerate(("server", "client"))]
    with serving(argv[0]):
        return report(argv[1], seconds)


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


def measure(folder, rows, rounds, seconds):
    """{row: {stack: [figure of each round]}}"""
    figures = {row: {stack: [] for stack in ROWS[row][3]} for row in rows}
    with Namespaces() as namespaces:
        for number in range(rounds):
            for row in rows:
                mode, _, figure, stacks = ROWS[row]
                for stack in stacks:
                    progress(f"round {number + 1} of {rounds}: {row}, {TITLES[stack]}")
                    figures[row][stack].append(figure(play(folder, namespaces, stack, mode, seconds)))
    progress("")
    return figures


def summary(values):
    quartiles = statistics.quantiles(values, n=4) if len(values) > 1 else [values[0]] * 3
    return {"median": statistics.median(values), "noise": (quartiles[2] - quartiles[0]) / 2, "values": values}


def shown(value, unit):
    return f"{value:.1f}" if unit == "Gbit/s" else f"{value:,.0f}"


def table(results):
    lines = ["| row | " + " | ".join(TITLES.values()) + " | ours to epoll |", "|---|" + "---|" * (len(TITLES) + 1)]
    for row, stacks in results.items():
        unit = ROWS[row][1]
        cells = [f"{shown(s['median'], unit)} ± {shown(s['noise'], unit)}" if (s := stacks.get(name)) else "–"
                 for name in TITLES]
        ratio = stacks["netbypass"]["median"] / stacks["linux"]["median"] if stacks["linux"]["median"] else 0
        lines.append(f"| {row}, {unit} | " + " | ".join(cells) + f" | {ratio:.2f} |")
    return "\n".join(lines) + "\n"


def svg(results):
    """A bar per stack and row, scaled to the row's largest."""
    width, bar, gap, left = 640, 18, 14, 170
    lines, y = [], gap
    for row, stacks in results.items():
        unit, most = ROWS[row][1], max(s["median"] for s in stacks.values()) or 1
        lines.append(f'<text x="4" y="{y + 12}" font-weight="bold">{row}, {unit}</text>')
        y += bar
        for name, s in stacks.items():
            length = (width - left - 90) * s["median"] / most
            colour = "#2a6f97" if name == "netbypass" else "#a9b4bd"
            lines.append(f'<text x="16" y="{y + 13}">{TITLES[name]}</text>'
                         f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{bar - 3}" fill="{colour}"/>'
                         f'<text x="{left + length + 5:.1f}" y="{y + 13}">{shown(s["median"], unit)}</text>')
            y += bar
        y += gap
    body = "\n".join(lines)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" font-family="sans-serif" '
            f'font-size="13">\n{body}\n</svg>\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--only", default=",".join(ROWS), help="rows, separated by commas")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    rows = options.only.split(",")
    if unknown := [row for row in rows if row not in ROWS]:
        parser.error(f"no such row: {', '.join(unknown)}; there are: {', '.join(ROWS)}")
    if not set(CPUS) <= os.sched_getaffinity(0):
        sys.exit(f"CPUs {CPUS} are needed, one for each side")
    folder = options.folder.resolve()
    figures = measure(folder, rows, options.rounds, options.seconds)
    results = {row: {stack: summary(values) for stack, values in stacks.items()} for row, stacks in figures.items()}
    text = table(results)
    (folder / "rates.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (folder / "rates.md").write_text(text, encoding="utf-8")
    (folder / "rates.svg").write_text(svg(results), encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
