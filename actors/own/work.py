"""One message in the hands of an actor: what it is given, and what goes with its result."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from placet.actors.arguments import check_text
from placet.actors.context import Context
from placet.actors.messages import MOST_SCHEDULED_BYTES, Intervention, Schedule, Unschedule
from placet.actors.own.errors import StateTooNew
from placet.actors.own.letter import Answered, Letter
from placet.actors.own.state import ActorState
from placet.actors.state import ANSWER, HIDDEN
from placet.actors.token_request import Put, TokenRequest
from placet.persistence.errors import ValueTooLarge
from placet.persistence.values import decode, encode
from placet.petri.output import Output
from placet.petri.validation import LONGEST_S

if TYPE_CHECKING:
    from placet.actors.own.actor import Actor

INBOX: Final = "inbox"
IDLE: Final = "idle"
STOPPING: Final = "stopping"
VERSION: Final = "version"  # of the state, in the value of the token in `idle`
TIMERS: Final = HIDDEN + "timers"  # name of a timer -> its setting: what comes of any other is dropped
ANSWERS: Final = HIDDEN + "answers"  # requests that answers are kept for, oldest first


class Work:
    """What an actor sees and does while it handles one message; its verbs are those of `Actor`."""

    def __init__(self, kind: "type[Actor[Any]]", context: Context, letter: Letter) -> None:  # `Any`: of any messages
        self.context = context
        self.letter = letter
        self.state = ActorState(context.notes)
        self.actor = kind.__new__(kind)
        object.__setattr__(self.actor, "_work", self)  # it takes no attributes otherwise
        self._kind = kind
        self._timers: dict[str, str] = dict(self._kept(TIMERS) or {})
        self._answers: list[str] = list(self._kept(ANSWERS) or ())
        self._sent = 0
        self._stops = False
        self._last: object = None  # what it leaves when it stops

    def _kept(self, name: str) -> Any:  # `Any`: what is kept under that name
        held = self.context.notes.held(name)
        return None if held is None else decode(held)

    # -- before --------------------------------------------------------------------------------------------

    def begin(self, state: Mapping[str, object]) -> None:
        """Take over the state an actor begins with."""
        self.state.update(state)

    def migrate(self, found: int) -> None:
        """Bring the state to the version of the class. Raises `StateTooNew`, and what `migrate` raises."""
        known = self._kind.version
        if found > known:
            raise StateTooNew(self.context.instance, found, known)
        if found < known:
            changed = self.actor.migrate(found, dict(self.state))
            for name in [name for name in self.state if name not in changed]:
                del self.state[name]
            self.state.update(changed)

    def accepts(self) -> bool:
        """Return whether the message is to be handled: not one of a timer that was cancelled, nor a request again."""
        letter = self.letter
        if letter.timer:
            if self._timers.get(letter.timer) != letter.setting:
                return False
            del self._timers[letter.timer]
        return not (letter.request and not letter.asker and letter.request in self._answers)

    # -- meanwhile -----------------------------------------------------------------------------------------

    def tell(self, target: str, message: object) -> None:
        """Send an actor a message, or any instance a token or an intervention."""
        if isinstance(message, TokenRequest | Intervention):
            self.context.notes.tell(target, message)
        else:
            self._write(target, Letter(message=message, sender=self.context.instance))

    def ask(self, target: str, message: object) -> str:
        """Send an actor a message that it is to answer, and return the request's id."""
        own = self.context.instance
        request = self._number()
        self._write(target, Letter(message=message, sender=own, request=request, asker=own))
        return request

    def _write(self, target: str, letter: Letter) -> None:
        self.context.notes.tell(target, Put(INBOX, letter))

    def _number(self) -> str:
        """Return an id that is the same in each attempt, and no other's."""
        self._sent += 1
        return f"{self.context.firing_id}.{self._sent}"

    def after(self, seconds: float, message: object, name: str) -> str:
        """Have a message come later, and return the name of its timer."""
        if isinstance(seconds, bool) or not 0 <= seconds <= LONGEST_S:
            raise ValueError(f"a timer takes from 0 seconds to a hundred years, got {seconds}")
        setting = self._number()
        timer = check_text("a name", name) or setting
        own = self.context.instance
        value = encode(Letter(message=message, sender=own, timer=timer, setting=setting))
        if len(value) > MOST_SCHEDULED_BYTES:
            raise ValueTooLarge(len(value), MOST_SCHEDULED_BYTES)
        self._timers[timer] = setting
        by = self.context.firing_id
        self.context.notes.post(
            Schedule(instance=own, place=INBOX, value=value, after_s=float(seconds), timer=timer, by=by)
        )
        return timer

    def cancel_timer(self, name: str) -> bool:
        """Have the message of a timer not come; False: there is no such timer."""
        if self._timers.pop(name, None) is None:
            return False
        self.context.notes.post(Unschedule(instance=self.context.instance, timer=name))
        return True

    def stop(self, result: object) -> None:
        """End with this message."""
        self._stops, self._last = True, result

    # -- after ---------------------------------------------------------------------------------------------

    def returned(self, value: object) -> None:
        """Give what was returned for the message to who asked."""
        letter = self.letter
        if letter.asker:
            answered = Answered(request=letter.request, value=value, by=self.context.instance)
            told = Put(INBOX, Letter(message=answered, sender=self.context.instance))
            self.context.notes.tell(letter.asker, told, answers=True)
        elif letter.request:
            self._answers.append(letter.request)
            self.context.notes.change(ANSWER + letter.request, encode(value))
            while len(self._answers) > self._kind.answers_kept:
                self.context.notes.change(ANSWER + self._answers.pop(0), None)

    def settle(self) -> Output:
        """Note all that has changed, and return the token that says that the actor is there for the next message."""
        self.state.settle()
        for name, value in ((TIMERS, self._timers), (ANSWERS, self._answers)):
            before = self._kept(name)
            if value != (before or type(value)()):
                self.context.notes.change(name, encode(value))
        return Output(STOPPING, self._last) if self._stops else Output(IDLE, {VERSION: self._kind.version})
