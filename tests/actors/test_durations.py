"""How long handlers took: means, worst, order, and bounds."""

from placet.actors.durations import KEPT, Duration, Durations


def test_mean_and_worst_of_each_transition_slowest_first() -> None:
    durations = Durations()
    for transition, took_s in (("quick", 0.25), ("slow", 3.0), ("quick", 0.75), ("slow", 1.0)):
        durations.note(transition, took_s)
    assert durations.slowest(5) == [
        Duration(transition="slow", count=2, mean_s=2.0, worst_s=3.0),
        Duration(transition="quick", count=2, mean_s=0.5, worst_s=0.75),
    ]
    assert [one.transition for one in durations.slowest(1)] == ["slow"]


def test_the_slowest_are_kept_of_very_many() -> None:
    durations = Durations()
    for number in range(3 * KEPT):
        durations.note(f"t{number}", float(number % 1_500))
    kept = durations.slowest(10 * KEPT)
    assert len(kept) <= 2 * KEPT
    assert kept[0].mean_s == 1_499.0
