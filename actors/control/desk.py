"""Answers what comes through the control socket, on behalf of one runtime."""

import json
import os
from pathlib import Path

import msgspec

from placet.actors.answers import Entries, Receipt
from placet.actors.control.answer import Face, error_face, receipt_face
from placet.actors.control.request import (
    ActorRequests,
    AnyRequest,
    ImportRequest,
    InspectRequest,
    PersonalRequests,
    RestartRequest,
    SleepRequest,
    StatusRequest,
    decode_request,
    to_message,
)
from placet.actors.copies.import_request import import_face, import_message, imported
from placet.actors.engine_client import EngineClient
from placet.actors.errors import OwnError
from placet.actors.messages import ClientMessage, Inspect, Restart, Sleep
from placet.persistence.keys import TOKEN
from placet.persistence.preview import to_json
from placet.petri.errors import PlacetError

SLOWEST = 20  # transitions that are told to be slow
ANSWER_S = 20.0  # an engine that has not committed by then is full or busy: the client may ask again


class ControlDesk:
    """Turns requests into messages, and answers into JSON."""

    def __init__(self, client: EngineClient) -> None:
        self._client = client

    def answer(self, line: bytes) -> bytes:
        """Return the answer to one line; never raises."""
        try:
            face = self.carry_out(decode_request(line))
        except PlacetError as error:
            face = error_face(error)
        except Exception as error:  # a bug of ours: whoever asked is told, and the next request is served
            face = error_face(OwnError(repr(error)))
        return json.dumps(face).encode()

    def carry_out(self, request: AnyRequest) -> Face:
        """Return the answer to a request. Raises what stands in its way."""
        match request:
            case StatusRequest():
                return self._status()
            case InspectRequest() | SleepRequest() | RestartRequest():
                return self._about_actor(request)
            case ImportRequest():
                return self._import(request)
            case _:
                return self._intervene(request)

    def _intervene(self, request: PersonalRequests) -> Face:
        client = self._client
        message = to_message(request, client.reader, client.addressee)
        receipt = client.wait(client.intervene(request.instance, message), ANSWER_S, request.instance)
        return receipt_face(receipt, client.reader)

    def _import(self, request: ImportRequest) -> Face:
        client = self._client
        message = import_message(Path(request.file), request.instance, request.by, request.why)
        answer = client.ask(lambda reply: msgspec.structs.replace(message, reply=reply), ANSWER_S)
        return import_face(imported(answer), client.reader)

    def _about_actor(self, request: ActorRequests) -> Face:
        kind: type[Inspect] | type[Sleep] | type[Restart]
        match request:
            case InspectRequest():
                kind = Inspect
            case SleepRequest():
                kind = Sleep
            case RestartRequest():
                kind = Restart

        def make(reply: int) -> ClientMessage:
            """Return what the kernel is told."""
            return kind(instance=request.instance, path=request.path, reply=reply)

        answer = self._client.ask(make, ANSWER_S)
        if isinstance(answer, Entries):
            entries = [entry_face(*entry) for entry in answer.entries]
            return {"instance": answer.instance, "path": answer.path, "entries": entries}
        assert isinstance(answer, Receipt), answer
        return receipt_face(answer, self._client.reader)

    def _status(self) -> Face:
        client, engine = self._client, self._client.engine
        loads = {name: executor.load() for name, executor in engine.executors.items()}
        return {
            "pid": os.getpid(),
            "health": engine.health.value,
            "problem": engine.problem,
            "commits": engine.commits,
            "firings": engine.fired,
            "queued": engine.inbox.qsize() + engine.kernel.mail.waiting,
            "waiting_for_slots": engine.kernel.slots.queued,
            "tasks_offered": client.reader.tasks_offered(),
            "committed_at": engine.committed_at,
            "executors": {
                name: {
                    "at_once": load.at_once,
                    "capacity": load.capacity,
                    "running": load.running,
                    "queued": load.queued,
                    "abandoned": load.abandoned,
                }
                for name, load in loads.items()
            },
            "running": [
                {
                    "id": handler.instance,
                    "transition": handler.transition,
                    "firing": handler.number,
                    "attempt": handler.attempt,
                    "since_s": round(handler.since_s, 3),
                }
                for handler in client.running()
            ],
            "slowest": [
                {
                    "transition": one.transition,
                    "count": one.count,
                    "mean_s": round(one.mean_s, 6),
                    "worst_s": round(one.worst_s, 6),
                }
                for one in engine.durations.slowest(SLOWEST)
            ],
            "not_loaded": dict(client.unknown),
        }


def entry_face(kind: int, number: int, value: bytes) -> Face:
    """Return an entry of an actor; a token's value is a preview that nothing was executed for."""
    shown: object = to_json(value) if kind == TOKEN else {"$type": "record", "bytes": len(value)}
    return {"kind": kind, "number": number, "value": shown}
