"""The ledger of one instance: what its history says has happened, against what its store says there is.

P1: each token ever produced and not yet consumed is in exactly one place. P2: each firing counts once, each
attempt has one outcome, failures and losses are counted apart.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from placet.persistence.history import Record
from placet.petri.invariants import Invariant, weigh
from placet.petri.net import MANY
from placet.petri.plan import Plan, TransitionPlan
from placet.testing.errors import require
from placet.testing.image import Image

Sums: TypeAlias = list[tuple[Invariant, int]]  # what place invariants weigh


@dataclass(slots=True)
class FiringLedger:
    """What the history tells of one firing."""

    failed: int = 0  # since the start, or since a person had it tried again
    losses: int = 0  # likewise
    failed_at: float = -1.0  # engine time of the last failure that another attempt may follow
    is_skipped: bool = False


@dataclass(slots=True)
class InstanceLedger:
    """Books over one instance, kept record by record."""

    root: bytes
    last: int = 0  # newest history record
    last_at: float = 0.0
    produced: set[int] = field(default_factory=set[int])
    consumed: set[int] = field(default_factory=set[int])
    fired: set[int] = field(default_factory=set[int])
    diverted: set[int] = field(default_factory=set[int])  # firings that ended in an error arc
    firings: dict[int, FiringLedger] = field(default_factory=dict[int, FiringLedger])
    undelivered: set[str] = field(default_factory=set[str])  # instances that what it sent has not reached
    is_deaf: bool = False  # it had ended, and could not even be told what had not arrived
    accepted: Counter[str] = field(default_factory=Counter[str])  # interventions by their `why`
    brought: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])  # by its `why`, and the place
    paused_at: float = 0.0  # the last time it, or a part of it, was paused
    sums: Sums | None = None
    is_copy: bool = False
    is_cut: bool = False  # some of its history was trimmed where its shard came from
    scheduled: dict[str, tuple[str, float]] = field(
        default_factory=dict[str, tuple[str, float]]
    )  # (who asked for it, when it is due) of tokens that are to come, by name of the timer
    told: Counter[str] = field(default_factory=Counter[str])  # how often it was told of the end of another instance

    def firing(self, number: int) -> FiringLedger:
        """Return the account of a firing."""
        return self.firings.setdefault(number, FiringLedger())

    def enter(self, sequence: int, record: Record, plan: Plan) -> None:
        """Book one record."""
        require(record.link == self.last, "history link", f"record {sequence} links to {record.link}, not {self.last}")
        require((record.kind == "spawned") == (self.last == 0), "history begins with spawned", record)
        require(record.at >= self.last_at, "time goes forward", record)
        self.last, self.last_at = sequence, record.at
        self._move_tokens(record)
        detail = record.detail if isinstance(record.detail, dict) else {}
        if "why" in detail:
            self._accept(record.kind, str(detail["why"]), str(detail.get("place", "")))
        self._weigh(record.kind, detail, plan)
        match record.kind:
            case "fired":
                self._fired(record, plan.transitions[plan.transition_index[record.transition]])
            case "error":
                self._diverted(record, plan.transitions[plan.transition_index[record.transition]])
            case "scheduled":
                self.accepted[str(detail["by"])] += 1
                self.scheduled[str(detail["timer"])] = str(detail["by"]), float(detail["due"])
            case "unscheduled":
                require(str(detail["timer"]) in self.scheduled, "what does not come was to come", record)
                del self.scheduled[str(detail["timer"])]
            case "paused":
                self.paused_at = record.at
            case "put":
                self._put(record, detail)
            case "undelivered":
                self.undelivered.add(str(detail["target"]))
            case "dropped":
                self.is_deaf = self.is_deaf or detail["message"] == "Undelivered"
            case "attempt_failed":
                self.firing(record.firing).failed += 1
                self.firing(record.firing).failed_at = record.at
            case "lost":
                self.firing(record.firing).losses += 1
                require(detail.get("losses") == self.firing(record.firing).losses, "losses counted", record)
            case "retried":
                self.firings[int(detail["incident"])] = FiringLedger()
            case "skipped":
                self.firing(int(detail["incident"])).is_skipped = True
            case _:
                pass

    def _put(self, record: Record, detail: Mapping[str, str | int | float | bool]) -> None:
        """Book a token that came: of a timer, in its time and once, or with news of another instance's end."""
        if "timer" not in detail:
            self.told[str(detail["by"])] += 1
            return
        by, due = self.scheduled.pop(str(detail["timer"]), ("", 0.0))
        require(by == detail["by"] and record.at >= due, "a timer comes once, in its time", f"{record} {by} {due}")

    def inherit(self, sequence: int, record: Record) -> None:
        """Book a record that came with a copy: it tells what happened to the original."""
        require(record.link == self.last, "history link", f"record {sequence} links to {record.link}, not {self.last}")
        require(not self.last or record.at >= self.last_at, "time goes forward", record)
        self.last, self.last_at, self.is_copy = sequence, record.at, True
        self.produced |= set(record.produced)
        if record.kind == "fired":
            self.fired.add(record.firing)
        elif record.kind == "error":
            self.diverted.add(record.firing)

    def inherit_tokens(self, tokens: set[int]) -> None:
        """Book what a copy begins with: the tokens its original had, free or taken."""
        self.produced |= tokens
        self.consumed = self.produced - tokens

    def _move_tokens(self, record: Record) -> None:
        born = set(record.produced)
        gone = set(record.consumed)
        require(len(born) == len(record.produced) and not born & self.produced, "P1: ids are new", record)
        require(len(gone) == len(record.consumed), "P1: consumed once", record)
        require(gone <= self.produced - self.consumed, "P1: consumed tokens were there", record)
        self.produced |= born
        self.consumed |= gone

    def _accept(self, kind: str, why: str, place: str) -> None:
        """Count an intervention. One that brings tokens into several places has a record for each."""
        if kind == "imported_tokens":
            self.brought[why, place] += 1
            self.accepted[why] = max(self.accepted[why], self.brought[why, place])
        else:
            self.accepted[why] += 1

    def _weigh(self, kind: str, detail: Mapping[str, object], plan: Plan) -> None:
        """What people put in, take out or move changes what the place invariants weigh."""
        changes = {"put": {"place": 1}, "injected": {"place": 1}, "dropped_token": {"place": -1}}
        changes["moved"] = {"source": -1, "place": 1}
        changes["imported_tokens"] = {"place": int(str(detail.get("count", 0)))}
        for side, count in changes.get(kind, {}).items():
            index = plan.place_index[str(detail[side])]
            sums = self.sums or []
            self.sums = [(invariant, weight + count * invariant.get(index, 0)) for invariant, weight in sums]

    def _fired(self, record: Record, transition: TransitionPlan) -> None:
        require(record.firing not in self.fired | self.diverted, "P2: a firing counts once", record)
        self.fired.add(record.firing)
        taken = sum(arc.weight for arc in transition.inputs)
        more = transition.resets or transition.takes_many
        enough = len(record.consumed) >= taken if more else len(record.consumed) == taken
        require(enough, "weights of inputs", f"{record} should take {taken}")
        given = [weight for _, weight in transition.outputs]
        allowed = given if transition.choice else [sum(given)]
        fits = len(record.produced) in allowed or (MANY in given and len(record.produced) >= min(allowed))
        require(fits, "weights of outputs", f"{record} should give one of {allowed}")

    def _diverted(self, record: Record, transition: TransitionPlan) -> None:
        require(record.firing not in self.fired | self.diverted, "P2: a firing counts once", record)
        self.diverted.add(record.firing)
        taken = sum(arc.weight for arc in transition.inputs)
        require(transition.error >= 0, "only an error arc takes what failed", record)
        whole = len(record.consumed) >= taken if transition.takes_many else len(record.consumed) == taken
        require(whole and len(record.produced) == 1, "weights of error arcs", record)

    def check_marking(self, image: Image) -> None:
        """P1: what is free or taken now is what was produced and not consumed, each once."""
        free = [token for tokens in image.places.values() for token in tokens]
        taken = [token for firing in image.firings.values() for _, token, _ in firing.tokens]
        everywhere = Counter((*free, *taken))
        twice = [token for token, count in everywhere.items() if count > 1]
        require(not twice, "P1: a token is in one place", f"{image.header.instance}: tokens {twice} are in several")
        there, booked = set(everywhere), self.produced - self.consumed
        require(
            there == booked,
            "P1: the history explains the marking",
            f"{image.header.instance}: lost {sorted(booked - there)}, unexplained {sorted(there - booked)}",
        )
        require(image.last_link == self.last, "history link", f"{image.header.instance}: its end is not {self.last}")

    def check_invariants(self, image: Image) -> None:
        """The place invariants of the net weigh what they weighed at the spawn."""
        counts = Counter[int]()
        for place, tokens in image.places.items():
            counts[place] += len(tokens)
        for firing in image.firings.values():
            counts.update(place for place, _, _ in firing.tokens)
        for invariant, weight in self.sums or ():
            found = weigh(invariant, counts)
            require(
                found == weight, "P1: place invariant", f"{image.header.instance}: {invariant}: {found}, not {weight}"
            )


def open_sums(invariants: Sequence[Invariant], tokens: Sequence[tuple[int, bytes]]) -> list[tuple[Invariant, int]]:
    """Return what each invariant weighs over the tokens of a spawn."""
    counts = Counter(place for place, _ in tokens)
    return [(invariant, weigh(invariant, counts)) for invariant in invariants]
