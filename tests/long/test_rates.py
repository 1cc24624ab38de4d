#!/usr/bin/env python3
"""The benchmark of rates runs through: every end of every stack, with no error and no connection lost."""
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

import nbtest  # pylint: disable=wrong-import-position
from nbtest import ROOT, check, command, equal  # pylint: disable=wrong-import-position

ENDS = ("netbypass_end", "frame_end", "linux_end", "lwip_end")
WITHOUT_NGINX = ("paced", "bulk")
STOPPED_S = 0.05
LONG_NS = 10e6


def test_every_row_has_a_figure_of_every_stack():
    command("make", "-C", str(ROOT), *(f"build/bench/{end}" for end in ENDS), limit_s=300)
    with tempfile.TemporaryDirectory(dir="/run") as folder:
        for end in ENDS:
            (Path(folder) / end).symlink_to(ROOT / "build/bench" / end)
        command(str(ROOT / "tests/bench/rates.py"), "--rounds", "1", "--seconds", "0.2", folder, limit_s=120)
        for name in ("results.md", "results.svg", "latency.svg"):
            check((Path(folder) / name).stat().st_size > 0, f"{name} is empty")
        results = json.loads((Path(folder) / "results.json").read_text())
    equal(len(results["rows"]), 9, "rows")
    for name, row in results["rows"].items():
        check("nginx" in row["stacks"] or row["mode"] in WITHOUT_NGINX or name.endswith("p99.9"),
              f"{name}: nginx and wrk are missing")
        for stack, figure in row["stacks"].items():
            check(figure["median"] > 0, f"{name}: {stack} has no figure")
    for mode, loads in results["modes"].items():
        equal({stack: load["errors"] for stack, load in loads.items() if load["errors"]}, {}, f"errors in mode {mode}")


def test_latency_counts_from_when_a_request_was_due():
    """A client that is kept from running half of the time: of what is due then, everything has waited, not just what was
    under way, which would be one request in a hundred."""
    command("ip", "address", "add", "10.98.0.1/24", "dev", "lo")
    end = str(ROOT / "build/bench/linux_end")
    with subprocess.Popen([end, "server", "paced", "0", "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        equal(server.stdout.readline(), b"ready\n", "the server")
        client = subprocess.Popen([end, "client", "paced", "1", "1"], stdout=subprocess.PIPE)
        while client.poll() is None:
            for number in (signal.SIGSTOP, signal.SIGCONT):
                client.send_signal(number)
                time.sleep(STOPPED_S)
        server.stdin.close()
    histogram = json.loads(client.stdout.read())["histogram"]
    late = sum(count for ns, count in histogram if ns > LONG_NS) / sum(count for _, count in histogram)
    check(late > 0.2, f"{late:.1%} of all requests took longer than {LONG_NS / 1e6} ms")


if __name__ == "__main__":
    nbtest.main()
