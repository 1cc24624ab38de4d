#!/usr/bin/env python3
"""The instruction benchmark runs and prints its two figures; that they are counted over exactly 3 + 3 segments a
connection is what its program insists on itself."""
import re

import nbtest
from nbtest import check, command


def test_bench_instructions_prints_both_figures():
    out = command("make", "--no-print-directory", "-C", nbtest.ROOT, "bench-instructions", limit_s=150).stdout.decode()
    for side in ("server", "client"):
        found = re.search(rf"^{side} short-connection instructions: (\d+)$", out, re.MULTILINE)
        check(found and int(found.group(1)) > 0, f"no figure for the {side} in:\n{out}")


if __name__ == "__main__":
    nbtest.main(isolated=False)
