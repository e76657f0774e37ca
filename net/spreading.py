"""How an engine gets the workflows that clients have sent to others: each tells what it keeps, who lacks some asks.

No socket, no clock and no code is loaded in here; all of it is for the thread of the engine's process that sends.
"""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from math import inf
from typing import Final, Protocol

from placet.actors.bundle import Bundle, Shelved, decode_bundle
from placet.actors.errors import BundleUnusable
from placet.net.messages import BundleSent, EngineAt, Peer, Shelf, WantBundle, Whereabouts
from placet.net.outbox import Done
from placet.petri.errors import PlacetError

ASK_AGAIN_S: Final = 5.0  # after a bundle, or a word, that has not come
AWAY_WAIT_S: Final = 10.0  # for what owners of shards have, before an engine opens its first ones; then they are away
LONGEST_WAIT_S: Final = 60.0  # and for what engines have that run: on a busy host an answer takes its time
_log = logging.getLogger("placet")


class Library(Protocol):
    """The bundles of this engine; see `Deployment`."""

    @property
    def shelved(self) -> Shelved:
        """What others are told."""
        ...

    def lacks(self, shelved: Shelved) -> list[str]:
        """Return the digests of those of another engine's bundles that have something for this one."""
        ...

    def bundle(self, digest: str) -> bytes | None:
        """Return a bundle that is kept here, as it crosses the network, or None."""
        ...


Send = Callable[[Peer, object, Done], None]
TakeIn = Callable[[Bundle, Mapping[str, str]], "Future[None]"]
"""Takes a bundle in, from an engine that has replaced some; what is wrong with it is told by the future."""


class Spreading:
    """Tells other engines what this one keeps, and gets from them what it lacks, one bundle at a time.

    What is lost is said again. What cannot be taken in is asked for once in the life of this process.
    """

    def __init__(self, name: str, library: Library, send: Send, take_in: TakeIn) -> None:
        self._name = name
        self._library = library
        self._send = send
        self._take_in = take_in
        self._others: dict[str, EngineAt] = {}  # other engines that run, by name
        self._told: dict[str, Shelved] = {}  # what each has been told, by its incarnation
        self._owners: frozenset[str] = frozenset()  # other engines that own shards; some may be away
        self._heard: dict[str, Shelved] = {}  # what each has told, by name
        self._asked_s: dict[str, float] = {}  # when each that has told nothing was asked, by name
        self._wanted = ""  # digest of the bundle that was asked for
        self._wanted_s = 0.0
        self._taking: Future[None] | None = None  # it has come
        self._useless: set[str] = set()  # digests of those that could not be taken in
        self._is_settled = False  # it lacks nothing of what it has heard of
        self._began_s: float | None = None  # when this engine heard where others are
        self._is_caught_up = False

    def is_caught_up(self, now_s: float) -> bool:
        """Return whether this engine had once what the others have, or has waited for that long enough."""
        if not self._is_caught_up and self._began_s is not None:
            waited_s = now_s - self._began_s
            needed = self._others.keys() if waited_s >= AWAY_WAIT_S else self._owners | self._others.keys()
            heard = self._heard.keys() & self._others.keys()  # who is not where it can be asked has given nothing yet
            has_all = self._is_settled and heard >= needed
            self._is_caught_up = has_all or waited_s >= LONGEST_WAIT_S
        return self._is_caught_up

    @property
    def has_taken(self) -> bool:
        """True where a bundle was taken in since the last tick, or could not be."""
        return self._taking is not None and self._taking.done()

    def look(self, where: Whereabouts, now_s: float) -> None:
        """Hear where the engines are."""
        self._began_s = now_s if self._began_s is None else self._began_s
        self._others = {name: at for name, at in where.engines.items() if name != self._name}
        self._owners = frozenset(where.owners) - {self._name, ""}
        self._heard = {name: shelved for name, shelved in self._heard.items() if name in self._others}
        incarnations = {at.incarnation for at in self._others.values()}
        self._told = {incarnation: told for incarnation, told in self._told.items() if incarnation in incarnations}
        self._is_settled = False
        self.tick(now_s)

    def receive(self, sender: Peer, message: "Shelf | WantBundle | BundleSent", now_s: float) -> None:
        """Take what another engine says."""
        match message:
            case Shelf():
                self._heard[message.engine] = message.shelved
                self._is_settled = False
                if message.is_question:
                    known = self._others.get(message.engine)
                    incarnation = "" if known is None else known.incarnation
                    self._tell(EngineAt(peer=sender, incarnation=incarnation), is_question=False)
            case WantBundle():
                self._hand_out(sender, message.digest)
            case BundleSent() if message.digest == self._wanted and self._taking is None:
                self._taking = self._taken_in(message)
            case _:
                pass  # it comes twice, or late
        self.tick(now_s)

    def tick(self, now_s: float) -> None:
        """Say and ask what is due."""
        for name, at in self._others.items():
            if name not in self._heard and now_s >= self._asked_s.get(name, -inf) + ASK_AGAIN_S:
                self._asked_s[name] = now_s
                self._tell(at, is_question=True)
            elif self._told.get(at.incarnation) is not self._library.shelved:
                self._tell(at, is_question=False)
        self._end_taking()
        is_waiting = self._taking is not None or (self._wanted and now_s < self._wanted_s + ASK_AGAIN_S)
        if not is_waiting and not self._is_settled:
            self._ask_for_next(now_s)

    def _tell(self, at: EngineAt, *, is_question: bool) -> None:
        shelved = self._told[at.incarnation] = self._library.shelved

        def done(is_through: bool) -> None:
            """Have it said again where it was lost."""
            if not is_through:
                self._told.pop(at.incarnation, None)

        self._send(at.peer, Shelf(engine=self._name, shelved=shelved, is_question=is_question), done)

    def _hand_out(self, peer: Peer, digest: str) -> None:
        try:
            data = self._library.bundle(digest)
        except (OSError, BundleUnusable) as error:
            _log.warning("a bundle that another engine asks for cannot be read: %s", error)
            return
        if data is not None:
            self._send(peer, BundleSent(digest=digest, data=data), _ignore)

    # -- what is lacking -------------------------------------------------------------------------------------------

    def _lacking(self) -> dict[str, Peer]:
        """Return who has each bundle that this engine lacks, and could take in."""
        return {
            digest: self._others[name].peer
            for name, shelved in self._heard.items()
            if name in self._others
            for digest in self._library.lacks(shelved)
            if digest not in self._useless
        }

    def _ask_for_next(self, now_s: float) -> None:
        lacking = self._lacking()
        others = [digest for digest in lacking if digest != self._wanted]  # what has not come may be gone
        self._wanted = next(iter(others or lacking), "")
        self._is_settled = not self._wanted
        if self._wanted:
            self._wanted_s = now_s
            self._send(lacking[self._wanted], WantBundle(digest=self._wanted), _ignore)

    def _taken_in(self, message: BundleSent) -> "Future[None]":
        replaced: dict[str, str] = {}
        for shelved in self._heard.values():
            if message.digest in shelved.bundles:
                replaced |= shelved.replaced
        try:
            bundle = decode_bundle(message.data)
            if bundle.digest != message.digest:
                raise BundleUnusable(bundle.workflow, "it is another one than was asked for")
        except BundleUnusable as error:
            failed = Future[None]()
            failed.set_exception(error)
            return failed
        return self._take_in(bundle, replaced)

    def _end_taking(self) -> None:
        if self._taking is None or not self._taking.done():
            return
        error = self._taking.exception()
        if isinstance(error, PlacetError):
            _log.warning("a workflow that another engine has was not taken in: %s", error)
            self._useless.add(self._wanted)
        elif error is not None and not isinstance(error, TimeoutError):  # the engine has much to do: later
            raise error
        self._taking, self._wanted, self._is_settled = None, "", False


def _ignore(_is_through: bool) -> None:
    """What is lost is asked for again."""
