#!/usr/bin/env python3
"""dpdk-test-flow-perf on the simulated 82599: how fast Debian's ixgbe driver takes rules and gives them up, and what the card
has to say about it. The rates are the model's, told for comparison between versions of it; nothing is judged by them.

The program of DPDK 22.11 cannot configure an ixgbe port, real ones included (the first test); for the others that one call
is corrected by a preloaded function (programs/mask_rss.c). Its rules are all the same but for the source address; which of
the card's tables they go to is decided by the words: without mark the 5-tuple filters, with mark Flow Director."""
import json
import re
import subprocess
import tempfile
from pathlib import Path

import nbtest
from nbtest import BUILD, check, equal

FOLDER = Path(tempfile.mkdtemp(prefix="nbtest."))
SHIM = FOLDER / "mask_rss.so"
TRACE = FOLDER / "trace"
FIVE_TUPLES, FILTERS = 128, 2046
RATE = re.compile(r":: \[Throughput \| (Insertion|Deletion)\] All Cores :: Port 0 :: Total .* rate -> ([0-9.]+) K Rules/Sec")


class Compiled:
    """The correction, built."""

    def __enter__(self):
        dpdk = nbtest.command("pkg-config", "--cflags", "libdpdk").stdout.decode().split()
        nbtest.command("gcc", "-D_GNU_SOURCE", "-shared", "-fPIC", nbtest.ROOT / "tests/e2e/programs/mask_rss.c", "-o", SHIM,
                       *dpdk)

    def __exit__(self, *_):
        nbtest.command("rm", "-r", FOLDER)


def flow_perf(*words, rules, shim=True):
    """Run it; exit status and what it said."""
    preload = ["sh", "-c", f'LD_PRELOAD="$LD_PRELOAD {SHIM}" exec "$@"', "sh"] if shim else []
    done = subprocess.run([BUILD / "nicsim", "--nic", "82599", "--wire", "none", "--trace", TRACE, "--", *preload,
                           "dpdk-test-flow-perf", "-l", "0,1", "--no-telemetry", "--", "--ingress", *words,
                           f"--rules-count={rules}", f"--rules-batch={rules}", "--deletion-rate"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=nbtest.LIMIT_S, check=False)
    return done.returncode, done.stdout.decode()


def remarked(words):
    """How often the card remarked that."""
    events = map(json.loads, TRACE.read_text(encoding="utf-8").splitlines())
    return sum(event["event"] == "remark" and words in event["text"] for event in events)


def report(said):
    rates = {kind: float(rate) for kind, rate in RATE.findall(said)}
    equal(set(rates), {"Insertion", "Deletion"}, f"rates told; it said {said[-1000:]}")
    check(all(rate > 0 for rate in rates.values()), f"rates: {rates}")
    nbtest.diagnose(f"insertion {rates['Insertion']:.1f} K rules/s, deletion {rates['Deletion']:.1f} K rules/s")


def test_program_asks_for_rss_types_that_ixgbe_does_not_have(_):
    code, said = flow_perf("--ipv4", "--tcp", "--queue", rules=1, shim=False)
    equal(code, 1, "exit status")
    check("invalid rss_hf: 0xa38c, valid value: 0x38d34" in said, said)


def test_5_tuple_filters_take_128_rules(_):
    code, said = flow_perf("--ipv4", "--tcp", "--queue", rules=FIVE_TUPLES)
    equal(code, 0, f"exit status; it said {said[-1000:]}")
    report(said)


def test_one_rule_more_than_the_5_tuple_table_holds_ends_the_program(_):
    code, said = flow_perf("--ipv4", "--tcp", "--queue", rules=FIVE_TUPLES + 1)
    equal(code, 1, "exit status")
    check("Flow can't be created 2 message: Failed to create flow." in said, said)


def test_flow_director_is_filled_and_emptied(_):
    code, said = flow_perf("--ipv4", "--queue", "--mark", rules=FILTERS)
    equal(code, 0, f"exit status; it said {said[-1000:]}")
    report(said)
    equal((remarked("filter added"), remarked("filter refused"), remarked("filter removed")), (FILTERS, 0, FILTERS),
          "filters added, refused and removed")


def test_rules_beyond_the_table_are_taken_for_inserted_and_the_card_complains(_):
    code, said = flow_perf("--ipv4", "--queue", "--mark", rules=FILTERS + 4)
    equal(code, 0, f"exit status; it said {said[-1000:]}")
    equal((remarked("filter added"), remarked("filter refused (table full)")), (FILTERS, 4), "filters added and refused")


def test_words_that_make_no_rule_for_this_card_are_refused_by_the_driver(_):
    """An ETH item with an (empty) mask, as this program makes it, is not for the 82599; nor is IPv6 without fuzzy."""
    for words in (("--ether", "--ipv4", "--queue", "--mark"), ("--ipv6", "--tcp", "--queue"), ("--ipv4", "--count", "--queue")):
        code, said = flow_perf(*words, rules=1)
        equal(code, 1, f"exit status of {words}")
        check("Failed to create flow" in said, said)


if __name__ == "__main__":
    nbtest.main(Compiled)
