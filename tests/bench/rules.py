#!/usr/bin/env python3
"""What rules cost: latency of a rule's life through each backend, and the planner alone.

usage: rules.py [--rounds N] FOLDER

FOLDER is the build folder. A round runs every row once, so that whatever else the machine does meets all of them; figures
are medians of the rounds. rte_flow runs under nicsim: the real driver and a simulated NIC, whose registers are trapped, so
its microseconds are the simulation's and not a NIC's. The other backends have a device below that answers at once: theirs
is what our own code costs. Writes FOLDER/bench/rules.json and prints the table.
"""
import argparse
import json
import statistics
import subprocess
from pathlib import Path

LIMIT_S = 120
STEPS = ("insert", "move", "delete")
ROWS = {  # what is measured: (mode of the program, under nicsim, unit, what lies below)
    "planner, 1 M flows": ("planner", False, "M plans/s", "nothing"),
    "rte_flow, 82599": ("rte_flow", True, "us", "ixgbe driver on nicsim"),
    "rte_flow templates": ("templates", False, "us", "answers at once"),
    "ethtool": ("ethtool", False, "us", "answers at once"),
    "verbs": ("verbs", False, "us", "answers at once"),
}


def run(folder, mode, under_nicsim):
    program = [str(folder / "bench" / "rules"), mode]
    if under_nicsim:
        program = [str(folder / "nicsim"), "--nic", "82599", "--queues", "4", "--wire", "none", "--", *program]
    done = subprocess.run(program, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise SystemExit(f"{' '.join(program)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return json.loads(lines[-1])


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("folder", type=Path)
    options = arguments.parse_args()
    seen = {row: [] for row in ROWS}
    for _ in range(options.rounds):
        for row, (mode, under_nicsim, _, _) in ROWS.items():
            seen[row].append(run(options.folder, mode, under_nicsim))
    results = {row: {"unit": ROWS[row][2], "below": ROWS[row][3], "rounds": seen[row],
                     **{step: statistics.median(r[step] for r in seen[row]) for step in STEPS}} for row in ROWS}
    (options.folder / "bench" / "rules.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"{'':22}{'insert':>10}{'move':>10}{'delete':>10}  {'unit':11}below")
    for row, r in results.items():
        print(f"{row:22}{r['insert']:10.2f}{r['move']:10.2f}{r['delete']:10.2f}  {r['unit']:11}{r['below']}")


if __name__ == "__main__":
    main()
