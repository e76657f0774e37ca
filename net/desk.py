"""Answers requests that come from other processes to one engine: the desk of its control socket, and a few more.

No request waits here: what takes long is answered from another thread, through `answer`.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeAlias, TypeVar, assert_never

from placet.actors.clock import monotonic_s
from placet.actors.control.desk import ControlDesk
from placet.actors.errors import OwnError, no_instance
from placet.actors.instance import Instance
from placet.actors.lifecycle import InstanceState
from placet.actors.runtime import Runtime, client_of
from placet.net.answer import (
    InstanceFound,
    Listed,
    NetAnswer,
    Shown,
    StateSeen,
    Told,
    encode_error,
    encode_net_answer,
)
from placet.net.request import (
    FindRequest,
    HistoryRequest,
    ListRequest,
    LookRequest,
    ShowRequest,
    SpawnRequest,
    WaitRequest,
    decode_net_request,
)
from placet.petri.errors import PlacetError

THREADS = 8  # that wait for commits, or read
LONGEST_WAIT_S = 30.0  # then a client asks again
T = TypeVar("T")
Reply: TypeAlias = Callable[[bytes], None]  # takes the answer's line; called once, on any thread


class NetDesk:
    """Takes requests for one runtime; safe to use from any thread."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._client = client_of(runtime)
        self._control = ControlDesk(self._client)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="placet-desk")
        self._lock = threading.Lock()
        self._waits: list[tuple[float, Future[InstanceState]]] = []  # (until when, what for)

    def take(self, line: bytes, reply: Reply) -> None:
        """Answer a request through `reply`, now or later; never raises."""
        self._pool.submit(self._answer, line, reply)

    def tick(self) -> None:
        """Let those go who have waited long enough; to be called about once a second."""
        now_s = monotonic_s()
        with self._lock:
            due = [future for until_s, future in self._waits if until_s <= now_s]
            self._waits = [wait for wait in self._waits if wait[0] > now_s and not wait[1].done()]
        for future in due:
            future.cancel()

    def close(self) -> None:
        """Take no more; what is under way is answered."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _answer(self, line: bytes, reply: Reply) -> None:
        try:
            self._carry_out(line, reply)
        except PlacetError as error:
            reply(encode_error(error))
        except Exception as error:  # a bug of ours: whoever asked is told, and the next request is served
            reply(encode_error(OwnError(repr(error))))

    def _carry_out(self, line: bytes, reply: Reply) -> None:
        request = decode_net_request(line)
        match request:
            case SpawnRequest():
                self._spawn(request, reply)
            case WaitRequest():
                self._wait(request, reply)
            case ListRequest() | FindRequest() | ShowRequest() | HistoryRequest():
                reply(encode_net_answer(self._look(request)))
            case _:
                reply(self._control.answer(line))

    def _spawn(self, request: SpawnRequest, reply: Reply) -> None:
        spawned = self._runtime.spawn_later(request.workflow, request.tokens, id=request.instance)
        _when_done(spawned, reply, _found)

    def _wait(self, request: WaitRequest, reply: Reply) -> None:
        reached = self._client.reached(request.instance, frozenset(request.states))
        _when_done(reached, reply, lambda state: StateSeen(state=state))
        until_s = monotonic_s() + min(request.patience_s, LONGEST_WAIT_S)
        with self._lock:
            self._waits.append((until_s, reached))

    def _look(self, request: LookRequest) -> NetAnswer:
        match request:
            case ListRequest():
                return Listed(instances=list(self._runtime.list(request.state)))
            case FindRequest():
                self._runtime.find(request.address)
                return InstanceFound(instance=request.address.partition("/")[0])
            case ShowRequest():
                view = self._client.reader.instance(request.instance)
                if view is None:
                    raise no_instance(request.instance)
                return Shown(view=view, reason=self._client.explain(request.instance))
            case HistoryRequest():
                if self._client.reader.root(request.instance) is None:
                    raise no_instance(request.instance)
                return Told(records=self._client.reader.history(request.instance))
            case _:
                assert_never(request)


def _when_done(future: "Future[T]", reply: Reply, make: Callable[[T], NetAnswer]) -> None:
    """Reply once a future is done; one that was cancelled has seen no state."""

    def answer(done: "Future[T]") -> None:
        if done.cancelled():
            reply(encode_net_answer(StateSeen(state=None)))
            return
        error = done.exception()
        if error is None:
            reply(encode_net_answer(make(done.result())))
        else:
            reply(encode_error(error if isinstance(error, PlacetError) else OwnError(repr(error))))

    future.add_done_callback(answer)


def _found(instance: Instance) -> NetAnswer:
    return InstanceFound(instance=instance.id)
