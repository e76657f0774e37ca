"""Whether what the clients of a simulation are told is true, as the store shows it."""

from placet.actors.answers import Answer, Entries, Receipt, RefusalCode, Refused, Spawned
from placet.actors.messages import ClientMessage, FirstMessage, Inspect, InterventionMessage, Spawn
from placet.persistence.keys import TOKEN, address_key
from placet.testing.checks import Checks
from placet.testing.errors import require
from placet.testing.image import Image


def image_of(checks: Checks, instance: str) -> Image | None:
    """Return what the store holds of an instance."""
    root = checks.view.get(address_key(instance))
    return checks.images.get(root) if root else None


def is_moved(answer: Answer) -> bool:
    """Return whether an answer says that the instance is to be asked for elsewhere."""
    return isinstance(answer, Refused) and answer.code == RefusalCode.MOVED


def check_answer(checks: Checks, message: ClientMessage, answer: Answer, *, alone: bool) -> None:
    """Raise unless an answer to a message is true; `alone`: its batch did nothing else."""
    require(answer.instance == message.instance, "an answer is for its request", f"{message} {answer}")
    match answer:
        case Spawned():
            _check_spawned(checks, message, answer)
        case Receipt():
            _check_receipt(checks, message, answer)
        case Entries():
            _check_entries(checks, message, answer, alone)
        case Refused():
            _check_refused(checks, message, answer)


def _check_spawned(checks: Checks, message: ClientMessage, answer: Spawned) -> None:
    image = image_of(checks, message.instance)
    require(isinstance(message, FirstMessage) and image is not None, "spawned is true", message)
    if isinstance(message, FirstMessage) and image is not None:
        require(image.root == answer.root, "spawned is true", answer)
        mine = image.header.incarnation == message.incarnation
        if isinstance(message, Spawn):
            require(image.header.inputs == message.inputs, "the same id is the same inputs", message)
            require(mine or answer.already, "spawned once", message)
        else:
            require(mine, "a copy is imported once", message)


def _check_receipt(checks: Checks, message: ClientMessage, answer: Receipt) -> None:
    if not isinstance(message, InterventionMessage):
        return
    image = image_of(checks, message.instance)
    require(image is not None, "a receipt is true", message)
    if image is None:
        return
    count = checks.ledgers[image.root].accepted[message.why]
    require(count or answer.already, "a receipt is true", f"{message} is not in the history")
    require(count <= 1 or not message.request_id, "a request id counts once", message)


def _check_refused(checks: Checks, message: ClientMessage, answer: Refused) -> None:
    image = image_of(checks, message.instance)
    if answer.code == RefusalCode.CONFLICT:
        require(image is not None, "a conflict is true", message)
    if answer.code == RefusalCode.ENDED:
        require(image is not None and image.is_over, "ended is true", message)
    if isinstance(message, InterventionMessage) and message.request_id and image is not None and answer.code != "fault":
        count = checks.ledgers[image.root].accepted[message.why]
        require(not count, "the recorded answer is repeated", f"{message}: {answer}")


def _check_entries(checks: Checks, message: ClientMessage, answer: Entries, alone: bool) -> None:
    image = image_of(checks, message.instance)
    if image is None or not isinstance(message, Inspect) or not alone:
        return
    place = checks.plan(image).place_index.get(message.path)
    if place is not None:
        expected = image.places.get(place, {})
        found = {number: value for kind, number, value in answer.entries if kind == TOKEN}
        require(found == expected, "an actor shows its entries", message)
    elif checks.plan(image).composite_index.get(message.path) == 0:
        counted = sum(1 for kind, _, _ in answer.entries if kind == 1)
        composite = [one for one in image.firings.values() if _is_roots(checks, image, one.transition)]
        require(counted == len(composite), "an actor shows its entries", message)


def _is_roots(checks: Checks, image: Image, transition: int) -> bool:
    return checks.plan(image).transitions[transition].composite == 0
