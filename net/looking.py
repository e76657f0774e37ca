"""What clients look at, answered from what is on disk: nothing is changed, nothing waited for."""

from collections.abc import Sequence
from typing import assert_never

from placet.actors.engine_client import EngineClient
from placet.actors.errors import no_instance
from placet.actors.instance import Instance
from placet.actors.lifecycle import TROUBLE, InstanceState
from placet.actors.report import held_up_by
from placet.actors.runtime import Runtime, client_of
from placet.net.answer import Explained, InstanceFound, Listed, Looked, Offers, Progressed, Shown, Structure, Told
from placet.net.request import (
    ExplainRequest,
    FindRequest,
    HistoryRequest,
    ListRequest,
    LookRequest,
    ProgressRequest,
    ShowRequest,
    StructureRequest,
    TasksRequest,
)
from placet.persistence.keys import shard_of


def look(runtime: Runtime, request: LookRequest) -> Looked:
    """Return what is asked for. Raises `NotFound`."""
    client = client_of(runtime)
    match request:
        case ListRequest():
            found = runtime.list(request.state)
            return Listed(
                instances=[
                    one for one in found if request.caller in ("", one.caller) and _is_in(request.shards, one.instance)
                ]
            )
        case FindRequest():
            handle = runtime.find(request.address) if request.address else runtime.instance(request.instance)
            if isinstance(handle, Instance):
                return InstanceFound(instance=handle.id)
            return InstanceFound(instance=handle.instance, path=handle.path)
        case ShowRequest():
            view = client.reader.instance(request.instance)
            if view is None:
                raise no_instance(request.instance)
            return Shown(view=view, reason=client.explain(request.instance))
        case HistoryRequest():
            _check_instance(client, request.instance)
            return Told(records=client.reader.history(request.instance))
        case TasksRequest():
            offered = runtime.tasks(
                role=request.role,
                assignee=request.assignee,
                transition=request.transition,
                instance=request.instance,
            )
            return Offers(tasks=[task for task in offered if _is_in(request.shards, task.instance)])
        case ExplainRequest():
            _check_instance(client, request.instance)
            return Explained(reason=client.explain(request.instance))
        case ProgressRequest():
            return _progressed(client, request.instance)
        case StructureRequest():
            header = client.reader.header(request.instance)
            if header is None:
                raise no_instance(request.instance)
            return Structure(net=client.reader.stored_net(header))
        case _:
            assert_never(request)


def _is_in(shards: Sequence[int] | None, instance: str) -> bool:
    return shards is None or shard_of(instance) in shards


def _progressed(client: EngineClient, instance: str) -> Progressed:
    header = client.reader.header(instance)
    if header is None:
        raise no_instance(instance)
    below = held_up_by(client.reader, instance) if header.state is InstanceState.RUNNING else []
    return Progressed(
        state=header.state,
        fired=client.reader.fired(instance),
        running=[(one.transition, one.since_s) for one in client.running() if one.instance == instance],
        is_held_up=bool(below),
        needs_people=bool(below) and all(one.state in TROUBLE for one in below),
    )


def _check_instance(client: EngineClient, instance: str) -> None:
    if client.reader.root(instance) is None:
        raise no_instance(instance)
