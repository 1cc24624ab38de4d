#!/usr/bin/env python3
"""Fastsocket's figure 5(b) beside our own: which share of packets arrives at the core that owns the connection.

usage: experiments.py LOCALITY [DOCS]

LOCALITY is build/experiments/locality. Prints the table and, with DOCS, writes DOCS/experiments.md and the curve
DOCS/experiments-atr.svg. In virtual time: how fast the machine is has no part in it.
"""
import re
import subprocess
import sys
from pathlib import Path

ROWS = (  # what is said of it, words for the program, the paper's figure
    ("RSS alone", ["rss"], "6.2 %"),
    ("RSS, local ports by our search: policies `rss` and `auto`", ["rss+choice"], "–"),
    ("perfect filters on port bits, ports chosen to match", ["mask+choice"], "100 %"),
    ("a perfect filter per connection once it stands, ports at random: policy `exact` without choice", ["exact"], "–"),
    ("ATR, 8190 filters, at once", ["atr", "8190", "0"], "76.5 %"),
)
SIZES = (64, 128, 256, 512, 1024, 2048, 4096, 8190)
LATENCIES = (0, 10, 30, 100, 300)  # events in the NIC: frames sent or received
TEXT = """# Experiments

    make experiments

Figures of the literature beside ours, from the simulated 82599 under Debian's unmodified ixgbe in virtual time, so the
machine has no part in them. RSS keys are random: figures differ in the tenths from run to run. Nothing is tuned to meet a
figure.

## Local packets

Fastsocket (Lin et al., ASPLOS 2016, figure 5b) asks which share of the packets of active connections arrives at the core
that owns the connection. Here a host with 16 workers opens 20,000 connections of six packets (64 B request, 64 B response),
128 under way at a time, and as a proxy for clients behind the same NIC; a packet is local when the worker that takes it from
its queue owns its connection. The others are forwarded over a ring, none is lost (`tests/experiments/locality.c`).

{table}
"Ours" counts received packets of connections that the host opens; "ours, proxy" those of both connections of each pair, of
which the accepted ones are local by RSS in any case. With ports at random and a filter per connection the first packet, the
SYN and ACK, comes before there can be a filter: of three packets two are local, and by chance a sixteenth of the third.

## ATR

The paper's 76.5 % depend on how many filters ATR has and how soon one is in force; the paper gives neither. The card samples
every SYN and every 20th packet it sends; when the table is full it is emptied, as Linux's driver does. With six packets a
connection only the SYN is sampled, and the filter must be there before the answer is.

![local packets by table size and latency](experiments-atr.svg)

{curve}
A connection lives for some thirty events of its own and its neighbours'; a filter that takes longer than the answer to a SYN
is too late for the first packet, and each emptied table costs the flows that were in it. Port choice needs no table.
"""


def share(program, words):
    out = subprocess.run([program, *words], stdout=subprocess.PIPE, text=True, check=True).stdout
    packets, local = map(int, re.search(r"packets (\d+) local (\d+)", out).groups())
    return 100 * local / packets


def rows(program):
    lines = ["| how packets find their core | paper | ours | ours, proxy |", "|---|---|---|---|"]
    for what, words, paper in ROWS:
        active, proxy = share(program, words), share(program, ["proxy", *words])
        lines.append(f"| {what} | {paper} | {active:.1f} % | {proxy:.1f} % |")
    return "\n".join(lines) + "\n"


def atr(program):
    """{latency: [share for each size]}"""
    return {late: [share(program, ["atr", str(size), str(late)]) for size in SIZES] for late in LATENCIES}


def curve(shares):
    lines = ["| filters | " + " | ".join(f"after {late} events" for late in LATENCIES) + " |",
             "|---|" + "---|" * len(LATENCIES)]
    for i, size in enumerate(SIZES):
        lines.append(f"| {size} | " + " | ".join(f"{shares[late][i]:.1f} %" for late in LATENCIES) + " |")
    return "\n".join(lines) + "\n"


def svg(shares):
    width, height, left, bottom, right = 620, 340, 60, 50, 110
    colours = ("#013a63", "#2a6f97", "#61a5c2", "#a9b4bd", "#c98b5b")

    def x(i):
        return left + i * (width - left - right) / (len(SIZES) - 1)

    def y(percent):
        return height - bottom - percent * (height - bottom - 20) / 100

    out = [f'<line x1="{left}" y1="{y(p):.0f}" x2="{width - right}" y2="{y(p):.0f}" stroke="#ddd"/>'
           f'<text x="{left - 40}" y="{y(p) + 4:.0f}">{p} %</text>' for p in (0, 20, 40, 60, 80, 100)]
    out += [f'<text x="{x(i) - 12:.0f}" y="{height - bottom + 20}">{size}</text>' for i, size in enumerate(SIZES)]
    out.append(f'<text x="{left + 150}" y="{height - 8}">filters in the table</text>')
    out.append(f'<line x1="{left}" y1="{y(76.5):.1f}" x2="{width - right}" y2="{y(76.5):.1f}" stroke="#888" '
               f'stroke-dasharray="4"/><text x="{width - right + 4}" y="{y(76.5) + 4:.1f}">paper 76.5 %</text>')
    for (late, line), colour in zip(shares.items(), colours):
        points = " ".join(f"{x(i):.1f},{y(p):.1f}" for i, p in enumerate(line))
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
                   f'<text x="{left + 8}" y="{30 + 16 * LATENCIES.index(late)}" fill="{colour}">after {late} events</text>')
    body = "\n".join(out)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
            f'font-size="12">\n{body}\n</svg>\n')


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__.split("\n\n")[1])
    program = sys.argv[1]
    table, shares = rows(program), atr(program)
    print(table, curve(shares), sep="\n", end="")
    if len(sys.argv) == 3:
        docs = Path(sys.argv[2])
        (docs / "experiments.md").write_text(TEXT.format(table=table, curve=curve(shares)), encoding="utf-8")
        (docs / "experiments-atr.svg").write_text(svg(shares), encoding="utf-8")


if __name__ == "__main__":
    main()
