"""The verbs of people for asyncio: each is written by the one of `Verbs`, and told in an event loop."""

from abc import abstractmethod
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeAlias

from placet.actors.answers import Receipt
from placet.actors.task_request import Intervention
from placet.actors.verbs import Giving, PartVerbs, Verbs
from placet.petri.expression import PlaceRef

P = ParamSpec("P")
Told: TypeAlias = Coroutine[Any, Any, Receipt]  # `Any`: what passes between it and its event loop


class _Draft(Verbs):
    """Takes what a verb would tell an instance, and tells nobody."""

    def __init__(self, instance: "AsyncPartVerbs") -> None:
        self._instance = instance
        self.told: tuple[Intervention | Giving, float | None] | None = None

    def _tell(self, message: Intervention | Giving, timeout_s: float | None) -> Receipt:
        self.told = (message, timeout_s)
        return Receipt(instance="", at=0.0)

    def _encoded(self, target: PlaceRef | str | int, value: object) -> bytes:
        return self._instance._encoded(target, value)  # pyright: ignore[reportPrivateUsage] - of this module's class

    def _outputs(self, incident: int, outputs: object) -> tuple[tuple[str, bytes], ...]:
        return self._instance._outputs(incident, outputs)  # pyright: ignore[reportPrivateUsage] - likewise


def _twin(verb: Callable[Concatenate[Verbs, P], Receipt]) -> Callable[Concatenate["AsyncPartVerbs", P], Told]:
    @wraps(verb)
    async def told(self: "AsyncPartVerbs", /, *args: P.args, **kwargs: P.kwargs) -> Receipt:
        """Tell what the verb would."""
        draft = _Draft(self)
        verb(draft, *args, **kwargs)
        assert draft.told is not None, verb
        return await self._tell_async(*draft.told)  # pyright: ignore[reportPrivateUsage] - of this module's class

    told.__name__ = f"{verb.__name__}_async"
    told.__qualname__ = f"AsyncVerbs.{told.__name__}"
    told.__module__ = __name__
    told.__doc__ = f"`{verb.__name__}` for asyncio."
    return told


class AsyncPartVerbs(PartVerbs):
    """`PartVerbs` with a twin of each for asyncio; see `AsyncVerbs`."""

    @abstractmethod
    async def _tell_async(self, message: Intervention | Giving, timeout_s: float | None) -> Receipt:
        """Send a message and return its receipt."""

    tell_async = _twin(PartVerbs.tell)
    approve_async = _twin(PartVerbs.approve)
    reject_async = _twin(PartVerbs.reject)
    complete_async = _twin(PartVerbs.complete)
    claim_async = _twin(PartVerbs.claim)
    unclaim_async = _twin(PartVerbs.unclaim)
    edit_token_async = _twin(PartVerbs.edit_token)
    move_token_async = _twin(PartVerbs.move_token)
    drop_token_async = _twin(PartVerbs.drop_token)
    freeze_token_async = _twin(PartVerbs.freeze_token)
    thaw_token_async = _twin(PartVerbs.thaw_token)
    retry_async = _twin(PartVerbs.retry)
    skip_async = _twin(PartVerbs.skip)
    fail_async = _twin(PartVerbs.fail)


class AsyncVerbs(AsyncPartVerbs, Verbs):
    """`Verbs` with a twin of each for asyncio. Cancelling who awaits one ends the wait, and takes nothing back."""

    put_async = _twin(Verbs.put)
    inject_async = _twin(Verbs.inject)
    pause_async = _twin(Verbs.pause)
    resume_async = _twin(Verbs.resume)
    cancel_async = _twin(Verbs.cancel)
