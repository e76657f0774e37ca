"""One seed of the chaos run in CI, and one with every fault; `make chaos` makes others, longer ones.

The same seed draws the same faults.
"""

from itertools import pairwise
from pathlib import Path

import pytest

from tests.hosts.chaos import Chaos
from tests.hosts.fixture import need_clock
from tests.hosts.hosts import Hosts
from tests.hosts.plan import KILLING, KILLS_S, LONG_S, MOST_KILLS, NETWORK, PROCESSES, Kind, draw, listed

SEED, SECONDS, ORDERS = 1, 60.0, 120
MANY = 670  # orders; with their parts some 2,000 instances


def test_the_same_seed_draws_the_same_faults_and_another_one_others() -> None:
    assert draw(7, 300) == draw(7, 300)
    assert draw(7, 300) != draw(8, 300)
    assert {step.kind for row in draw(7, 300) for step in row} == set(Kind)


def test_faults_of_a_row_follow_each_other_and_no_engine_is_killed_so_often_that_its_node_gives_up() -> None:
    for seed in range(20):
        rows = draw(seed, 300)
        for row in rows:
            for one, following in pairwise(row):
                assert one.at_s + one.lasts_s < following.at_s
        kills = [step for row in rows for step in row if step.kind in KILLING]
        for step in kills:
            near = [one for one in kills if one.node == step.node and step.at_s <= one.at_s <= step.at_s + KILLS_S]
            assert len(near) <= MOST_KILLS


@pytest.mark.slow(seconds=150)
@pytest.mark.hosts(4, seed=SEED)
def test_everything_completes_once_and_the_books_close_whatever_went_wrong(hosts: Hosts, tmp_path: Path) -> None:
    need_clock()
    Chaos(hosts, tmp_path, draw(SEED, SECONDS), ORDERS).run()


def test_every_fault_of_the_network_and_of_processes_is_listed_and_a_cut_of_a_minute() -> None:
    steps = [step for row in listed() for step in row]
    assert {*NETWORK, *PROCESSES} - {Kind.CUT_PAIR} == {step.kind for step in steps}
    for kind in (Kind.CUT, Kind.DEAF, *PROCESSES):
        assert {0, 1} <= {step.node for step in steps if step.kind is kind}
    assert max(step.lasts_s for step in steps) == LONG_S == 60.0


@pytest.mark.slow(seconds=130)
@pytest.mark.hosts(4, seed=SEED)
def test_instances_that_span_hosts_complete_once_after_each_fault_in_turn(hosts: Hosts, tmp_path: Path) -> None:
    need_clock()
    Chaos(hosts, tmp_path, listed(), MANY).run()
