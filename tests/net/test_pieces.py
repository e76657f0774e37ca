"""Cutting what is too large for a frame, and putting it together again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import placet.net.pieces
from placet.net.messages import Piece
from placet.net.pieces import Joiner, cut


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placet.net.pieces, "PIECE_BYTES", 4)


@given(things=st.lists(st.binary(max_size=20), max_size=10))
def test_what_is_cut_is_whole_again(things: list[bytes]) -> None:
    joiner = Joiner()
    pieces = [piece for number, thing in enumerate(things) for piece in cut(thing, number)]
    assert all(len(piece.data) <= 4 for piece in pieces)
    assert [whole for piece in pieces if (whole := joiner.add(piece)) is not None] == things


@given(things=st.lists(st.binary(min_size=1, max_size=20), max_size=10), lost=st.sets(st.integers(0, 40)))
def test_what_has_lost_a_piece_is_dropped_and_nothing_else_is_made_of_the_rest(
    things: list[bytes], lost: set[int]
) -> None:
    joiner = Joiner()
    whole: list[bytes] = []
    kept: list[bytes] = []
    number = 0
    for which, thing in enumerate(things):
        pieces = list(cut(thing, which))
        missing = {position for position in range(len(pieces)) if number + position in lost}
        number += len(pieces)
        for position, piece in enumerate(pieces):
            if position not in missing and (found := joiner.add(piece)) is not None:
                whole.append(found)
        if not missing:
            kept.append(thing)
    assert whole == kept


def test_what_is_endless_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placet.net.pieces, "MOST_BYTES", 10)
    joiner = Joiner()
    assert [joiner.add(Piece(thing=1, index=n, is_last=False, data=b"1234")) for n in range(4)] == [None] * 4
    assert joiner.add(Piece(thing=1, index=4, is_last=True, data=b"1234")) is None
    assert joiner.add(Piece(thing=2, index=0, is_last=True, data=b"fine")) == b"fine"


def test_pieces_of_two_things_are_never_put_together() -> None:
    joiner = Joiner()
    first, second = list(cut(b"12345", 1)), list(cut(b"abcde", 2))
    assert joiner.add(first[0]) is None
    assert joiner.add(second[1]) is None  # its beginning, and the end of the other one, were lost
    assert [joiner.add(piece) for piece in cut(b"vwxyz", 3)] == [None, b"vwxyz"]
