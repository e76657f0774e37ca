"""The commands and their options; what they do lies in modules of their own, imported when needed."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from placet.cli.cluster_commands import nodes_app, shards_app
from placet.cli.options import STATE, Id, Json, State
from placet.cli.task_commands import tasks_app
from placet.cli.token_commands import put_app, token_app
from placet.cli.where import Where, anywhere
from placet.cli.who import By, RequestId, Who, Why, signed

app = typer.Typer(
    name="placet",
    help="Durable workflows as Petri nets. Any command takes --debug for tracebacks.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Capabilities = Annotated[
    list[str] | None, typer.Option("--capability", metavar="NAME=VALUE", help="What this host has, such as gpu=1.")
]


@app.command()
@anywhere
def run(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="x.py, x.py:name, x.net.json, or a WfFormat trace x.json.")],
    id: Annotated[str, typer.Option(help="The instance's id.")],
    where: Where,
    input: Annotated[str | None, typer.Option(help="JSON: {entry: [values]} or one value; or @FILE.")] = None,
    is_json: Json = False,
    time_scale: Annotated[
        float | None, typer.Option(min=0.0, help="Of a trace: runtimes times this; 0 is none.", show_default=False)
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Handlers that run at once.")] = 64,
    capability: Capabilities = None,
    timeout: Annotated[float | None, typer.Option(min=0.0, help="Stop after so many seconds.")] = None,
) -> int:
    """Run an instance to its end; the same command again goes on where it was."""
    from placet.cli.run import RunRequest
    from placet.cli.run import run as run_instance

    request = RunRequest(
        file=file,
        where=where,
        id=id,
        input=input,
        is_json=is_json,
        time_scale=time_scale,
        threads=threads,
        capabilities=tuple(capability or ()),
        timeout_s=timeout,
        command=shlex.join(["placet", *context.obj]),
    )
    return run_instance(request)


Number = Annotated[int, typer.Argument(help="The number of the incident, as placet show has it.")]
Target = Annotated[str, typer.Option(help="Only a place, a transition, a composite, or #tag.", show_default=False)]


@app.command("list")
@anywhere
def list_instances(
    where: Where,
    wanted: Annotated[str | None, typer.Option("--in", help="Only those in this state, such as incident.")] = None,
    tree: Annotated[bool, typer.Option("--tree", help="Each below the one that called it.")] = False,
    is_json: Json = False,
) -> int:
    """List the instances of a state."""
    from placet.cli import look

    return look.list_instances(where, wanted, is_json=is_json, is_tree=tree)


@app.command()
def status(
    state: State = STATE,
    is_json: Json = False,
    check: Annotated[bool, typer.Option("--check", help="Look for damage: read all of it, about 30 s a GB.")] = False,
) -> int:
    """Show the engine of a state, its health, and the room there is."""
    from placet.cli import status as module

    return module.status(state, is_json=is_json, check=check)


@app.command()
@anywhere
def show(
    id: Id,
    where: Where,
    is_json: Json = False,
    traceback: Annotated[bool, typer.Option("--traceback", help="With the tracebacks of incidents.")] = False,
    tokens: Annotated[bool, typer.Option("--tokens", help="With the numbers of its tokens.")] = False,
) -> int:
    """Show one instance: marking, tasks, firings, incidents, and which commands would help."""
    from placet.cli import look

    return look.show(where, id, is_json=is_json, with_traceback=traceback, with_tokens=tokens)


@app.command()
@anywhere
def history(id: Id, where: Where, is_json: Json = False) -> int:
    """Show what happened to an instance, oldest first."""
    from placet.cli import look

    return look.history(where, id, is_json=is_json)


@app.command()
@anywhere
def draw(
    target: Annotated[str, typer.Argument(metavar="ID|FILE", help="An instance, x.py, x.net.json or x.json.")],
    where: Where,
    notation: Annotated[
        str | None, typer.Option("--format", help="mermaid, dot or text; text is the default.", show_default=False)
    ] = None,
    svg: Annotated[str | None, typer.Option(metavar="FILE", help="Write SVG to FILE; - is standard output.")] = None,
    terminal: Annotated[bool, typer.Option("--terminal", help="One line a place or transition.")] = False,
    is_json: Json = False,
) -> int:
    """Draw a net; an instance's with its tokens and what runs."""
    from placet.cli.draw import DrawRequest
    from placet.cli.draw import draw as draw_net

    request = DrawRequest(target=target, where=where, notation=notation, svg=svg, terminal=terminal)
    return draw_net(request, is_json=is_json)


@app.command()
def net(
    file: Annotated[
        str | None, typer.Argument(help="x.py, x.py:name, x.net.json or x.json.", show_default=False)
    ] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Write the JSON Schema of such files instead.")] = False,
    is_json: Json = False,
) -> int:
    """Write a file's workflow as a net in JSON, with its functions by import path."""
    from placet.cli import net as module

    return module.net(file, schema=schema, is_json=is_json)


@app.command()
@anywhere
def top(
    where: Where,
    once: Annotated[bool, typer.Option("--once", help="Write one table and end.")] = False,
    every: Annotated[float, typer.Option(min=0.05, help="Seconds from one look to the next.")] = 1.0,
    is_json: Json = False,
) -> int:
    """Watch a running engine: rates, queues, what runs, what is slow; until Ctrl-C."""
    from placet.cli import top as module

    return module.top(where, every, once=once, is_json=is_json)


Address = Annotated[str, typer.Argument(help="An instance, or a place or composite in it: order-17/fulfil.")]


@app.command()
@anywhere
def inspect(address: Address, where: Where, is_json: Json = False) -> int:
    """Show what an actor has on disk, entry by entry."""
    from placet.cli import actors

    return actors.inspect(where, address, is_json=is_json)


@app.command()
@anywhere
def restart(address: Address, where: Where, is_json: Json = False) -> int:
    """Drop an actor from memory and bring it back from disk; its tokens stay as they are."""
    from placet.cli import actors

    return actors.restart(where, address, is_json=is_json)


@app.command()
@anywhere
def sleep(address: Address, where: Where, is_json: Json = False) -> int:
    """Put an actor to sleep: on disk, not in memory, until something needs it."""
    from placet.cli import actors

    return actors.sleep(where, address, is_json=is_json)


@app.command()
@anywhere
@signed
def pause(id: Id, where: Where, who: Who, target: Target = "", is_json: Json = False) -> int:
    """Choose nothing new in an instance, or in a part of it; results of what runs are counted."""
    from placet.actors.control.request import PauseRequest
    from placet.cli.intervene import intervene

    request = PauseRequest(instance=id, target=target, by=who.by, why=who.why, request_id=who.request_id)
    return intervene(where, request, is_json=is_json)


@app.command()
@anywhere
@signed
def resume(id: Id, where: Where, who: Who, target: Target = "", is_json: Json = False) -> int:
    """Undo a pause of the same target."""
    from placet.actors.control.request import ResumeRequest
    from placet.cli.intervene import intervene

    request = ResumeRequest(instance=id, target=target, by=who.by, why=who.why, request_id=who.request_id)
    return intervene(where, request, is_json=is_json)


@app.command()
@anywhere
@signed
def cancel(id: Id, where: Where, who: Who, is_json: Json = False) -> int:
    """End an instance, and all that it has called, once what runs has answered."""
    from placet.actors.control.request import CancelRequest
    from placet.cli.intervene import intervene

    request = CancelRequest(instance=id, by=who.by, why=who.why, request_id=who.request_id)
    return intervene(where, request, is_json=is_json)


@app.command()
@anywhere
@signed
def retry(id: Id, incident: Number, where: Where, who: Who, is_json: Json = False) -> int:
    """Try a failed firing again."""
    from placet.actors.control.request import RetryRequest
    from placet.cli.intervene import intervene

    request = RetryRequest(instance=id, incident=incident, by=who.by, why=who.why, request_id=who.request_id)
    return intervene(where, request, is_json=is_json)


@app.command()
@anywhere
@signed
def skip(
    id: Id,
    incident: Number,
    output: Annotated[str, typer.Option(help="JSON: the value of its output, or {place: [values]}; or @FILE.")],
    where: Where,
    who: Who,
    is_json: Json = False,
) -> int:
    """Count a failed firing as done with the output given."""
    from placet.actors.control.request import SkipRequest
    from placet.cli.intervene import intervene
    from placet.cli.json_input import given_json

    value = given_json("--output", output)
    request = SkipRequest(
        instance=id, incident=incident, output=value, by=who.by, why=who.why, request_id=who.request_id
    )
    return intervene(where, request, is_json=is_json)


@app.command()
@anywhere
@signed
def fail(id: Id, incident: Number, where: Where, who: Who, is_json: Json = False) -> int:
    """Give up on an incident: its instance ends as failed."""
    from placet.actors.control.request import FailRequest
    from placet.cli.intervene import intervene

    request = FailRequest(instance=id, incident=incident, by=who.by, why=who.why, request_id=who.request_id)
    return intervene(where, request, is_json=is_json)


@app.command()
@anywhere
def export(
    id: Id,
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    where: Where,
    place: Annotated[str, typer.Option(help="Only this place or composite.", show_default=False)] = "",
    history: Annotated[bool, typer.Option(help="With its history.")] = True,
    is_json: Json = False,
) -> int:
    """Write an instance to a file, as it is now."""
    from placet.cli import export as module

    return module.export_instance(where, id, file, place, history=history, is_json=is_json)


@app.command("import")
@anywhere
def import_instance(
    file: Annotated[Path, typer.Argument(help="A file that placet export wrote; or a state, for all its instances.")],
    where: Where,
    id: Annotated[str, typer.Option(help="Another id than it had.", show_default=False)] = "",
    into: Annotated[
        str,
        typer.Option(
            metavar="ID", help="Of a place or composite: the instance that gets its tokens.", show_default=False
        ),
    ] = "",
    resume: Annotated[
        bool, typer.Option("--resume", help="Of a state that will not run again: let its instances go on.")
    ] = False,
    by: By = "",
    why: Why = "",
    request_id: RequestId = "",
    is_json: Json = False,
) -> int:
    """Make a paused instance out of a file, or put the tokens of a place or composite into one there is."""
    from placet.cli import export as module
    from placet.cli.import_state import import_state
    from placet.cli.who import who

    if file.is_dir():
        if into or id or request_id:
            raise typer.BadParameter("a state is imported as it is, with all its ids")
        return import_state(where, file, who(by, why), resume=resume, is_json=is_json)
    if resume:
        raise typer.BadParameter("--resume goes with a whole state; placet resume lets one instance go on")
    if into and id:
        raise typer.BadParameter("an instance is made with --id; a place goes into one there is, with --into")
    if into:
        return module.import_place(where, file, into, who(by, why, request_id), is_json=is_json)
    if request_id:
        raise typer.BadParameter("--request-id goes with --into; an instance is made once, by its id")
    return module.import_instance(where, file, id, who(by).by, why, is_json=is_json)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The file to write.")], state: State = STATE, is_json: Json = False
) -> int:
    """Copy a whole state to a file while it runs, and check the copy."""
    from placet.cli import backup as module

    return module.backup(state, file, is_json=is_json)


@app.command()
def restore(
    file: Annotated[Path | None, typer.Argument(help="A file that placet backup wrote.")] = None,
    state: State = STATE,
    replace: Annotated[bool, typer.Option("--force-replace", help="Move the state that is there aside.")] = False,
    gives_up: Annotated[
        bool, typer.Option("--give-up", help="In a cluster: let shards begin empty that are lost, with all in them.")
    ] = False,
    is_json: Json = False,
) -> int:
    """Put a backup in place of a state."""
    from placet.cli import backup as module

    if file is None:
        if not gives_up:
            raise typer.BadParameter("a FILE is missing; where there is no backup, --give-up begins with nothing")
        return module.give_up(state, is_json=is_json)
    return module.restore(file, state, replace=replace, gives_up=gives_up, is_json=is_json)


@app.command()
def serve(
    state: State = STATE,
    threads: Annotated[int, typer.Option(min=1, help="Handlers that run at once.")] = 64,
    capability: Capabilities = None,
    is_json: Json = False,
) -> int:
    """Run an engine over a state until Ctrl-C, with the workflows recorded there."""
    from placet.cli import serve as module

    return module.serve(state, threads, capability, is_json=is_json)


@app.command()
def node(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE]...", help="x.py or x.py:name, with workflows to spawn.")
    ] = None,
    name: Annotated[str, typer.Option(help="Its name in the cluster.", show_default="that of the host")] = "",
    listen: Annotated[str, typer.Option(help="HOST:PORT; port 0 is any that is free.")] = "127.0.0.1:1900",
    join: Annotated[
        str, typer.Option(metavar="HOST:PORT,…", help="Nodes of the cluster to join.", show_default="begin one")
    ] = "",
    engines: Annotated[
        int, typer.Option(min=0, max=64, help="Engines, each a process.", show_default="one a processor")
    ] = 0,
    capability: Capabilities = None,
    state: State = STATE,
    key_file: Annotated[
        Path | None,
        typer.Option(
            help="The cluster key; made if missing, with those for clients beside it.", show_default="DIR/.node.key"
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Handlers that run at once.")] = 64,
    grace: Annotated[float, typer.Option(min=0.0, help="Seconds that a stop waits for handlers.")] = 5.0,
    is_json: Json = False,
) -> int:
    """Run a node, which clients reach over the network, until Ctrl-C; `placet node stop` ends the one over a state."""
    from placet.cli import node as module

    if files == ["stop"]:
        return module.stop(state, grace, is_json=is_json)
    request = module.NodeRequest(
        listen=listen,
        state=state,
        key_file=key_file,
        files=tuple(files or ()),
        name=name,
        join=join,
        engines=engines,
        capabilities=tuple(capability or ()),
        threads=threads,
        grace_s=grace,
        is_json=is_json,
    )
    return module.node(request)


app.add_typer(nodes_app, name="nodes")
app.add_typer(shards_app, name="shard")
app.add_typer(tasks_app)
app.add_typer(put_app)
app.add_typer(token_app, name="token")
trace = typer.Typer(help="Recorded workflows (WfFormat).", rich_markup_mode=None)
app.add_typer(trace, name="trace")


@trace.command()
def generate(
    shape: Annotated[str, typer.Argument(help="montage, epigenomics or forkjoin.")],
    tasks: Annotated[int, typer.Option(help="How many tasks; the nearest number that the shape has.")],
    output: Annotated[Path, typer.Option(help="The file to write.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same file.")] = 0,
    is_json: Json = False,
) -> int:
    """Write a trace of a published shape."""
    from placet.cli.output import say, say_json
    from placet.traces.generator import generate_file

    written = generate_file(shape, tasks, output, seed)
    if is_json:
        say_json({"shape": written.shape, "file": written.file, "wanted": written.wanted, "tasks": written.tasks})
    else:
        say(str(written))
    return 0


@app.command()
def version(is_json: Json = False) -> int:
    """Say which version of Placet this is."""
    from placet import __version__
    from placet.actors.compiled import KERNEL
    from placet.cli.output import say, say_json

    if is_json:
        say_json({"name": "placet", "version": __version__, "kernel": KERNEL})
    else:
        say(f"placet {__version__} (kernel: {KERNEL})")
    return 0
