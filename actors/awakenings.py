"""Instances that are too large to be read at one go: they wake over several batches, while others go on."""

from collections.abc import Collection

from placet.actors.mailboxes import Mailboxes
from placet.actors.messages import KernelMessage, RootMessage
from placet.actors.services import WakingServices
from placet.actors.turn import Turn
from placet.actors.waking import Awakening
from placet.actors.workflow import WorkflowActor


class Awakenings:
    """What is being read, and the mailboxes that are closed until it is awake: each batch, one instance goes on.

    Messages for an instance stay in their mailboxes, in order; the first of them is taken again for each portion. So
    whatever goes wrong on the way goes wrong in a turn, and is the business of that message, as always.
    """

    __slots__ = ("_due", "_known", "_mail")

    def __init__(self, mail: Mailboxes) -> None:
        self._mail = mail
        # By root, the next first. Of its mailboxes the one whose message began comes first; False: open in this batch.
        self._known: dict[bytes, tuple[Awakening, dict[bytes | str, bool]]] = {}
        self._due = b""  # the root that may go on in this batch

    @property
    def roots(self) -> Collection[bytes]:
        """The instances that are being read."""
        return self._known.keys()

    def begin_batch(self) -> None:
        """Let the first message of the next instance be taken again."""
        root = self._due = next(iter(self._known))
        awakening, closed = self._known.pop(root)
        self._known[root] = awakening, closed
        address = next(iter(closed))
        if closed[address]:  # else it was opened before, and not looked at
            closed[address] = False
            self._mail.open(address, first=True)

    def wake(self, root: bytes, turn: Turn, services: WakingServices, most: int) -> WorkflowActor | None:
        """Read at most so many entries of an instance; None: it is not whole yet."""
        known = self._known.get(root)
        if known is None:
            awakening = Awakening(root)
            workflow = awakening.go_on(services.scan, turn, services, most)
            if workflow is None:
                self._known[root] = awakening, {}
            return workflow
        if root != self._due:
            return None
        self._due = b""
        workflow = known[0].go_on(services.scan, turn, services, most)
        if workflow is not None:
            self._over(root)
        return workflow

    def hold(self, root: bytes, message: KernelMessage) -> None:
        """Keep a message for an instance that is not awake: it is to be taken again before others for its address."""
        address = message.root if isinstance(message, RootMessage) else message.instance
        closed = self._known[root][1]
        self._mail.put_first(address, message)
        if not closed.get(address):
            self._mail.close(address)
            closed[address] = True

    def drop(self, root: bytes) -> None:
        """Forget what was read of an instance: a turn of its raised, and the next begins anew."""
        if root in self._known:
            self._known[root][0].dispose()
            self._over(root)

    def drop_all(self, prefix: bytes) -> None:
        """Forget what was read of all instances whose root begins so."""
        for root in [root for root in self._known if root.startswith(prefix)]:
            self.drop(root)

    def _over(self, root: bytes) -> None:
        _, closed = self._known.pop(root)
        for address, is_closed in closed.items():
            if is_closed:
                self._mail.open(address)
