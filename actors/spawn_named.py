"""A spawn asked for by the name of a workflow, as handlers and calls do, made into one of what is registered today."""

from placet.actors.catalog import registered
from placet.actors.messages import Call, Spawn, SpawnNamed
from placet.petri.behaviour import Definition


def named_spawn(message: SpawnNamed, definition: Definition) -> Spawn | str:
    """Return the spawn, or what is wrong with it."""
    _, plan, _ = registered(definition)
    tokens: list[tuple[int, bytes]] = []
    for path, value in message.tokens:
        index = plan.place_index.get(path)
        if index is None or not plan.places[index].is_entry:
            return f"{definition.name} has no entry place {path!r}"
        tokens.append((index, value))
    return spawn_of(definition, message, tuple(tokens), message.inputs)


def spawn_of(
    definition: Definition, message: SpawnNamed | Call, tokens: tuple[tuple[int, bytes], ...], inputs: bytes
) -> Spawn:
    """Return the spawn of a definition with these tokens, each (place, value)."""
    _, _, digest = registered(definition)
    return Spawn(
        instance=message.instance,
        workflow=definition.name,
        version=definition.version,
        net=digest,
        tokens=tokens,
        inputs=inputs,
        incarnation=message.incarnation,
        caller=message.caller if isinstance(message, Call) else None,
    )
