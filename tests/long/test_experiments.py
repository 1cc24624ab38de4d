#!/usr/bin/env python3
"""The experiment on locality: chosen ports bring every packet home, ports at random one in sixteen."""
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

import nbtest  # pylint: disable=wrong-import-position
from nbtest import BUILD, ROOT, check, command  # pylint: disable=wrong-import-position


def share(*words):
    """The share of local packets."""
    out = command(str(BUILD / "experiments/locality"), *words, limit_s=120).stdout.decode()
    packets, local = map(int, re.search(r"packets (\d+) local (\d+)", out).groups())
    return local / packets


def test_locality_of_each_way_to_find_the_core():
    command("make", "-C", str(ROOT), "build/experiments/locality", limit_s=300)
    for words in (["rss+choice"], ["mask+choice"], ["proxy", "rss+choice"]):
        check(share(*words) == 1, f"{words}: every packet is local")
    check(0.04 < share("rss") < 0.09, "RSS alone: a sixteenth is local")
    check(0.6 < share("exact") < 0.75, "a filter per connection: all but the first of three packets are local")


if __name__ == "__main__":
    nbtest.main()
