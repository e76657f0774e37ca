"""Definitions on their way: what is in them is checked before any of it is loaded."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet import BundleUnusable, DefinitionError, Retry, Workflow
from placet.actors.bundle import FORMAT, HERE, Bundle, bundled, decode_bundle, digest_of, encode_bundle, opened
from placet.actors.bundle_shelf import BundleShelf
from placet.petri.behaviour import Definition


def doubled(value: int) -> int:
    return value * 2


def tripled(value: int) -> int:
    return value * 3


def definition(version: str = "1", *, attempts: int = 2, factor: int = 2) -> Definition:
    workflow = Workflow("w", version)
    start, done = workflow.places("start done")
    workflow.transition(start >> done, "t", handler=doubled if factor == 2 else tripled, retry=Retry(attempts=attempts))
    return workflow.definition()


def test_a_definition_comes_out_as_it_went_in() -> None:
    bundle = bundled(definition())
    found = opened(decode_bundle(encode_bundle(bundle)))
    assert (found.name, found.version, found.net) == ("w", definition().version, definition().net)
    handler = found.behaviours["t"].handler
    assert handler is not None
    assert handler(21) == 42
    assert (found.source.file, found.source.module) == ("", "")
    assert bundle.python == HERE


def test_a_digest_tells_definitions_apart() -> None:
    assert digest_of(definition()) == digest_of(definition())
    others = [definition("2"), definition(attempts=3), definition(factor=3)]
    assert len({digest_of(one) for one in (definition(), *others)}) == 4


class Mark:
    """Leaves a mark where it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def marking(path: Path) -> Bundle:
    """Return a bundle that leaves a mark, and holds no definition."""
    import hashlib

    from placet.persistence.values import encode_whole

    data = encode_whole(Mark(path))
    checksum = hashlib.blake2b(data, digest_size=16).digest()
    return Bundle(workflow="w", version="1", digest="d", callees={}, python=HERE, checksum=checksum, data=data)


def test_code_of_another_python_is_not_loaded(tmp_path: Path) -> None:
    bundle = marking(tmp_path / "mark")
    with pytest.raises(BundleUnusable, match=r"it holds code of Python 3\.7, and this engine runs"):
        opened(msgspec.structs.replace(bundle, python=(3, 7)))
    assert not (tmp_path / "mark").exists()


def test_what_another_placet_has_written_otherwise_is_not_loaded(tmp_path: Path) -> None:
    bundle = marking(tmp_path / "mark")
    newer = msgspec.structs.replace(bundle, format=FORMAT + 1)
    with pytest.raises(BundleUnusable, match=f"has format {FORMAT + 1}, and this engine's Placet reads {FORMAT}"):
        opened(decode_bundle(encode_bundle(newer)))
    assert not (tmp_path / "mark").exists()


def test_what_is_damaged_is_not_loaded(tmp_path: Path) -> None:
    bundle = marking(tmp_path / "mark")
    with pytest.raises(BundleUnusable, match="damaged"):
        opened(msgspec.structs.replace(bundle, checksum=bytes(16)))
    assert not (tmp_path / "mark").exists()
    with pytest.raises(BundleUnusable, match="something else"):
        opened(bundle)
    assert (tmp_path / "mark").exists(), "it would have been"


@given(data=st.binary(max_size=200))
def test_what_is_no_bundle_is_refused(data: bytes) -> None:
    with pytest.raises(BundleUnusable, match="it is no bundle"):
        decode_bundle(data)


def test_what_cannot_be_sent_is_said() -> None:
    import threading

    lock = threading.Lock()

    def held(value: int) -> bool:
        return lock.locked() and bool(value)

    workflow = Workflow("locked")
    start, done = workflow.places("start done")
    workflow.transition(start >> done, "t", handler=held)
    with pytest.raises(DefinitionError, match=r"workflow `locked`.*cannot be sent to a node"):
        bundled(workflow.definition())


def test_a_shelf_keeps_bundles_in_the_order_they_came(tmp_path: Path) -> None:
    shelf = BundleShelf(tmp_path)
    assert not list(shelf.files())
    bundles = [bundled(definition(version)) for version in "312"]
    for bundle in bundles:
        shelf.keep(bundle)
    (tmp_path / "bundles" / ".half").write_bytes(b"cut off")
    assert [shelf.read(file) for file in shelf.files()] == bundles
    assert {file.stat().st_mode & 0o777 for file in shelf.files()} == {0o600}
