"""`placet draw`: a file's net, or an instance's with what is going on in it, as text, Mermaid, Graphviz or SVG."""

import secrets
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from placet.actors.clock import wall_s
from placet.actors.reader import StateReader
from placet.cli.draw_scene import scene_of
from placet.cli.draw_terminal import plain, print_on_terminal
from placet.cli.errors import COMPLETED, BadFile, WrongUsage
from placet.cli.look import engine_now, stuck_here, stuck_there
from placet.cli.opened import instance_of, opened
from placet.cli.output import is_terminal, say, say_json, say_lines
from placet.cli.source import load, split_target
from placet.cli.where import Where
from placet.petri.drawing import to_dot, to_mermaid, to_text
from placet.petri.net import Net
from placet.petri.scene import Scene

STDOUT = "-"
TERMINAL = "terminal"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawRequest:
    """What is to be drawn, and how; at most one of the last three is given."""

    target: str  # an instance's id, or a file
    where: Where
    notation: str | None = None  # `mermaid`, `dot` or `text`; None: what suits standard output
    svg: str | None = None  # the file to write, or `-`
    terminal: bool = False


def _to_text(net: Net, scene: Scene) -> str:
    return to_text(net, scene.tokens)


def _to_mermaid(net: Net, scene: Scene) -> str:
    return to_mermaid(net, scene.tokens)


def _to_dot(net: Net, scene: Scene) -> str:
    return to_dot(net, scene.tokens)


def _to_svg(net: Net, scene: Scene) -> str:
    from placet.petri.svg import to_svg  # only this one needs a layout

    return to_svg(net, scene)


FORMATS: Mapping[str, Callable[[Net, Scene], str]] = {"mermaid": _to_mermaid, "dot": _to_dot, "text": _to_text}


def draw(request: DrawRequest, *, is_json: bool) -> int:
    """Write the picture of a file's net, or of an instance's with its tokens and firings."""
    _check(request)
    net, scene = _drawn(request)
    if request.svg is not None:
        return _write_svg(request.svg, _to_svg(net, scene or Scene()), scene, is_json=is_json)
    notation = _notation(request, is_instance=scene is not None, is_json=is_json)
    if notation == TERMINAL and not is_json and is_terminal(sys.stdout):
        print_on_terminal(net, scene or Scene())
        return COMPLETED
    picture = plain(net, scene or Scene()) if notation == TERMINAL else FORMATS[notation](net, scene or Scene())
    if is_json:
        _say_picture(notation, picture, scene)
    else:
        say_lines(picture)
    return COMPLETED


def _check(request: DrawRequest) -> None:
    ways = {"--format": request.notation is not None, "--svg": request.svg is not None, "--terminal": request.terminal}
    given = [name for name, is_given in ways.items() if is_given]
    if len(given) > 1:
        raise WrongUsage(f"{' and '.join(given)} exclude each other", "ask for one picture at a time")
    if request.notation is not None and request.notation not in FORMATS:
        raise WrongUsage(
            f"there is no format {request.notation!r}", f"the formats are {', '.join(FORMATS)}; and there is --svg FILE"
        )


def _notation(request: DrawRequest, *, is_instance: bool, is_json: bool) -> str:
    if request.terminal or (request.notation is None and is_instance and not is_json and is_terminal(sys.stdout)):
        return TERMINAL
    return request.notation or "text"


def _drawn(request: DrawRequest) -> tuple[Net, Scene | None]:
    """Return a net, and for an instance what goes on in it."""
    path, _ = split_target(request.target)
    if path.suffix in (".py", ".json") and path.is_file():
        return load(request.target, 0.0).workflow.definition().net, None
    if request.where.node:
        return _drawn_there(request)
    with opened(request.where.state) as store:
        reader = StateReader(store)
        view = instance_of(reader, request.target)
        net, stuck = reader.stored_net(view.header).net, stuck_here(view, reader)
        return net, scene_of(view, net, stuck, engine_now(store))


def _drawn_there(request: DrawRequest) -> tuple[Net, Scene]:
    from placet.net.client import node_of
    from placet.net.remote_part import net_of
    from placet.net.twins import blocked

    with request.where.connected() as client:
        instance = client.instance(request.target)
        net = blocked(net_of(node_of(client), instance.id, None))
        view = instance.view()
        return net, scene_of(view, net, stuck_there(view, instance), wall_s())  # engine time is about that


def _write_svg(file: str, picture: str, scene: Scene | None, *, is_json: bool) -> int:
    if file == STDOUT:
        if is_json:
            _say_picture("svg", picture, scene)
        else:
            say_lines(picture)
        return COMPLETED
    try:
        _replace(Path(file), picture)
    except OSError as error:
        raise BadFile(file, f"it cannot be written ({error.strerror or error})", "give another file") from error
    if is_json:
        say_json({"format": "svg", "file": file, "bytes": len(picture.encode()), "tokens": _tokens(scene)})
    else:
        say(f"{file} written")
    return COMPLETED


def _replace(path: Path, picture: str) -> None:
    """Write a file whole or not at all: on a full disk what was there stays. Raises `OSError`."""
    if path.exists() and not path.is_file():  # a device, a pipe
        path.write_text(picture, encoding="utf-8")
        return
    target = path.resolve()  # a link stays one
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        draft.write_text(picture, encoding="utf-8")
        if target.exists():
            shutil.copymode(target, draft)
        draft.replace(target)
    except BaseException:  # Ctrl-C too
        draft.unlink(missing_ok=True)
        raise


def _say_picture(notation: str, picture: str, scene: Scene | None) -> None:
    say_json({"format": notation, "picture": picture, "tokens": _tokens(scene)})


def _tokens(scene: Scene | None) -> Mapping[str, int] | None:
    return None if scene is None else scene.tokens
