#!/usr/bin/env python3
"""The benchmark of growth runs through in its small form, and what it counts does not grow."""
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

import nbtest  # pylint: disable=wrong-import-position
from nbtest import ROOT, check, command  # pylint: disable=wrong-import-position

GROWTH_PERCENT_MAX = 10


def test_a_connection_costs_the_same_beside_a_thousand_others():
    command("make", "-C", str(ROOT), "build/bench/growth", limit_s=300)
    out = command(str(ROOT / "tests/bench/growth.py"), str(ROOT / "build/bench/growth"), "--small", limit_s=600)
    rows = re.findall(r"^\| ([\d,]+ .*?) \| ([\d,]+) \| (?:([+-][\d.]+) %)? ?\|$", out.stdout.decode(), re.MULTILINE)
    check(len(rows) >= 9, f"rows are missing: {rows}")
    for what, cost, percent in rows:
        check(int(cost.replace(",", "")) > 0, f"{what}: nothing was counted")
        check(abs(float(percent or 0)) <= GROWTH_PERCENT_MAX, f"{what}: {percent} %")


if __name__ == "__main__":
    nbtest.main(isolated=False)
