"""What an engine has in memory of the instances of one shard, in all the places it is kept."""

from dataclasses import dataclass
from math import inf

from placet.actors.alone import Alone
from placet.actors.awakenings import Awakenings
from placet.actors.faults import Faults
from placet.actors.mailboxes import Mailboxes
from placet.actors.memory import Memory
from placet.actors.messages import Grant, KernelMessage, Recover, RootMessage
from placet.actors.outbox import Outbox
from placet.actors.roots import Roots
from placet.actors.slots import Slots
from placet.actors.timers import Timers
from placet.persistence.keys import shard_of, shard_prefix


@dataclass(frozen=True, slots=True)
class Residents:
    """The parts of a kernel that know instances."""

    memory: Memory
    awakenings: Awakenings
    mail: Mailboxes
    slots: Slots
    alone: Alone
    timers: Timers
    faults: Faults
    roots: Roots
    outbox: Outbox

    def still(self, shard: int) -> list[KernelMessage]:
        """Put all instances of a shard to sleep, and return what is to be handled when they may go on: all their mail,
        and what lets those choose again that wait for a slot, for room, or to be run alone.
        """
        prefix = shard_prefix(shard)
        self.awakenings.drop_all(prefix)
        self.memory.forget_all(prefix)
        found: list[KernelMessage] = []
        for address in self.mail.addresses():
            if (address[1] if isinstance(address, bytes) else shard_of(address)) == shard:
                found += self.mail.empty(address)
        waiting = dict.fromkeys((*self.slots.leave(prefix), *self.outbox.credit.leave(prefix)))
        found += [Grant(root=root) for root in waiting]
        found += [Recover(root=root, stopped_s=inf) for root in self.alone.leave(prefix)]  # nothing was lost
        return found

    def leave(self, shard: int) -> None:
        """Forget all about a shard that is still; what runs of it is answered for as before."""
        prefix = shard_prefix(shard)
        self.timers.drop(prefix)
        self.faults.leave(prefix)
        self.roots.leave(shard)
        self.outbox.close(shard)


def shard_of_message(message: KernelMessage) -> int:
    """Return the shard of the instance a message is for."""
    return message.root[1] if isinstance(message, RootMessage) else shard_of(message.instance)
