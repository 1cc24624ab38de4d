#!/usr/bin/env python3
"""wrk and a download run while random flows are moved; tests/long/test_moving_load_full.py is the same for minutes."""
import nbtest
from nbtest import check, equal

import moving_load
from moving_load import LOST, WORKERS

SECONDS = 3
BYTES = 32 << 20
RATE = 100


def test_clients_see_nothing_of_flows_that_move(system):
    with moving_load.downloads(system, BYTES):
        seen = moving_load.phase(system, SECONDS, RATE)
    print(f"# {moving_load.summary(seen)}")
    check(len(seen["moves"]) >= 20, f"only {len(seen['moves'])} moves, {seen['refused']}")
    equal([seen[name] for name in LOST], [0, 0], f"{LOST}")


def test_one_flow_survives_many_moves(system):
    moves, took_s, answers = moving_load.move_one_flow(system, 50, SECONDS)
    print(f"# {len(moves)} moves in {took_s:.1f} s, {answers} answers")
    equal(sum(move["lost"] for move in moves), 0, "segments lost")


if __name__ == "__main__":
    nbtest.main(lambda: nbtest.System(queues=WORKERS, workers=WORKERS))
