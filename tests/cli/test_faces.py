"""Records of the history as JSON objects."""

from placet.actors.lifecycle import InstanceState
from placet.actors.records import Header
from placet.cli.faces import record_face
from placet.persistence.history import Record

HEADER = Header(
    instance="order-17",
    workflow="orders",
    version="1",
    net=b"",
    incarnation=0xABC,
    inputs=b"",
    state=InstanceState.RUNNING,
    spawned_at=0.0,
)


def record(kind: str, **fields: object) -> Record:
    return Record(root=b"L", link=1, at=2.0, kind=kind, **fields)  # type: ignore[arg-type]  # a test's fields  # pyright: ignore[reportArgumentType]  # likewise


def test_a_stale_result_names_its_firing() -> None:
    face = record_face(HEADER, 5, record("stale", transition="fulfil/pack", firing=3, attempt=2))
    assert face == {
        "seq": 5,
        "at": 2.0,
        "kind": "stale",
        "address": "order-17/fulfil",
        "transition": "fulfil/pack",
        "firing": "order-17#00000abc.3",
        "attempt": 2,
    }


def test_what_a_record_has_besides_stands_beside_its_fields() -> None:
    face = record_face(HEADER, 6, record("paused", detail={"by": "eva", "why": "lunch"}))
    assert face == {"seq": 6, "at": 2.0, "kind": "paused", "address": "order-17", "by": "eva", "why": "lunch"}


def test_what_a_stuck_instance_lacks_stands_apart() -> None:
    face = record_face(HEADER, 7, record("stuck", detail={"join": "needs 1 in right, which has 0"}))
    assert face["lacking"] == {"join": "needs 1 in right, which has 0"}
