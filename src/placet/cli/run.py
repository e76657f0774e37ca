"""`placet run`: one instance from its file to its end, or to where a person or the machine stops it."""

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass

from placet.actors.arguments import check_id
from placet.actors.clock import monotonic_s
from placet.actors.engine import Health
from placet.actors.errors import EngineStopped, SpawnConflict, WaitTimeout, no_instance
from placet.actors.given import by_place
from placet.actors.inputs import fingerprint
from placet.actors.instance import Instance
from placet.actors.lifecycle import TERMINAL, TROUBLE, InstanceState
from placet.actors.reader import InstanceView
from placet.actors.records import Header, Phase
from placet.actors.report import held_up_by
from placet.actors.runtime import Runtime, client_of
from placet.cli.capability import capabilities_of
from placet.cli.errors import WrongUsage
from placet.cli.json_input import given_json
from placet.cli.output import is_terminal, note
from placet.cli.progress import Display, Standing, display, running_text
from placet.cli.report import Ended, report, report_stopped, stored_view
from placet.cli.signals import Interrupted, Signals
from placet.cli.source import Loaded, as_recorded, know_files, load
from placet.cli.where import Where

TICK_S = 0.2  # how often a run is looked at; a change of its state is seen at once
_S = InstanceState

Tokens = Mapping[str, Sequence[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What `placet run` was asked for."""

    file: str
    where: Where
    id: str
    input: str | None  # JSON
    is_json: bool
    time_scale: float | None  # None: as it was run before in this state, or 0
    threads: int
    capabilities: tuple[str, ...]  # `NAME=VALUE`
    timeout_s: float | None
    command: str  # to go on with, as one would type it


def run(request: RunRequest) -> int:
    """Run an instance to its end and return the exit code of the command."""
    check_id(request.id)
    capabilities = capabilities_of(request.capabilities)
    know_files()
    loaded = load(request.file, request.time_scale or 0.0)
    if request.where.node:
        from placet.cli.run_remote import run_remote  # takes 0.2 s

        return run_remote(request, loaded, tokens_of(request, loaded))
    if request.time_scale is None:
        loaded = as_recorded(loaded, request.file, request.where.state)
    tokens = tokens_of(request, loaded)
    begin_s = monotonic_s()
    with Signals({"id": request.id, "resume": request.command} if request.is_json else None) as signals:
        try:
            with signals.at_once():  # opening it loads the files of other instances
                workflows = [loaded.workflow]
                runtime = Runtime(request.where.state, workflows, threads=request.threads, capabilities=capabilities)
            with runtime:
                try:
                    ended = _Run(runtime, request, loaded, tokens, signals).to_its_end(begin_s)
                except Interrupted:
                    _say_that_it_ends(runtime)
                    raise
        except (Interrupted, WaitTimeout) as stop:
            view = stored_view(request.where.state, request.id) if request.is_json else None
            return report_stopped(view, request.id, stop, request.command, begin_s, is_json=request.is_json)
    return report(ended, request.command, is_json=request.is_json)


def _say_that_it_ends(runtime: Runtime) -> None:
    running = running_text(runtime.running())
    if running and is_terminal(sys.stderr):
        note(f"waiting a few seconds for {running}; Ctrl-C again ends at once")


def tokens_of(request: RunRequest, loaded: Loaded) -> Tokens | None:
    """Return the tokens to spawn with, or None when nothing was said about them. Raises `WrongUsage`."""
    if request.input is None:
        return loaded.tokens
    if loaded.tokens is not None:
        raise WrongUsage("a trace brings its own tokens", "leave out --input")
    return by_place(given_json("--input", request.input), entries_of(loaded))


def entries_of(loaded: Loaded) -> list[str]:
    """Return the places that an instance can begin with."""
    from placet.petri.plan import make_plan  # of no use to a trace

    return [place.path for place in make_plan(loaded.workflow.definition().net, {}).places if place.is_entry]


class _Run:
    """One instance while `placet run` watches it."""

    def __init__(
        self, runtime: Runtime, request: RunRequest, loaded: Loaded, tokens: Tokens | None, signals: Signals
    ) -> None:
        self._runtime = runtime
        self._client = client_of(runtime)
        self._request = request
        self._id = request.id
        self._loaded = loaded
        self._tokens = tokens
        self._signals = signals
        self._said = ""  # the last thing said about its state

    def to_its_end(self, begin_s: float) -> Ended:
        """Spawn the instance or find it, and watch it until nothing will happen any more."""
        end_s = None if self._request.timeout_s is None else begin_s + self._request.timeout_s
        for name, reason in self._runtime.unknown.items():
            note(f"workflow {name}, of other instances, could not be loaded ({reason}); they wait")
        self._client.engine.changes.add(self._id, lambda _: self._signals.wake())
        with closing(display(self._id, is_json=self._request.is_json)) as shown:
            spawned = self._spawn_or_find()
            if spawned is not None:
                spawned.add_done_callback(lambda _: self._signals.wake())
            while (view := self._look(spawned, shown)) is None:
                self._signals.wait(TICK_S)
                if end_s is not None and monotonic_s() > end_s:
                    raise WaitTimeout(self._id, f"{self._id} has not ended within {self._request.timeout_s:g} s")
        return Ended(view=view, reason=self._runtime.explain(self._id), elapsed_s=monotonic_s() - begin_s)

    # -- beginning -------------------------------------------------------------------------------------------------

    def _spawn_or_find(self) -> "Future[Instance] | None":
        header = self._client.reader.header(self._id)
        definition = self._loaded.workflow.definition()
        if header is not None:
            if header.workflow != definition.name:
                raise SpawnConflict(self._id, f"{self._id} is an instance of {header.workflow}; use another --id")
            if header.version != definition.version:
                self._keep_its_net(header)
                return None
            if self._tokens is None:
                return None
        elif self._tokens is None and not definition.first:
            places = ", ".join(entries_of(self._loaded))
            raise WrongUsage(f"{definition.name} needs tokens in {places}", "give them with --input JSON")
        return self._runtime.spawn_later(self._loaded.workflow, self._tokens, id=self._id)

    def _keep_its_net(self, header: Header) -> None:
        """An instance of an earlier version goes on with its stored net; its inputs must still be the same."""
        note(f"warning: {header.workflow} has changed; {self._id} goes on with the net it was begun with")
        values = [(place, value) for place, several in (self._tokens or {}).items() for value in several]
        if values and fingerprint(values) != header.inputs:
            raise SpawnConflict(self._id, f"{self._id} was begun with other inputs; use another --id")

    # -- watching --------------------------------------------------------------------------------------------------

    def _look(self, spawned: "Future[Instance] | None", shown: Display) -> InstanceView | None:
        """Show how far it is; return it once nothing will happen to it any more."""
        self._tell_health()
        answered = spawned is None or spawned.done()  # looked at once: it may come at any moment
        if spawned is not None and answered:
            spawned.result()  # raises what came of it
        header = self._client.reader.header(self._id)
        if header is None:
            if spawned is None:
                raise no_instance(self._id)
            return None
        shown.show(self._standing(header))
        if not answered:
            return None
        return self._held_up() if header.state is _S.RUNNING else self._settled()

    def _standing(self, header: Header) -> Standing:
        running = running_text(handler for handler in self._runtime.running() if handler.instance == self._id)
        return Standing(
            at_s=monotonic_s(),
            state=header.state.value,
            fired=self._client.reader.fired(self._id),
            total=self._loaded.tasks,
            running=running,
        )

    def _held_up(self) -> InstanceView | None:
        """Return it where nothing of it moves, since what it has called needs a person; say so where they only wait."""
        if self._needs_people():
            return self._client.reader.instance(self._id)
        if held_up_by(self._client.reader, self._id):
            self._tell(self._runtime.explain(self._id))
        return None

    def _needs_people(self) -> bool:
        """Return whether nothing moves in what it has called, nor will without a person who settles an incident."""
        below = held_up_by(self._client.reader, self._id)
        return bool(below) and all(header.state in TROUBLE for header in below)

    def _settled(self) -> InstanceView | None:
        view = self._client.reader.instance(self._id)
        assert view is not None, self._id
        header = view.header
        if header.state in TERMINAL or header.state is _S.STUCK:
            return view
        backing_off = [firing for firing in view.firings if firing.phase is Phase.BACKOFF]
        if header.state is _S.INCIDENT and not backing_off and not self._may_move(view):
            return view
        if header.state is _S.WAITING and header.awake and not backing_off and not self._may_move(view):
            return view  # for a handler that this process lacks
        self._tell_state(view, [firing.transition for firing in backing_off])
        return None

    def _may_move(self, view: InstanceView) -> bool:
        """Return whether something other than a timer can move it on."""
        if any(firing.phase in (Phase.RUNNING, Phase.SUSPECT) for firing in view.firings):
            return True
        if any(firing.child for firing in view.firings) and not self._needs_people():
            return True
        known = self._loaded.workflow.definition().behaviours
        transitions = self._client.reader.plan(view.header).transitions
        return view.header.awake and all(transition.path in known for transition in transitions)

    def _tell_state(self, view: InstanceView, backing_off: list[str]) -> None:
        state = view.header.state
        if state is _S.PAUSED:
            self._tell(
                f"{self._id} is paused; placet resume {self._id} --state {self._request.where.state} lets it go on"
            )
        elif state is _S.WAITING and not backing_off:
            self._tell(self._runtime.explain(self._id))
        elif state is _S.WAITING:
            self._tell(f"{self._id} waits for the next attempt of {', '.join(sorted(set(backing_off)))}")
        elif state is _S.INCIDENT:
            self._tell(f"{self._runtime.explain(self._id)}; the rest goes on")

    def _tell_health(self) -> None:
        health = self._runtime.health
        if health is Health.FAILED:
            raise EngineStopped(self._runtime.problem)
        if health is Health.FULL:
            self._tell(f"{self._runtime.problem}; waiting for room, nothing is lost")
        elif self._said.endswith("nothing is lost"):
            self._tell("there is room again; going on")

    def _tell(self, text: str) -> None:
        """Say something once, until something else is to be said."""
        if text != self._said:
            self._said = text
            note(text)
