"""What the engine and its clients raise. Fields for code, `str` for people: what happened; what to do."""

from placet.petri.errors import PlacetError, printable


class InstanceError(PlacetError):
    """Base of errors about one instance; `instance` is its id."""

    code = "instance"

    def __init__(self, instance: str, reason: str = "") -> None:
        super().__init__(instance, reason)
        self.instance = instance
        self.reason = reason

    def __str__(self) -> str:
        return self.reason or f"{self.instance}: {self.code}"


class NotFound(InstanceError, LookupError):
    """There is no instance, or no actor, of that address."""

    code = "not_found"


def no_instance(instance: str) -> NotFound:
    """Return the error for an id that no instance has."""
    return NotFound(instance, f"there is no instance {instance or repr(instance)}; placet list shows which there are")


class SpawnConflict(InstanceError):
    """An instance of that id exists with another workflow or other inputs."""

    code = "conflict"


class RequestRefused(InstanceError):
    """The request had no effect; `reason` says why, `refusal` is its code.

    Where somebody was quicker, `by` is who, and `at` when (engine seconds).
    """

    code = "refused"

    def __init__(self, instance: str, reason: str = "", refusal: str = "", by: str = "", at: float = 0.0) -> None:
        super().__init__(instance, reason)
        self.args = (instance, reason, refusal, by, at)
        self.refusal = refusal
        self.by = by
        self.at = at


class NotCompleted(InstanceError):
    """The instance did not complete: it failed, was cancelled, is stuck, or has an open incident."""

    code = "not_completed"

    def __init__(self, instance: str, reason: str = "", state: str = "") -> None:
        super().__init__(instance, reason)
        self.args = (instance, reason, state)
        self.state = state


class WaitTimeout(InstanceError, TimeoutError):
    """What was waited for has not happened in time; the instance goes on."""

    code = "timeout"


class Busy(PlacetError):
    """The engine has more waiting than it will queue; nothing was accepted. Try again later."""

    code = "busy"

    def __init__(self, queued: int, limit: int) -> None:
        super().__init__(queued, limit)
        self.queued = queued
        self.limit = limit

    def __str__(self) -> str:
        return f"the engine has {self.queued} messages waiting and takes at most {self.limit}; try again later"


class SentTooMuch(Busy):
    """A handler sends more with one result than is queued at once; its attempt can still return."""

    code = "sent_too_much"

    def __str__(self) -> str:
        return f"a handler sends at most {self.limit} messages with its result; send the others by another firing"


class ShardFull(Busy):
    """What a handler sends cannot be taken for now: the engine it goes to is slow, or away. Nothing was sent.

    A handler that lets it through is run again once there is room, without an attempt spent.
    """

    code = "shard_full"

    def __init__(self, instance: str, shard: int, limit: int) -> None:
        super().__init__(limit, limit)
        self.args = (instance, shard, limit)
        self.instance = instance
        self.shard = shard

    def __str__(self) -> str:
        where = f"{self.instance} lives in shard {self.shard}, which takes no more messages for now"
        why = f"its engine, which is slow or away, has not confirmed the {self.limit} it was sent"
        return f"{where}: {why}; let this through, or try again later"


class EngineStopped(PlacetError):
    """The engine is closed, or ended by an error; what was committed is on disk."""

    code = "engine_stopped"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class WaitsForItself(PlacetError):
    """A guard or an inline handler asked its own engine for something and would wait for ever."""

    code = "waits_for_itself"

    def __str__(self) -> str:
        return "a guard or inline handler cannot wait for the engine it runs in; run the handler on a thread"


class DeclaredPure(PlacetError):
    """An inline handler used what only handlers with effects may use."""

    code = "declared_pure"

    def __str__(self) -> str:
        return "an inline handler is declared pure: it has no state, and spawns and tells nothing; use run='thread'"


class HandlerReturned(PlacetError):
    """A context was used after its handler had returned: what goes with the result is settled by then."""

    code = "handler_returned"

    def __str__(self) -> str:
        return "the handler of this context has returned; spawn, tell and use the state before it does"


class AttemptOver(PlacetError):
    """A handler gave a sign of life for an attempt that is over, or not wanted any more: it should end."""

    code = "attempt_over"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"this attempt is over: {self.reason}; nothing it returns counts: clean up and end"


class InvalidId(PlacetError, ValueError):
    """An instance id that cannot be one."""

    code = "invalid_id"

    def __init__(self, instance: str, reason: str) -> None:
        super().__init__(instance, reason)
        self.instance = instance
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.instance!r} cannot be an instance id: {self.reason}; choose another"


class UnknownWorkflow(PlacetError, LookupError):
    """No workflow of that name is registered in this runtime."""

    code = "unknown_workflow"

    def __init__(self, workflow: str) -> None:
        super().__init__(workflow)
        self.workflow = workflow

    def __str__(self) -> str:
        return f"workflow {self.workflow!r} is not registered; pass it to Runtime(workflows=[…])"


class BadRequest(PlacetError, ValueError):
    """What was asked for is no request, such as an id that is no text; it had no effect."""

    code = "bad_request"

    def __init__(self, reason: str, remedy: str = "mend it and ask again") -> None:
        super().__init__(reason, remedy)
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        return f"the request cannot be read: {self.reason}; {self.remedy}"


class EngineSilent(PlacetError):
    """An engine owns the state but does not answer; whether the request had an effect is not known."""

    code = "engine_silent"

    def __init__(self, path: str, pid: int, reason: str) -> None:
        super().__init__(path, pid, reason)
        self.path = path
        self.pid = pid
        self.reason = reason

    def __str__(self) -> str:
        return f"the engine of {self.path} (process {self.pid}) does not answer: {self.reason}; try again, or stop it"


class OwnError(PlacetError):
    """A bug of Placet's: what was committed is on disk."""

    code = "internal"

    def __init__(self, reason: str, remedy: str = "please report it") -> None:
        super().__init__(reason, remedy)
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        return printable(f"an error of Placet's own, {self.reason}; {self.remedy}")


class BundleUnusable(PlacetError):
    """A workflow that was sent to an engine cannot run there. Nothing was changed."""

    code = "bundle_unusable"

    def __init__(self, workflow: str, reason: str) -> None:
        super().__init__(workflow, reason)
        self.workflow = workflow
        self.reason = reason

    def __str__(self) -> str:
        remedy = "make the program fit the node, and spawn it again"
        return f"the code of workflow {self.workflow} cannot be used: {self.reason}; {remedy}"


class WorkflowTaken(PlacetError):
    """Another workflow of that name runs where one was sent to. Nothing was changed."""

    code = "workflow_taken"

    def __init__(self, workflow: str, version: str, reason: str, remedy: str) -> None:
        super().__init__(workflow, version, reason, remedy)
        self.workflow = workflow
        self.version = version
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        named = f"workflow {self.workflow}, version {self.version},"
        return f"{named} is not what the node runs: {self.reason}; {self.remedy}"
