#!/usr/bin/env python3
"""For a minute 100 random flows a second are moved while wrk and downloads of 1 GiB run through the TAP, interleaved with
as long without moves; then one flow is moved 1000 times in a minute. Nothing is lost by us, no client sees an error, and
clients send no more again than without moves.

A fence is waited for 20 ms at most (docs/moving-flows.md). Four workers, the NIC and the clients share what CPUs there
are, and one that is not let run for longer than that can have segments reordered, or a client try again: not more than
one move in a hundred may show that, and on such a machine half of the moves must do."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

import moving_load  # pylint: disable=wrong-import-position
import nbtest  # pylint: disable=wrong-import-position
from moving_load import LOST, WORKERS  # pylint: disable=wrong-import-position
from nbtest import check, equal  # pylint: disable=wrong-import-position

ROUNDS = 3
SECONDS = 20  # of each of the two phases of a round
BYTES = 1 << 30
RATE = 100
STARVED = 100  # of so many moves, one


def test_clients_see_nothing_of_flows_that_move(system):
    moving, still = [], []
    with moving_load.downloads(system, BYTES) as downloads:
        for _ in range(ROUNDS):
            for phases, rate in ((still, 0), (moving, RATE)):
                phases.append(moving_load.phase(system, SECONDS, rate))
                print(f"# {moving_load.summary(phases[-1])}", flush=True)
    print(f"# {downloads.done} downloads of {BYTES} bytes, all exact")
    moves = sum(len(seen["moves"]) for seen in moving)
    check(moves >= 0.5 * RATE * ROUNDS * SECONDS, f"only {moves} moves")
    equal([sum(seen[name] for seen in moving) for name in LOST], [0, 0], f"{LOST}")
    reordered = sum(seen["move_reordered"] for seen in moving)
    check(reordered <= moves // STARVED, f"{reordered} segments reordered in {moves} moves")
    again = {name: [sum(seen[name] for seen in phases) for phases in (moving, still)]
             for name in ("client_retransmissions", "retransmitted")}
    print(f"# sent again, with moves and without: {again}")
    check(again["client_retransmissions"][0] <= again["client_retransmissions"][1] + moves // STARVED,
          f"clients sent more again with moves than without: {again}")


def test_one_flow_survives_1000_moves_in_a_minute(system):
    moves, took_s, answers = moving_load.move_one_flow(system, 1000, 60)
    print(f"# {len(moves)} moves in {took_s:.1f} s, {answers} answers")
    check(took_s < 66, f"1000 moves took {took_s:.1f} s")
    equal(sum(move["lost"] for move in moves), 0, "segments lost")
    check(sum(move["reordered"] for move in moves) <= len(moves) // STARVED, "segments reordered")


if __name__ == "__main__":
    nbtest.main(lambda: nbtest.System(queues=WORKERS, workers=WORKERS))
