"""The two tables of moves: phases of a firing, and states of an instance."""

import pickle

import pytest

from placet.actors.lifecycle import MOVES, TERMINAL, IllegalMove, InstanceState, check_move
from placet.actors.phases import PHASE_MOVES, IllegalPhase, check_phase
from placet.actors.records import Phase
from tests.actors.driver import Driver
from tests.actors.flows import single


def test_every_phase_has_its_moves_and_none_leads_to_itself() -> None:
    assert set(PHASE_MOVES) == set(Phase)
    assert not [phase for phase, following in PHASE_MOVES.items() if phase in following]


@pytest.mark.parametrize("old", Phase)
def test_any_other_move_between_phases_is_an_error(old: Phase) -> None:
    for new in PHASE_MOVES[old]:
        check_phase(old, new)
    for new in set(Phase) - PHASE_MOVES[old]:
        with pytest.raises(IllegalPhase) as caught:
            check_phase(old, new)
        assert (caught.value.old, caught.value.new) == (old.name.lower(), new.name.lower())


def test_the_error_says_what_happened_and_survives_pickling() -> None:
    error = IllegalPhase("incident", "running")
    assert str(error) == "a firing cannot go from incident to running; please report this as a bug"
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, IllegalPhase)
    assert (again.args, str(again), again.code) == (error.args, str(error), "illegal_phase")


def test_a_firing_that_would_move_wrongly_stays_as_it_was() -> None:
    driver = Driver(single())
    driver.spawn(driver.workflows[0], {"a": [1]})
    (workflow,) = driver.kernel.in_memory().values()
    (composite,) = workflow.composites
    (firing,) = composite.firings.values()
    with pytest.raises(IllegalPhase):
        composite.set_phase(workflow.turn, firing, Phase.RUNNING)
    assert (firing.phase, workflow.counts[Phase.RUNNING]) == (Phase.RUNNING, 1)
    driver.finish_all()
    assert driver.state() == "completed"


def test_what_has_ended_stays_so_and_only_an_incident_can_be_failed() -> None:
    assert not [state for state in TERMINAL if MOVES[state]]
    before = {state.value for state in InstanceState if InstanceState.FAILED in MOVES[state]}
    assert before == {"running", "waiting", "paused", "incident", "stuck", "cancelling"}


@pytest.mark.parametrize("state", [InstanceState.WAITING, InstanceState.STUCK])
def test_where_nothing_is_in_flight_a_cancel_ends_at_once(state: InstanceState) -> None:
    check_move(state, InstanceState.CANCELLED)
    with pytest.raises(IllegalMove):
        check_move(state, InstanceState.CANCELLING)
