"""Answers other nodes for the coordinator on this one. Pure but for the coordinator's store."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias, assert_never

from placet.net.coordinator import Changed, Compacted
from placet.net.coordinator_errors import CoordinatorFailed, LeaseGone
from placet.net.coordinator_messages import (
    Answer,
    CoordinatorAnswer,
    CoordinatorRequest,
    Follow,
    Followed,
    Granted,
    GrantLease,
    Greeted,
    KeepAlive,
    KeptAlive,
    KeysRead,
    LeaseLost,
    NotDone,
    Question,
    ReadKeys,
    Revoked,
    RevokeLease,
    TooOld,
    Transact,
    Transacted,
    Unfollow,
)
from placet.net.local_coordinator import LocalCoordinator, RequestId

FOLLOWED_S: Final = 30.0  # a watch that is not asked for again is told nothing any more
CLIENT_KEPT_S: Final = 3_600.0  # answers to one that is not heard of any more

Reply: TypeAlias = Callable[[CoordinatorAnswer], None]  # sends to who asked; may lose what it is given, must not raise


@dataclass(slots=True, kw_only=True)
class _Client:
    heard_s: float
    answered: int = 0  # it asks for none below this one
    answers: dict[int, Answer] = field(default_factory=dict[int, Answer])


@dataclass(slots=True, kw_only=True)
class _Follower:
    prefix: str
    told: int  # revision up to which all was sent
    asked_s: float
    reply: Reply


class CoordinatorDesk:
    """Takes the requests of any number of nodes, each as often as it comes.

    A request is carried out once: its answer is kept until its client has it, and is sent again to who asks again. What
    was meant for an earlier opening is not carried out: who sent it is told of this one, and asks anew for what is not
    answered, which for a transaction that had its effect gives the outcome it had (`RequestId`).
    Raises a `StoreError`, without an answer: the process has to end, and the next one knows.
    """

    def __init__(self, local: LocalCoordinator) -> None:
        self._local = local
        self._desk = local.opening
        self._clients: dict[str, _Client] = {}
        self._followers: dict[tuple[str, int], _Follower] = {}
        self._now_s = 0.0
        self._watch = local.watch("", local.revision, self._changed)

    def receive(self, request: CoordinatorRequest, reply: Reply) -> None:
        """Take a request; `reply` is called now, and later for what a watch has to hear."""
        if request.desk != self._desk:
            reply(Greeted(client=request.client, desk=self._desk))
            return
        match request:
            case Follow():
                self._follow(request, reply)
            case Unfollow():
                self._followers.pop((request.client, request.watch), None)
            case _:
                self._take(request, reply)

    def tick(self, now_s: float) -> None:
        """Let time pass, on a monotonic clock; for the coordinator there is a tick of its own."""
        self._now_s = now_s
        for name in [one for one, client in self._clients.items() if client.heard_s + CLIENT_KEPT_S <= now_s]:
            del self._clients[name]
        for key in [one for one, follower in self._followers.items() if follower.asked_s + FOLLOWED_S <= now_s]:
            del self._followers[key]

    def close(self) -> None:
        """Tell watches no more; the coordinator stays open."""
        self._watch.cancel()

    def _take(self, question: Question, reply: Reply) -> None:
        client = self._clients.setdefault(question.client, _Client(heard_s=self._now_s))
        client.heard_s = self._now_s
        if question.answered > client.answered:
            client.answered = question.answered
            for number in [one for one in client.answers if one < client.answered]:
                del client.answers[number]
        if question.number < client.answered:
            return  # it was late
        if question.number not in client.answers:
            client.answers[question.number] = self._carry_out(question)
        reply(client.answers[question.number])

    def _carry_out(self, question: Question) -> Answer:
        client, desk, number = question.client, self._desk, question.number
        try:
            match question:
                case Transact():
                    request = RequestId(question.client, number, question.answered)
                    done = self._local.transact(question.conditions, question.changes, request=request)
                    return Transacted(client=client, desk=desk, number=number, outcome=done.result())
                case ReadKeys():
                    return KeysRead(
                        client=client, desk=desk, number=number, snapshot=self._local.read(question.prefix).result()
                    )
                case GrantLease():
                    return Granted(
                        client=client, desk=desk, number=number, lease=self._local.grant(question.ttl_s).result()
                    )
                case KeepAlive():
                    return KeptAlive(
                        client=client,
                        desk=desk,
                        number=number,
                        is_there=self._local.keep_alive(question.lease).result(),
                    )
                case RevokeLease():
                    self._local.revoke(question.lease).result()
                    return Revoked(client=client, desk=desk, number=number)
                case _:
                    assert_never(question)
        except LeaseGone as error:
            return LeaseLost(client=client, desk=desk, number=number, lease=error.lease)
        except CoordinatorFailed as error:
            return NotDone(client=client, desk=desk, number=number, reason=error.reason)
        except ValueError as error:  # who asked should have seen it: one of another version of Placet
            return NotDone(client=client, desk=desk, number=number, reason=str(error))

    # -- watches ---------------------------------------------------------------------------------------------------

    def _follow(self, asked: Follow, reply: Reply) -> None:
        revision = self._local.revision
        changes = self._local.since(asked.prefix, asked.after)
        if changes is None:
            reply(TooOld(client=asked.client, desk=self._desk, watch=asked.watch, after=asked.after, revision=revision))
            return
        self._followers[asked.client, asked.watch] = _Follower(
            prefix=asked.prefix, told=revision, asked_s=self._now_s, reply=reply
        )
        reply(
            Followed(
                client=asked.client,
                desk=self._desk,
                watch=asked.watch,
                after=asked.after,
                revision=revision,
                changes=tuple(changes),
            )
        )

    def _changed(self, changed: Changed | Compacted) -> None:
        """Send a change to those who follow; what gets lost they ask for."""
        if isinstance(changed, Compacted):
            raise AssertionError("the watch of a desk is told of every change at once")
        for (client, watch), follower in list(self._followers.items()):
            entries = {key: entry for key, entry in changed.entries.items() if key.startswith(follower.prefix)}
            if entries and follower.told < changed.revision:
                part = Changed(revision=changed.revision, entries=entries)
                after, follower.told = follower.told, changed.revision
                follower.reply(
                    Followed(
                        client=client,
                        desk=self._desk,
                        watch=watch,
                        after=after,
                        revision=changed.revision,
                        changes=(part,),
                    )
                )
