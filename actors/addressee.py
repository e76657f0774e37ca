"""An instance as those who write to it know it: its net, and the types its places were declared with."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from placet.actors.errors import no_instance
from placet.actors.messages import MoveToken
from placet.actors.reader import StateReader
from placet.actors.records import Header
from placet.persistence.errors import ValueNotLoadable
from placet.persistence.values import decode, encode
from placet.petri.behaviour import Definition
from placet.petri.expression import PlaceRef, place_name
from placet.petri.place_types import check_type, types_of
from placet.petri.plan import Plan, TransitionPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """One instance. Without its workflow's definition in this process no types are known, and any value will do."""

    header: Header
    plan: Plan
    types: Mapping[int, object]  # by place

    @classmethod
    def of(cls, instance: str, reader: StateReader, definitions: Mapping[str, Definition]) -> "Addressee":
        """Return an instance as it is stored. Raises `NotFound`."""
        header = reader.header(instance)
        if header is None:
            raise no_instance(instance)
        plan, definition = reader.plan(header), definitions.get(header.workflow)
        return cls(header=header, plan=plan, types=types_of(plan, definition) if definition else {})

    def encoded(self, place: str, value: object) -> bytes:
        """Return a value for a place, encoded; which place there is, is for the kernel to say.

        Raises `WrongType` and `ValueNotEncodable`.
        """
        index = self.plan.place_index.get(place)
        if index is not None:
            check_type(self.plan, self.types, index, value)
        return encode(value)

    def encoded_for(self, target: PlaceRef | str | int, value: object, reader: StateReader) -> bytes:
        """Return a value for a place, or for the free token of this number, encoded. Raises as `encoded` does."""
        place = reader.token_place(self.header.instance, target) if isinstance(target, int) else place_name(target)
        return self.encoded(place, value)

    def check_move(self, message: MoveToken, reader: StateReader) -> None:
        """Raise `WrongType` for a token whose value, as committed now, the place it is to go to was not declared for.

        It is loaded only where a type is declared. One that cannot be loaded here passes: nothing is known of it.
        """
        index = self.plan.place_index.get(message.place)
        found = reader.free_token(self.header.instance, message.token) if index in self.types else None
        if index is None or found is None:
            return
        try:
            value = decode(found[1])
        except ValueNotLoadable:
            return
        check_type(self.plan, self.types, index, value)

    def outputs(
        self, transition: TransitionPlan, values: Iterable[tuple[str, object]]
    ) -> tuple[tuple[str, bytes], ...]:
        """Return values for outputs of a transition, each (place as its own net calls it, value), encoded.

        Raises as `encoded` does.
        """
        indices = {name: place for name, (place, _) in zip(transition.output_names, transition.outputs, strict=True)}
        encoded: list[tuple[str, bytes]] = []
        for name, value in values:
            if name in indices:
                check_type(self.plan, self.types, indices[name], value)
            encoded.append((name, encode(value)))
        return tuple(encoded)
