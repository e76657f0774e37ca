"""Who is refused is told of once in ten seconds a host, hosts that try too often are barred, and memory is bounded."""

from hypothesis import given
from hypothesis import strategies as st

from placet.net.refusals import BARRED_S, COUNT_S, GOOD_S, LINE_S, MOST_HOSTS, MOST_REFUSALS, Refusals

HOST = "10.0.0.9"


def noted(refusals: Refusals, count: int, now_s: float = 0.0, host: str = HOST) -> list[str]:
    """Note so many refusals at one moment and return the lines that are to be written."""
    return [line for _ in range(count) if (line := refusals.note(host, "no key", now_s))]


def test_one_line_a_host_and_ten_seconds_with_the_number_of_those_left_out() -> None:
    refusals = Refusals()
    assert noted(refusals, 4) == ["refused a peer at 10.0.0.9: no key"]
    assert noted(refusals, 1, host="10.0.0.8") == ["refused a peer at 10.0.0.8: no key"]
    assert noted(refusals, 1, LINE_S - 0.1) == []
    assert noted(refusals, 1, LINE_S) == ["refused a peer at 10.0.0.9: no key; 4 more since the last line about it"]
    assert noted(refusals, 1, 2 * LINE_S) == ["refused a peer at 10.0.0.9: no key"]


def test_a_host_that_tries_too_often_is_barred_for_a_while() -> None:
    refusals = Refusals()
    noted(refusals, MOST_REFUSALS)
    assert not refusals.is_barred(HOST, 0.0)
    (line,) = noted(refusals, 1)
    told, dropped, more = line.split("; ")
    assert told == f"refused a peer at {HOST}: no key"
    assert dropped == "its connections are dropped for 30 s"
    assert more == "49 more since the last line about it"
    assert refusals.is_barred(HOST, 0.0)
    assert refusals.is_barred(HOST, BARRED_S - 0.1)
    assert not refusals.is_barred(HOST, BARRED_S)
    assert not refusals.is_barred("10.0.0.8", 0.0)


def test_refusals_of_long_ago_do_not_count() -> None:
    refusals = Refusals()
    for round_ in range(20):
        noted(refusals, MOST_REFUSALS, round_ * COUNT_S)
        assert not refusals.is_barred(HOST, round_ * COUNT_S)


def test_this_host_and_those_of_other_nodes_are_not_barred_but_told_of() -> None:
    refusals = Refusals(frozenset({"10.0.0.1"}))
    refusals.welcome("10.0.0.2", 0.0)
    for host in ("10.0.0.1", "10.0.0.2", "127.0.0.1", "127.3.2.1"):
        assert len(noted(refusals, 3 * MOST_REFUSALS, 1.0, host)) == 1
        assert not refusals.is_barred(host, 1.0)
    noted(refusals, MOST_REFUSALS + 1, 1.0 + GOOD_S, "10.0.0.2")  # it has not been a node for long
    assert refusals.is_barred("10.0.0.2", 1.0 + GOOD_S)


def test_of_many_hosts_those_heard_of_last_are_remembered() -> None:
    refusals = Refusals()
    hosts = [f"10.1.{n // 250}.{n % 250}" for n in range(3 * MOST_HOSTS)]
    for host in hosts:
        noted(refusals, MOST_REFUSALS + 1, host=host)
        refusals.welcome(host, 0.0)
    assert sum(refusals.is_barred(host, 0.0) for host in hosts) == MOST_HOSTS
    assert all(refusals.is_barred(host, 0.0) for host in hosts[-MOST_HOSTS:])
    assert len(refusals._good) == MOST_HOSTS  # pyright: ignore[reportPrivateUsage] - nothing else shows its size


@given(gaps_s=st.lists(st.integers(0, 3), max_size=200))
def test_no_refusal_is_told_twice_or_forgotten(gaps_s: list[int]) -> None:
    refusals, now_s, lines = Refusals(frozenset({HOST})), 0, list[str]()
    for gap_s in gaps_s:
        now_s += gap_s
        lines += noted(refusals, 1, now_s)
    lines += noted(refusals, 1, now_s + LINE_S)
    more = sum(int(line.split("; ")[1].split()[0]) for line in lines if ";" in line)
    assert len(lines) + more == len(gaps_s) + 1
    assert len(lines) <= 2 + now_s / LINE_S
