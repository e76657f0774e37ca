"""What is told to a rehearsed instance: the messages that `Instance.tell` takes."""

import pytest

from placet import BadRequest, EditToken, Inject, Put, Workflow
from placet.testing import Rehearsal


def test_a_put_and_another_value_for_a_token_can_be_told() -> None:
    workflow = Workflow("door")
    door, never, out = workflow.place("door", external=True), workflow.place("never"), workflow.place("out")
    workflow.transition((door & never) >> out, "work", handler=lambda *values: values)
    workflow.transition((workflow.place("kept") & never) >> out, "keep", handler=lambda *values: values)
    rehearsed = Rehearsal(workflow)
    instance = rehearsed.spawn(workflow, {"kept": [0]}, id="one")
    instance.tell(Put("door", 1))
    rehearsed.tell("one", EditToken(instance.tokens()["door"][0], 10, by="eva"))
    assert instance.marking() == {"door": [10], "kept": [0]}
    with pytest.raises(BadRequest, match=r"inject\(place, value, by="):
        rehearsed.tell("one", Inject("door", 3))
