"""One direction between two hosts: what happens to a packet on its way. Pure: chance and time are given to it."""

import heapq
from dataclasses import dataclass, field
from itertools import count
from random import Random

import msgspec

MOST_HELD = 50_000  # packets on their way at once; more are lost, as in a router whose queue is full


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with one direction."""

    loss: float = 0.0  # share of the packets, 0.0 to 1.0
    delay_s: float = 0.0
    jitter_s: float = 0.0  # a packet takes up to so much longer, by chance, and may overtake others
    is_cut: bool = False

    def __post_init__(self) -> None:
        if not 0.0 <= self.loss <= 1.0:
            raise ValueError(f"loss must be from 0.0 to 1.0, got {self.loss}")
        if self.delay_s < 0.0 or self.jitter_s < 0.0:
            raise ValueError(f"delay_s and jitter_s must not be negative, got {self.delay_s} and {self.jitter_s}")


NO_FAULTS = Faults()


class Link:
    """Decides over each packet of one direction, and counts them."""

    __slots__ = ("_faults", "_random", "carried", "is_plain", "lost")

    def __init__(self, random: Random) -> None:
        self._random = random
        self._faults = NO_FAULTS
        self.is_plain = True  # nothing is wrong: whoever carries a packet needs not ask
        self.carried = 0
        self.lost = 0

    @property
    def faults(self) -> Faults:
        """What is wrong with it now."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults = faults
        self.is_plain = faults == NO_FAULTS

    def hold_s(self) -> float | None:
        """Return how long the next packet is on its way; None: it is lost, and counted as that."""
        faults = self._faults
        if faults.is_cut or (faults.loss and self._random.random() < faults.loss):
            self.lost += 1
            return None
        return faults.delay_s + (self._random.random() * faults.jitter_s if faults.jitter_s else 0.0)


@dataclass(order=True, slots=True)
class Held:
    """A packet on its way."""

    due_s: float
    order: int  # those that are due at once arrive in the order they were sent in
    device: int = field(compare=False)
    link: Link = field(compare=False)
    packet: bytes = field(compare=False)


class Air:
    """Holds the packets that are on their way."""

    def __init__(self) -> None:
        self._held: list[Held] = []
        self._order = count()

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, due_s: float, device: int, link: Link, packet: bytes) -> None:
        """Keep a packet until it is due."""
        if len(self._held) >= MOST_HELD:
            link.lost += 1
            return
        heapq.heappush(self._held, Held(due_s, next(self._order), device, link, packet))

    def wait_s(self, now_s: float) -> float:
        """Return how long nothing is due; -1.0: nothing is on its way."""
        return max(0.0, self._held[0].due_s - now_s) if self._held else -1.0

    def arrived(self, now_s: float) -> list[Held]:
        """Take out what is due, without what was on its way over a link that has been cut since."""
        found: list[Held] = []
        while self._held and self._held[0].due_s <= now_s:
            held = heapq.heappop(self._held)
            if held.link.faults.is_cut:
                held.link.lost += 1
            else:
                found.append(held)
        return found
