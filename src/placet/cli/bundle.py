"""Options that go together: a command has one parameter for them, and its users see each."""

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeAlias

Command: TypeAlias = Callable[..., int]
Option: TypeAlias = tuple[str, object, object]  # name, annotation, default


def in_place_of(parameter: str, options: Sequence[Option], make: Callable[..., object]) -> Callable[[Command], Command]:
    """Return a decorator that gives a command `options` in place of `parameter`, which `make` makes of their values."""
    names = [name for name, _, _ in options]

    def decorated(command: Command) -> Command:
        """Return the command as typer is to see it."""

        @wraps(command)
        def told(*args: Any, **kwargs: Any) -> int:  # `Any`: whatever options the command has besides
            """Run the command with what its options say."""
            given = {name: kwargs.pop(name) for name in names}
            return command(*args, **{parameter: make(**given)}, **kwargs)

        signature = inspect.signature(command)
        parameters: list[inspect.Parameter] = []
        for one in signature.parameters.values():
            if one.name == parameter:
                parameters += [
                    inspect.Parameter(name, one.kind, default=unset, annotation=of) for name, of, unset in options
                ]
            else:
                parameters.append(one)
        annotations = {name: kind for name, kind in command.__annotations__.items() if name != parameter}
        told.__annotations__ = annotations | {name: kind for name, kind, _ in options}
        setattr(told, "__signature__", signature.replace(parameters=parameters))  # noqa: B010 - no type checker knows it
        return told

    return decorated
