"""What runs while things go wrong: orders whose parts are made elsewhere, with timers, retries and people."""

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, PriorityQueue
from time import monotonic

from placet.actors.errors import WaitTimeout
from placet.actors.lifecycle import InstanceState
from placet.actors.usercode import firing_id
from placet.net.client import Client, node_of
from placet.net.errors import NodeUnreachable
from placet.net.remote import RemoteInstance
from placet.persistence.history import RecordKind
from placet.petri.errors import PlacetError
from tests.hosts.checker import Found
from tests.hosts.clusters import ANSWER_S, Cluster

FLOWS = '''
"""An order has parts, each made by a child instance wherever that lives, and a person decides on each of them."""
import os
import threading

from placet import Retry, Workflow


def note(context):
    """Write down that an attempt runs, in one write: what is killed has written all or nothing."""
    log = os.open("attempts", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(log, f"{context.firing_id} {context.attempt}\\n".encode())
    os.close(log)


part = Workflow("part")
cut, drilled, painted = part.places("cut drilled painted")

@part.transition(cut >> drilled, retry=Retry(attempts=4, first_s=0.2))
def drill(value, context):
    note(context)
    if value % 3 == 0 and context.attempt == 1:
        raise ValueError("the drill is blunt")
    threading.Event().wait(0.02)
    return value + 1

@part.transition(drilled >> painted, delay_s=0.5)
def paint(value, context):
    note(context)
    return value * 2

order = Workflow("order")
placed, made, rested, kept, shipped, thrown = order.places("placed made rested kept shipped thrown")
order.call(placed >> made, "make", part)
order.transition(made >> rested, "rest", delay_s=0.5, handler=lambda value: value, run="inline")
order.approval("decide", rested, approve=kept, reject=thrown)

@order.transition(kept >> shipped)
def ship(value, context):
    note(context)
    return value
'''
WORKFLOWS = ("part", "order")
WIDTH = 2  # parts of an order
LOGGED = ("drill", "paint", "ship")
LOOK_S = 1.0  # between two looks at one order
THREADS = 6


def made(value: int) -> int:
    """Return what a part becomes."""
    return (value + 1) * 2


def is_kept(value: int) -> bool:
    """Return what the person says to a part."""
    return value % 4 != 0


def results(number: int) -> dict[str, Counter[int]]:
    """Return what is in the exits of an order in the end."""
    parts = [made(value) for value in range(number, number + WIDTH)]
    return {"shipped": Counter(filter(is_kept, parts)), "thrown": Counter(one for one in parts if not is_kept(one))}


class Customers:
    """Place orders, decide on their parts, and look at the results, whatever happens to the cluster meanwhile."""

    def __init__(self, client: Client, count: int, seconds: float) -> None:
        """Place `count` orders within `seconds`."""
        self._client = client
        self._due: PriorityQueue[tuple[float, int]] = PriorityQueue()
        begins_s = monotonic()
        for number in range(count):
            self._due.put((begins_s + seconds * number / count, number))
        self.open = set(range(count))  # orders that have not completed
        self.begun: set[int] = set()  # those that were placed, or may have been
        self.placed: set[int] = set()  # those that are said to be on disk
        self.decided: dict[str, int] = {}  # decisions that are said to be on disk, by task, and how often asked
        self.problems: list[str] = []
        self._beginning = threading.Lock()
        self._is_enough = False  # none begins any more
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._serve) for _ in range(THREADS)]
        for thread in self._threads:
            thread.start()

    @property
    def completed(self) -> int:
        """How many orders have completed."""
        return len(self.begun - self.open)

    def begin_no_more(self) -> None:
        """Place none of the orders that are not begun yet."""
        with self._beginning:
            self._is_enough = True
            self.open &= self.begun

    def stop(self) -> None:
        """End all threads."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def wait(self, timeout_s: float) -> bool:
        """Wait until all orders have completed; return whether they have."""
        end_s = monotonic() + timeout_s
        while self.open and monotonic() < end_s and not self._over.wait(0.05):
            pass
        return not self.open

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                due_s, number = self._due.get(timeout=0.1)
            except Empty:
                continue
            self._over.wait(max(0.0, due_s - monotonic()))
            if not self._over.is_set() and self._begins(number) and not self._look_after(number):
                self._due.put((monotonic() + LOOK_S, number))

    def _begins(self, number: int) -> bool:
        """Return whether an order is begun, now or before."""
        with self._beginning:
            if not self._is_enough:
                self.begun.add(number)
            return number in self.begun

    def _look_after(self, number: int) -> bool:
        """Do what can be done for an order; return whether it has completed."""
        try:
            return self._advance(number)
        except (WaitTimeout, NodeUnreachable):
            return False  # it may be done or not: it is done again
        except PlacetError as error:  # nothing else is to be said to somebody who asks again
            self.problems.append(f"order o-{number}: {type(error).__name__}: {error}")
            return False

    def _advance(self, number: int) -> bool:
        if number not in self.placed:
            tokens = {"placed": list(range(number, number + WIDTH))}
            self._client.spawn("order", tokens, id=f"o-{number}", timeout_s=ANSWER_S)
            self.placed.add(number)
            return False
        instance = RemoteInstance(node_of(self._client), f"o-{number}")
        for task in list(instance.tasks(timeout_s=ANSWER_S)):
            decide = instance.approve if is_kept(int(str(task.value))) else instance.reject
            decide(task.id, by="eva", why=task.id, request_id=task.id, timeout_s=ANSWER_S)
            self.decided[task.id] = self.decided.get(task.id, 0) + 1
        view = instance.view(timeout_s=ANSWER_S)
        if view.header.state is not InstanceState.COMPLETED:
            return False
        found = instance.marking(timeout_s=ANSWER_S)
        got = {place: Counter(values) for place, values in found.items()}
        expected = {place: values for place, values in results(number).items() if values}
        if got != expected:
            self.problems.append(f"order o-{number} has {got}, not {expected}")
        self.open.discard(number)
        return True


def close_books(cluster: Cluster, customers: Customers) -> Iterator[str]:
    """Stop a cluster; yield what is wrong with what it has kept of the orders, and with what its nodes have written."""
    unfinished = tuple(f"o-{number}" for number in customers.open & customers.begun)
    found = cluster.check(unfinished=unfinished)
    count = len(customers.begun) * (1 + WIDTH)
    if not unfinished and len(found) != count:
        yield f"there are {len(found)} instances, not {count}"
    yield from check_attempts(found, *(node.folder for node in cluster.nodes))
    yield from check_decisions(found, customers.decided)
    for node in cluster.nodes:
        if (at := node.log.find("Traceback")) >= 0:
            yield f"{node.name} has written:\n{node.log[at : at + 3_000]}"


def check_attempts(found: dict[str, Found], *folders: Path) -> Iterator[str]:
    """Yield what is wrong with the attempts that have run: each once, and all that counted among them."""
    ran = Counter[str]()
    for folder in folders:
        if (folder / "attempts").exists():
            ran.update((folder / "attempts").read_text(encoding="utf-8").splitlines())
    yield from (f"attempt {attempt} ran {times} times" for attempt, times in ran.items() if times > 1)
    for one in found.values():
        for record in one.records(RecordKind.FIRED):
            if record.transition in LOGGED:
                firing = firing_id(one.id, one.image.header.incarnation, record.firing)
                if not ran[f"{firing} {record.attempt}"]:
                    yield f"{firing} counted a result of attempt {record.attempt}, which never ran"


def check_decisions(found: dict[str, Found], decided: dict[str, int]) -> Iterator[str]:
    """Yield the decisions that were said to be on disk, and have not counted once."""
    counted = Counter(
        str(record.detail["why"])
        for one in found.values()
        for record in one.records(RecordKind.FIRED)
        if isinstance(record.detail, dict) and "why" in record.detail
    )
    yield from (f"decision {task} counted {counted[task]} times" for task in decided if counted[task] != 1)
