"""A spawn asked for by the name of a workflow, as handlers do, made into one of what is registered today."""

from placet.actors.catalog import registered
from placet.actors.messages import Spawn, SpawnNamed
from placet.petri.behaviour import Definition


def named_spawn(message: SpawnNamed, definition: Definition) -> Spawn | str:
    """Return the spawn, or what is wrong with it."""
    _, plan, digest = registered(definition)
    tokens: list[tuple[int, bytes]] = []
    for path, value in message.tokens:
        index = plan.place_index.get(path)
        if index is None or not plan.places[index].is_entry:
            return f"{definition.name} has no entry place {path!r}"
        tokens.append((index, value))
    return Spawn(
        instance=message.instance,
        workflow=definition.name,
        version=definition.version,
        net=digest,
        tokens=tuple(tokens),
        inputs=message.inputs,
        incarnation=message.incarnation,
    )
