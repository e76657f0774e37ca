"""`placet run … --connect`: an instance on a node watched to its end; the node goes on without whoever watches."""

from contextlib import closing, suppress
from dataclasses import dataclass

from placet.actors.clock import monotonic_s
from placet.actors.errors import NotFound, SpawnConflict, WaitTimeout
from placet.actors.inputs import fingerprint
from placet.actors.lifecycle import TERMINAL, InstanceState
from placet.actors.reader import InstanceView
from placet.actors.records import Header, Phase
from placet.cli.errors import WrongUsage
from placet.cli.output import note
from placet.cli.progress import Standing, display, running_text
from placet.cli.report import Ended, report, report_stopped
from placet.cli.run import RunRequest, Tokens, entries_of
from placet.cli.signals import Interrupted, Signals
from placet.cli.source import Loaded
from placet.net.answer import Progressed
from placet.net.client import Client, node_of
from placet.net.remote import RemoteInstance
from placet.net.request import ProgressRequest
from placet.net.twins import blocked
from placet.petri.errors import PlacetError

FIRST_TICK_S, TICK_S = 0.02, 0.2  # a run is looked at less often the longer it takes
LAST_LOOK_S = 2.0  # somebody has asked for the end
_S = InstanceState


@dataclass(frozen=True, slots=True)
class _Handler:
    """A handler that runs on the node."""

    transition: str
    since_s: float


def run_remote(request: RunRequest, loaded: Loaded, tokens: Tokens | None) -> int:
    """Run an instance on a node to its end and return the exit code of the command."""
    begin_s = monotonic_s()
    last = {"id": request.id, "resume": request.command} if request.is_json else None
    with Signals(last) as signals, request.where.connected() as client:
        watch = _Watch(client, request, loaded, tokens, signals)
        try:
            with signals.at_once():  # waiting for a node's answer: nothing here has to be closed first
                ended = watch.to_its_end(begin_s)
        except (Interrupted, WaitTimeout) as stop:
            return report_stopped(
                watch.looked_at() if request.is_json else None,
                request.id,
                stop,
                request.command,
                begin_s,
                is_json=request.is_json,
                goes_on=f"; {request.id} goes on at {request.where.node}" if watch.is_there else "",
            )
    return report(ended, request.command, is_json=request.is_json)


class _Watch:
    """One instance on a node while `placet run` watches it."""

    def __init__(
        self, client: Client, request: RunRequest, loaded: Loaded, tokens: Tokens | None, signals: Signals
    ) -> None:
        self._client = client
        self._instance = RemoteInstance(node_of(client), request.id)
        self._request = request
        self._loaded = loaded
        self._tokens = tokens
        self._signals = signals
        self._said = ""  # the last thing said about its state
        self.view: InstanceView | None = None  # the last that was looked at
        self.is_there = False

    def to_its_end(self, begin_s: float) -> Ended:
        """Spawn the instance or find it, and watch it until nothing will happen any more."""
        limit_s = self._request.timeout_s
        end_s = None if limit_s is None else begin_s + limit_s
        self._spawn_or_find()
        self.is_there = True
        tick_s = FIRST_TICK_S
        with closing(display(self._request.id, is_json=self._request.is_json)) as shown:
            while True:
                seen = self._progress()
                shown.show(self._standing(seen))
                view = self._settled(seen)
                if view is not None:
                    break
                self._signals.wait(tick_s)
                tick_s = min(TICK_S, 1.5 * tick_s)
                if end_s is not None and monotonic_s() > end_s:
                    raise WaitTimeout(self._request.id, f"{self._request.id} has not ended within {limit_s:g} s")
        return Ended(view=view, reason=self._instance.explain(), elapsed_s=monotonic_s() - begin_s)

    def looked_at(self) -> InstanceView | None:
        """Return the instance as it is, or as it was seen last."""
        with suppress(PlacetError):  # it is there, and is not seen now
            self.view = self._instance.view(LAST_LOOK_S)
        return self.view

    # -- beginning -------------------------------------------------------------------------------------------------

    def _spawn_or_find(self) -> None:
        definition = self._loaded.workflow.definition()
        header = self._header()
        if header is not None:
            if header.workflow != definition.name:
                reason = f"{header.instance} is an instance of {header.workflow}; use another --id"
                raise SpawnConflict(header.instance, reason)
            if header.version != definition.version:
                self._keep_its_net(header)
                return
            if self._tokens is None:
                return
        elif self._tokens is None and not definition.first:
            places = ", ".join(entries_of(self._loaded))
            raise WrongUsage(f"{definition.name} needs tokens in {places}", "give them with --input JSON")
        self._client.spawn(self._loaded.workflow, self._tokens, id=self._request.id)

    def _header(self) -> Header | None:
        try:
            self.view = self._instance.view()
        except NotFound:
            return None
        self.is_there = True
        return self.view.header

    def _keep_its_net(self, header: Header) -> None:
        """An instance of an earlier version goes on with its stored net; its inputs must still be the same."""
        note(f"warning: {header.workflow} has changed; {header.instance} goes on with the net it was begun with")
        values = [(place, value) for place, several in (self._tokens or {}).items() for value in several]
        if values and fingerprint(values) != header.inputs:
            raise SpawnConflict(header.instance, f"{header.instance} was begun with other inputs; use another --id")

    # -- watching --------------------------------------------------------------------------------------------------

    def _progress(self) -> Progressed:
        request = ProgressRequest(instance=self._request.id)
        return blocked(node_of(self._client).ask(request, Progressed, self._request.id, None))

    def _standing(self, seen: Progressed) -> Standing:
        running = running_text([_Handler(*one) for one in seen.running])
        return Standing(
            at_s=monotonic_s(),
            state=seen.state.value,
            fired=seen.fired,
            total=self._loaded.tasks,
            running=running,
        )

    def _settled(self, seen: Progressed) -> InstanceView | None:
        """Return it once nothing will happen to it any more, and say what it waits for until then."""
        if seen.state is _S.RUNNING and not seen.is_held_up:
            return None
        view = self.view = self._instance.view()
        state = view.header.state
        if state in TERMINAL or state is _S.STUCK or (seen.needs_people and state is _S.RUNNING):
            return view
        phases = {firing.phase for firing in view.firings}
        if state is _S.INCIDENT and not phases & {Phase.RUNNING, Phase.SUSPECT, Phase.BACKOFF, Phase.CALLED}:
            return view
        if state is _S.INCIDENT and phases <= {Phase.INCIDENT, Phase.CALLED} and _all_in_trouble(view):
            return view
        if state is not _S.RUNNING or seen.is_held_up:
            self._tell_state(view)
        return None

    def _tell_state(self, view: InstanceView) -> None:
        header, backing_off = view.header, [one.transition for one in view.firings if one.phase is Phase.BACKOFF]
        where = " ".join(self._request.where.options())
        if header.state is _S.PAUSED:
            self._tell(f"{header.instance} is paused; placet resume {header.instance} {where} lets it go on")
        elif header.state is _S.INCIDENT:
            self._tell(f"{self._instance.explain()}; the rest goes on")
        elif backing_off:
            self._tell(f"{header.instance} waits for the next attempt of {', '.join(sorted(set(backing_off)))}")
        else:
            self._tell(self._instance.explain())

    def _tell(self, text: str) -> None:
        """Say something once, until something else is to be said."""
        if text != self._said:
            self._said = text
            note(text)


def _all_in_trouble(view: InstanceView) -> bool:
    """Return whether all that it has called needs a person."""
    called = [firing for firing in view.firings if firing.phase is Phase.CALLED]
    return all(firing.trouble is not None for firing in called)
