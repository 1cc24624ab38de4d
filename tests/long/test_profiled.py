#!/usr/bin/env python3
"""`make profiled` builds everything, and its stack takes fewer instructions than the ordinary build's."""
import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

import nbtest  # pylint: disable=wrong-import-position
from nbtest import ROOT, check, command  # pylint: disable=wrong-import-position

LESS_PERCENT_MIN = 5


def test_profiled_build_takes_fewer_instructions():
    recorded = json.loads((ROOT / "tests/bench/instructions.json").read_text())["instructions"]
    command("make", "-C", str(ROOT), "profiled", limit_s=550)
    check((ROOT / "build/profiled/netbypassd").exists(), "there is no build/profiled/netbypassd")
    out = command("make", "--no-print-directory", "-C", str(ROOT), "PROFILE=use", "bench-instructions", limit_s=300)
    found = re.findall(r"^(server|client) (\S+) instructions: (\d+)$", out.stdout.decode(), re.MULTILINE)
    check(len(found) == 6, f"figures are missing:\n{out.stdout.decode()}")
    for side, work, count in found:
        most = recorded[work][side] * (100 - LESS_PERCENT_MIN) / 100
        check(int(count) <= most, f"{side} {work}: {count}, {most:.0f} were expected at most")


if __name__ == "__main__":
    nbtest.main(isolated=False)
