"""The protocols are closed: each message of a union is handled by exactly one entry of a table."""

from typing import get_args

from placet.actors.interventions import INTERVENTIONS
from placet.actors.messages import (
    ClientMessage,
    FirstMessage,
    InterventionMessage,
    KernelMessage,
    Sent,
    Spawn,
    decode_message,
    encode_message,
)
from placet.actors.receive import RECEIVERS


def test_every_message_to_an_instance_has_a_receiver() -> None:
    first = set(get_args(FirstMessage))  # which the kernel handles: there is no instance yet
    assert set(RECEIVERS) == set(get_args(KernelMessage)) - first - {Sent}  # an envelope: its content is received


def test_every_intervention_has_its_function() -> None:
    assert set(INTERVENTIONS) == set(get_args(InterventionMessage))


def test_names_of_messages_are_unique_and_frozen() -> None:
    kinds = get_args(KernelMessage)
    assert len({kind.__name__ for kind in kinds}) == len(kinds)
    assert all(kind.__struct_config__.frozen for kind in kinds)
    assert set(get_args(ClientMessage)) < set(kinds)


def test_a_message_comes_back_as_it_was() -> None:
    spawn = Spawn(
        instance="i", workflow="w", version="", net=b"n", tokens=((0, b"v"),), inputs=b"f", incarnation=7, reply=3
    )
    assert decode_message(encode_message(spawn)) == spawn
