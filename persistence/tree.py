"""The pages of an LMDB file, walked without LMDB, which ends the process on a page that is none.

Only the shape is looked at: that each page is the one its parent names, that its bounds lie within it, and how many
entries there are in all; looked at closely, also that each entry lies within its page. What the entries say, their
checksums tell when they are read.

Source of the layout: LMDB 0.9 `mdb.c`, MDB_page and MDB_node, for 64-bit machines.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from mmap import mmap
from typing import Final

NO_ROOT: Final = (1 << 64) - 1

_BRANCH, _LEAF, _OVERFLOW = 0x01, 0x02, 0x04  # of a page
_ELSEWHERE: Final = 0x01  # of an entry: its value has pages of its own
_KINDS = _BRANCH | _LEAF
_HEADER_BYTES, _ENTRY_BYTES, _NUMBER_BYTES = 16, 8, 8
_LONGEST_KEY: Final = 511

_header = struct.Struct("=QHHHH").unpack_from  # number, pad, flags, end of the offsets, begin of the entries
_child = struct.Struct("=IH").unpack_from  # number of the page, in 48 bits
_entry = struct.Struct("=IHH").unpack_from  # bytes of the value, flags, bytes of the key
_number = struct.Struct("=Q").unpack_from
_overflow = struct.Struct("=QHHI").unpack_from  # number, pad, flags, how many pages


class BadTree(Exception):
    """A page or an entry is not what it should be; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFile:
    """A file of pages in memory, or mapped into it; `pages` is how many there may be."""

    data: "mmap | bytes"
    page_size: int
    pages: int

    def count_entries(self, root: int, *, closely: bool) -> int:
        """Return how many entries the tree below the page `root` has. Raises `BadTree`."""
        if root == NO_ROOT:
            return 0
        data, page_size, pages = self.data, self.page_size, self.pages
        entries = seen = 0
        waiting = [root]
        while waiting:  # a microsecond a page: kept in one piece for that
            number = waiting.pop()
            seen += 1
            if not 1 < number < pages or seen > pages:
                raise BadTree(f"a page {number} is named, of {pages}")
            begin = number * page_size
            found, _, flags, lower, upper = _header(data, begin)
            kind = flags & _KINDS
            if found != number or kind not in (_BRANCH, _LEAF) or not _HEADER_BYTES <= lower <= upper <= page_size:
                raise BadTree(f"page {number} is none of the tree")
            if closely:
                self._check_entries(number, begin, lower, upper, is_leaf=kind == _LEAF)
            if kind == _LEAF:
                entries += (lower - _HEADER_BYTES) >> 1
            else:
                waiting += _children(data, begin, lower, page_size)
        return entries

    def _check_entries(self, number: int, begin: int, lower: int, upper: int, *, is_leaf: bool) -> None:
        for offset in _offsets(self.data, begin, lower):
            if not upper <= offset <= self.page_size - _ENTRY_BYTES or offset & 1:
                raise BadTree(f"page {number} has an entry that lies outside of it")
            size, flags, key_size = _entry(self.data, begin + offset)
            end = offset + _ENTRY_BYTES + key_size
            if is_leaf:
                is_elsewhere = bool(flags & _ELSEWHERE)
                end += _NUMBER_BYTES if is_elsewhere else size
                if is_elsewhere and end <= self.page_size:
                    self._check_overflow(_number(self.data, begin + end - _NUMBER_BYTES)[0], size)
            if end > self.page_size or key_size > _LONGEST_KEY:
                raise BadTree(f"page {number} has an entry that does not end in it")

    def _check_overflow(self, first: int, size: int) -> None:
        if not 1 < first < self.pages:
            raise BadTree(f"a page {first} is named, of {self.pages}")
        found, _, flags, count = _overflow(self.data, first * self.page_size)
        if found != first or not flags & _OVERFLOW or first + count > self.pages:
            raise BadTree(f"page {first} does not begin a long value")
        if size > count * self.page_size - _HEADER_BYTES:
            raise BadTree(f"the long value at page {first} has too few pages")


def _offsets(data: "mmap | bytes", begin: int, lower: int) -> Iterable[int]:
    count = (lower - _HEADER_BYTES) >> 1
    offsets: tuple[int, ...] = struct.unpack_from(f"={count}H", data, begin + _HEADER_BYTES)
    return offsets


def _children(data: "mmap | bytes", begin: int, lower: int, page_size: int) -> Iterator[int]:
    for offset in _offsets(data, begin, lower):
        if offset > page_size - _ENTRY_BYTES:
            raise BadTree(f"page {begin // page_size} branches into nothing")
        low, high = _child(data, begin + offset)
        yield low | high << 32
