"""Answers requests that come from other processes to one engine: the desk of its control socket, and a few more.

No request waits here: what takes long is answered from another thread, through `answer`.
"""

import json
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeAlias, TypeVar

import msgspec

from placet.actors.answers import Entries, RefusalCode
from placet.actors.bundle import decode_bundle
from placet.actors.clock import monotonic_s
from placet.actors.control.answer import receipt_face
from placet.actors.control.desk import ANSWER_S, ControlDesk
from placet.actors.control.request import ImportRequest, InspectRequest
from placet.actors.control.tokens import ImportPlaceRequest
from placet.actors.errors import BadRequest, EngineStopped, OwnError, no_instance
from placet.actors.messages import Inspect, Put
from placet.actors.own.answering import next_answer
from placet.actors.own.letter import Letter
from placet.actors.own.work import INBOX
from placet.actors.runtime import Runtime, client_of, engine_of
from placet.net.answer import (
    Deployed,
    Followed,
    InstanceFound,
    Listed,
    NetAnswer,
    NextOffer,
    Offers,
    Replied,
    StateSeen,
    Trimmed,
    encode_error,
    encode_net_answer,
)
from placet.net.copying import export_copy, import_copy
from placet.net.errors import BundleMissing, NotAllowed
from placet.net.given import put_together
from placet.net.keyring import KeyKind
from placet.net.looking import look
from placet.net.request import (
    AskRequest,
    CodeRequest,
    DeployRequest,
    ExplainRequest,
    ExportCopyRequest,
    FindRequest,
    FollowRequest,
    GivenRequest,
    HistoryRequest,
    ImportCopyRequest,
    ListRequest,
    NetRequest,
    OfferBundleRequest,
    OfferRequest,
    PatientRequest,
    ProgressRequest,
    ReplyRequest,
    ShowRequest,
    SpawnRequest,
    StructureRequest,
    TasksRequest,
    TrimRequest,
    WaitRequest,
    decode_net_request,
)
from placet.net.trail import Trails
from placet.persistence.values import encode
from placet.petri.errors import PlacetError

THREADS = 8  # that wait for commits, or read
LONGEST_WAIT_S = 30.0  # then a client asks again
T = TypeVar("T")
Reply: TypeAlias = Callable[[bytes | None], None]
"""Takes the answer's line, or None where the instance is another engine's; called once, on any thread."""


class _Wait(NamedTuple):
    """Somebody who waits for what an instance does."""

    instance: str
    until_s: float
    is_over: Callable[[], bool]
    end: Callable[[], bool]  # who waits is told that there is nothing so far, and asks again


class NetDesk:
    """Takes requests for one runtime; safe to use from any thread.

    `owns` tells its instances by their ids; `covers` tells the shards that are its own just now, each with its epoch.
    """

    def __init__(
        self, runtime: Runtime, owns: Callable[[str], bool], covers: Callable[[], frozenset[tuple[int, int]]]
    ) -> None:
        self._owns = owns
        self._covers = covers
        self._runtime = runtime
        self._client = client_of(runtime)
        self._engine = engine_of(runtime)
        self._control = ControlDesk(self._client)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="placet-desk")
        self._lock = threading.Lock()
        self._waits: list[_Wait] = []
        self._trails = Trails(runtime.follow)

    def take(self, line: bytes, reply: Reply, kind: KeyKind) -> None:
        """Answer a request through `reply`, now or later; never raises. `kind` is that of the key of who asks."""
        self._pool.submit(self._answer, line, reply, kind)

    def tick(self) -> None:
        """Let those go who have waited long enough, or wait for what has gone; to be called about once a second."""
        now_s = monotonic_s()
        with self._lock:
            waits, self._waits = self._waits, []
            due: list[_Wait] = []
            for wait in waits:
                if wait.until_s <= now_s or not self._owns(wait.instance):
                    due.append(wait)
                elif not wait.is_over():
                    self._waits.append(wait)
        for wait in due:
            wait.end()
        self._trails.tick()

    def close(self) -> None:
        """Take no more; what is under way is answered."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _answer(self, line: bytes, reply: Reply, kind: KeyKind) -> None:
        try:
            request = self._admitted(decode_net_request(line), kind)
            about = str(getattr(request, "instance", None) or "")  # of some requests there is none
            if about and not self._owns(about):
                reply(None)
                return
            reply = self._unless_gone(about, reply) if about else reply
            self._carry_out(request, reply)
        except PlacetError as error:
            reply(encode_error(error))
        except Exception as error:  # a bug of ours: whoever asked is told, and the next request is served
            reply(encode_error(OwnError(repr(error))))

    def _unless_gone(self, instance: str, reply: Reply) -> Reply:
        """Return a reply that says so where an error came of the instance's moving to another engine meanwhile."""

        def answer(line: bytes | None) -> None:
            """Reply, unless who asks has to ask elsewhere."""
            is_error = line is not None and line.startswith(b'{"error"')
            reply(None if is_error and (not self._owns(instance) or _has_moved(line)) else line)

        return answer

    def _admitted(self, request: NetRequest, kind: KeyKind) -> NetRequest:
        """Return a request that who asks may make. Raises `NotAllowed`: what runs code is for a higher key alone."""
        if kind < KeyKind.DEPLOY and isinstance(request, CodeRequest):
            raise NotAllowed("a client key takes plain values, and sends no code", "connect with a deploy key")
        if isinstance(request, ImportRequest) or (isinstance(request, ImportPlaceRequest) and request.file):
            raise NotAllowed("a file of the engine's host is imported there alone", "use placet import on its host")
        return request

    def _carry_out(self, request: NetRequest, reply: Reply) -> None:
        if isinstance(request, GivenRequest):
            request = put_together(request)
        match request:
            case SpawnRequest():
                self._spawn(request, reply)
            case WaitRequest() | OfferRequest() | FollowRequest() | ReplyRequest():
                self._be_patient(request, reply)
            case AskRequest():
                letter = Letter(message=request.message, request=request.request)
                put = self._client.intervene(request.instance, Put(place=INBOX, value=encode(letter)))
                receipt = self._client.wait(put, ANSWER_S, request.instance)
                reply(json.dumps(receipt_face(receipt, self._client.reader)).encode())
            case TrimRequest():
                count = self._runtime.instance(request.instance).trim_history(request.keep, ANSWER_S)
                reply(encode_net_answer(Trimmed(count=count)))
            case InspectRequest():
                reply(encode_net_answer(self._entries(request)))
            case ExportCopyRequest():
                reply(encode_net_answer(export_copy(self._client, request)))
            case ImportCopyRequest():
                reply(json.dumps(import_copy(self._client, request, ANSWER_S)).encode())
            case OfferBundleRequest() | DeployRequest():
                reply(encode_net_answer(self._deployed(request)))
            case GivenRequest():
                raise BadRequest("values beside values")
            case ListRequest() | TasksRequest(instance=None):
                reply(encode_net_answer(self._surveyed(request)))
            case FindRequest() | ShowRequest() | HistoryRequest() | TasksRequest():
                reply(encode_net_answer(look(self._runtime, request)))
            case ExplainRequest() | ProgressRequest() | StructureRequest():
                reply(encode_net_answer(look(self._runtime, request)))
            case _:
                reply(json.dumps(self._control.carry_out(request)).encode())

    def _surveyed(self, request: ListRequest | TasksRequest) -> NetAnswer:
        """Return what there is, with the shards that were this engine's all the while: of those it is all there is."""
        before = self._covers()
        found = look(self._runtime, request)
        assert isinstance(found, Listed | Offers), "it was asked for"
        return msgspec.structs.replace(found, shards=sorted(shard for shard, _ in before & self._covers()))

    def _deployed(self, request: OfferBundleRequest | DeployRequest) -> Deployed:
        deployment = self._engine.deployment
        if isinstance(request, DeployRequest):
            bundle = decode_bundle(request.bundle)
            self._engine.take_in(bundle, ANSWER_S)
            return Deployed(is_known=True, was_sent=True)
        is_known = deployment.has(request.workflow, request.version, request.digest)
        return Deployed(is_known=is_known, was_sent=is_known and deployment.was_sent(request.workflow))

    def _spawn(self, request: SpawnRequest, reply: Reply) -> None:
        if request.bundle and not self._engine.deployment.runs(request.workflow, request.bundle):
            raise BundleMissing(request.workflow)
        spawned = self._runtime.spawn_later(request.workflow, request.tokens, id=request.instance)
        _when_done(spawned, reply, lambda instance: InstanceFound(instance=instance.id))

    def _entries(self, request: InspectRequest) -> Entries:
        instance, path = request.instance, request.path
        answer = self._client.ask(lambda reply: Inspect(instance=instance, path=path, reply=reply), ANSWER_S)
        assert isinstance(answer, Entries), answer
        return answer

    # -- waiting ---------------------------------------------------------------------------------------------------

    def _be_patient(self, request: PatientRequest, reply: Reply) -> None:
        match request:
            case WaitRequest():
                reached = self._client.reached(request.instance, frozenset(request.states))
                self._wait(reached, request, reply, lambda state: StateSeen(state=state))
            case OfferRequest():
                offered = self._client.offered(request.instance, request.transition)
                self._wait(offered, request, reply, lambda number: NextOffer(number=number))
            case ReplyRequest():
                engine = self._client.engine
                answer = next_answer(engine, self._client.reader, request.instance, request.request)
                otherwise = Replied(value=None)
                self._wait_or(engine.outlive(answer), request, reply, _replied, otherwise)
            case FollowRequest():
                if self._client.reader.root(request.instance) is None:
                    raise no_instance(request.instance)
                steps = self._client.engine.outlive(self._trails.after(request))
                known = Followed(trail=request.trail, after=request.after, steps=[])
                self._wait_or(steps, request, reply, lambda seen: seen, known)

    def _wait(
        self, future: "Future[T]", request: PatientRequest, reply: Reply, make: Callable[[T | None], NetAnswer]
    ) -> None:
        """Reply once a future is done, with None where the patience of who asks has come to its end."""
        self._wait_or(future, request, reply, make, make(None))

    def _wait_or(
        self,
        future: "Future[T]",
        request: PatientRequest,
        reply: Reply,
        make: Callable[[T], NetAnswer],
        otherwise: NetAnswer,
    ) -> None:
        _when_done(future, reply, make, otherwise)
        until_s = monotonic_s() + min(request.patience_s, LONGEST_WAIT_S)
        with self._lock:
            self._waits.append(_Wait(request.instance, until_s, future.done, future.cancel))


def _replied(value: bytes | None) -> Replied:
    return Replied(value=value, is_hopeless=value is None)


def _when_done(
    future: "Future[T]", reply: Reply, make: Callable[[T], NetAnswer], otherwise: NetAnswer | None = None
) -> None:
    """Reply once a future is done; `otherwise` where it was cancelled."""

    def answer(done: "Future[T]") -> None:
        """Reply with what is done, or with why it is not."""
        if done.cancelled():
            reply(
                encode_net_answer(otherwise)
                if otherwise is not None
                else encode_error(EngineStopped("the engine is ending; ask again"))
            )
            return
        error = done.exception()
        if error is None:
            reply(encode_net_answer(make(done.result())))
        else:
            reply(encode_error(error if isinstance(error, PlacetError) else OwnError(repr(error))))

    future.add_done_callback(answer)


def _has_moved(line: bytes | None) -> bool:
    """Return whether an error is that of the kernel for an instance that lives in another engine."""
    said = msgspec.json.decode(line or b"{}", type=dict[str, dict[str, object]]).get("error", {})
    return said.get("code") == RefusalCode.MOVED
