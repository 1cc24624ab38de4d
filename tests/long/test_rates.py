#!/usr/bin/env python3
"""The benchmark of rates runs through: every end of every stack, with no error and no connection lost."""
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

import nbtest  # pylint: disable=wrong-import-position
from nbtest import ROOT, check, command, equal  # pylint: disable=wrong-import-position

ENDS = ("netbypass_end", "frame_end", "linux_end", "lwip_end")


def test_every_row_has_a_figure_of_every_stack():
    command("make", "-C", str(ROOT), *(f"build/bench/{end}" for end in ENDS), limit_s=300)
    with tempfile.TemporaryDirectory(dir="/run") as folder:
        for end in ENDS:
            (Path(folder) / end).symlink_to(ROOT / "build/bench" / end)
        command(str(ROOT / "tests/bench/rates.py"), "--rounds", "1", "--seconds", "0.2", folder, limit_s=120)
        results = json.loads((Path(folder) / "rates.json").read_text())
    equal(len(results), 4, "rows")
    for row, stacks in results.items():
        check("nginx" in stacks or row == "bulk", f"{row}: nginx and wrk are missing")
        for stack, figure in stacks.items():
            check(figure["median"] > 0, f"{row}: {stack} has no figure")


if __name__ == "__main__":
    nbtest.main()
