"""The other side of the control socket: asks a running engine, or does without where there is none."""

import json
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import cast

from placet.actors.clock import monotonic_s
from placet.actors.control.answer import Face, checked
from placet.actors.control.line import LineTooLong, read_line
from placet.actors.control.request import AnyRequest, EffectiveRequests, ImportRequest, StatusRequest, encode_request
from placet.actors.control.socket_path import short_path
from placet.actors.control.visit import visit
from placet.actors.copies.import_request import import_alone
from placet.actors.errors import EngineSilent, EngineStopped
from placet.persistence.errors import StoreInUse
from placet.persistence.lock import owner

ANSWER_S = 30.0  # longer than the engine itself waits for a commit
COMING_OR_GOING_S = 5.0  # an engine that starts or stops has no socket for a moment
_TRY_AGAIN_S = 0.05


def ask_engine(directory: Path, request: AnyRequest, patience_s: float = ANSWER_S) -> Face:
    """Send a request to the engine of a state and return its answer.

    Raises `OSError` where nobody listens or answers in time, and what `checked` raises.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(patience_s)
        with short_path(directory) as path:
            connection.connect(path)
        with suppress(BrokenPipeError):  # it was refused at the door: what it said is there to be read
            connection.sendall(encode_request(request) + b"\n")
        received = read_line(connection, b"", patience_s)
    if received is None:
        raise ConnectionResetError("it hung up")
    instance = "" if isinstance(request, StatusRequest) else request.instance
    return checked(instance, cast("Face", json.loads(received[0])))


def carry_out(directory: Path, request: EffectiveRequests) -> Face:
    """Carry out a request: through the engine of the state where there is one, else on the state itself.

    Raises `EngineSilent` and what `ask_engine`, `visit` and `import_alone` raise.
    """
    end_s = monotonic_s() + COMING_OR_GOING_S
    while True:
        pid = owner(directory)
        reason = "it has no control socket"
        try:
            if pid is not None:
                return {**ask_engine(directory, request), "engine": pid}
        except TimeoutError as error:
            raise EngineSilent(str(directory), pid or 0, f"no answer within {ANSWER_S:g} s") from error
        except (OSError, LineTooLong, EngineStopped) as error:
            reason = getattr(error, "strerror", None) or str(error)
        try:  # the lock tells whether there is an engine: the pid may be another process's by now
            return {**_without_engine(directory, request), "engine": None}
        except StoreInUse as error:
            pid = error.pid
        if monotonic_s() > end_s:
            raise EngineSilent(str(directory), pid, reason)
        threading.Event().wait(_TRY_AGAIN_S)


def _without_engine(directory: Path, request: EffectiveRequests) -> Face:
    return import_alone(directory, request) if isinstance(request, ImportRequest) else visit(directory, request)
