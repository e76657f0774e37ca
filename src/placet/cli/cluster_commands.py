"""The commands of those who run a cluster: its nodes and its shards."""

from typing import Annotated

import typer

from placet.cli.options import Json
from placet.cli.where import Where, anywhere

nodes_app = typer.Typer(help="The nodes of a cluster.", rich_markup_mode=None)
shards_app = typer.Typer(help="The shards of a cluster, 0 to 255.", rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NODE", help="The name of a node.")]
Timeout = Annotated[float, typer.Option(min=0.0, help="Seconds to wait until it is done.")]


@nodes_app.command("list")
@anywhere
def list_nodes(where: Where, is_json: Json = False) -> int:
    """List the nodes of a cluster, and how each is."""
    from placet.cli import cluster

    return cluster.list_nodes(where, is_json=is_json)


@nodes_app.command()
@anywhere
def drain(
    node: Name,
    where: Where,
    undo: Annotated[bool, typer.Option("--undo", help="Let it take its share again.")] = False,
    timeout: Timeout = 300.0,
    is_json: Json = False,
) -> int:
    """Have a node give all its shards to others, and wait until it has none."""
    from placet.cli import cluster

    return cluster.drain(where, node, is_draining=not undo, timeout_s=timeout, is_json=is_json)


@nodes_app.command()
@anywhere
def stop(node: Name, where: Where, is_json: Json = False) -> int:
    """Have a node stop cleanly; its shards wait on its disk."""
    from placet.cli import cluster

    return cluster.stop(where, node, is_json=is_json)


@shards_app.command("list")
@anywhere
def list_shards(where: Where, is_json: Json = False) -> int:
    """List who owns which shards."""
    from placet.cli import cluster

    return cluster.list_shards(where, is_json=is_json)


@shards_app.command()
@anywhere
def move(
    shard: Annotated[int, typer.Argument(min=0, max=255, help="The number of the shard.")],
    engine: Annotated[str, typer.Argument(help="Who is to own it, such as b/0.")],
    where: Where,
    timeout: Timeout = 60.0,
    is_json: Json = False,
) -> int:
    """Have a shard move to another engine, and wait until it is there."""
    from placet.cli import cluster

    return cluster.move(where, shard, engine, timeout_s=timeout, is_json=is_json)
