"""Bugs to plant in a copy of the code, to see that the simulation finds them. None of this is ever imported by it.

Each is a slip that somebody might make: a few characters, in one place. `about` says how many seeds it took to
catch it when it was planted, on 1,000 steps a seed.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One replacement: `old` occurs once in `file`."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """One bug."""

    name: str
    what: str
    edits: tuple[Edit, ...]
    about: int  # seeds until it is caught, roughly
    is_silent: bool = False  # all unit tests pass with it


def plant(name: str, what: str, *edits: tuple[str, str, str], about: int, is_silent: bool = False) -> Plant:
    made = tuple(Edit(file=file, old=old, new=new) for file, old, new in edits)
    return Plant(name=name, what=what, edits=made, about=about, is_silent=is_silent)


PLANTS: tuple[Plant, ...] = (
    plant(
        "commit gate",
        "a batch that ends out of budget lets its effects go, and is written with the next one",
        (
            "actors/kernel.py",
            "        self.memory.put_to_sleep(self._now)\n",
            "        self.memory.put_to_sleep(self._now)\n"
            "        if spent >= budget and self.mail.ready and not self._held:\n"
            "            self._held = self._pending\n"
            "            return batch\n",
        ),
        (
            "actors/kernel.py",
            "        self._batch = Batch()\n        self._pending = Pending()\n\n",
            "        self._batch = Batch()\n        self._pending, self._held = self._held or Pending(), None\n\n",
        ),
        (
            "actors/kernel.py",
            "        self._faults = Faults()\n",
            "        self._faults = Faults()\n        self._held: Pending | None = None\n",
        ),
        about=1,
    ),
    plant(
        "dedup of results",
        "a failure counts for a later attempt than its own",
        (
            "actors/receive.py",
            "    found = _running(workflow, turn, message)\n    if found is None:\n        return\n"
            "    composite, firing = found\n    if message",
            "    composite, firing = workflow.firing(message.transition, message.number)\n"
            "    if firing is None or firing.phase is not Phase.RUNNING:\n        return\n    if message",
        ),
        about=60,
        is_silent=True,
    ),
    plant(
        "rollback incomplete",
        "an instance stays in memory as it is when the turn of a timer raised",
        (
            "actors/kernel.py",
            "        self.memory.forget(root)\n        self._awakenings",
            "        if not isinstance(message, Due):\n            self.memory.forget(root)\n        self._awakenings",
        ),
        about=31,
        is_silent=True,
    ),
    plant(
        "timer lost at recovery",
        "back-off timers of instances that are woken anyway are not set",
        (
            "actors/recovery.py",
            "    if firing.phase is Phase.BACKOFF or (",
            "    if (firing.phase is Phase.BACKOFF and key[:10] not in found.awake) or (",
        ),
        about=11,
        is_silent=True,
    ),
    plant(
        "attempt not counted",
        "a firing that was withdrawn starts again under the same number",
        (
            "actors/receive.py",
            "    composite.make_ready(turn, firing)\n",
            "    firing.attempt -= 1\n    composite.make_ready(turn, firing)\n",
        ),
        about=5,
    ),
    plant(
        "false stuck",
        "a transition whose oldest token is gone is forgotten although others wait",
        (
            "petri/agenda.py",
            "            if oldest != NOT_ENABLED:\n                self.offer(transition)\n",
            "",
        ),
        about=9,
    ),
    plant(
        "age lost",
        "a token put back goes to the end of its place",
        ("actors/place.py", 'age belongs."""\n        _sort_in(self.tokens, token)\n', 'age belongs."""\n'),
        about=17,
        is_silent=True,
    ),
    plant(
        "history link lost",
        "the last record is looked for in the header alone",
        (
            "actors/waking.py",
            "        workflow.link = max(workflow.link, firing.link)\n",
            "",
        ),
        about=1,
    ),
    plant(
        "born and changed confused",
        "what is written again counts as born in the batch, so that deleting it in the same batch leaves it on disk",
        (
            "actors/pending.py",
            "            if key not in born:\n                changed[key] = value\n",
            "            if key not in born and value is None:\n                changed[key] = value\n",
        ),
        about=1,
    ),
    plant(
        "guard ignored on wake",
        "tokens read back from disk pass every guard",
        (
            "actors/place.py",
            "                if asks:\n",
            "                for queue in self.queues:\n                    queue[token] = None\n"
            "                if not self.plan:\n",
        ),
        about=4,
    ),
    plant(
        "wake-up lost",
        "an instance that got some slots, and wants more, is not queued again",
        (
            "actors/kernel.py",
            "            if executor not in IN_KERNEL:\n                self.slots.wait(executor, root)\n",
            "            if executor not in IN_KERNEL and not turn.starts:\n"
            "                self.slots.wait(executor, root)\n",
        ),
        about=7,
        is_silent=True,
    ),
    plant(
        "skip counted twice",
        "a skipped firing stays open",
        (
            "actors/interventions.py",
            "outputs)\n    return receipt\n\n\ndef _fail",
            "outputs, born=True)\n    return receipt\n\n\ndef _fail",
        ),
        about=1,
    ),
    plant(
        "deadline outlives its attempt",
        "a timer that was on its way ends the next attempt, or its back-off",
        ("actors/composite.py", "        if firing.due > turn.now:\n", "        if firing.due < 0.0:\n"),
        about=5,
    ),
    plant(
        "clean stop forgotten",
        "what a clean stop interrupted is lost if the next engine crashes before it has looked everywhere",
        (
            "actors/kernel.py",
            "            stopped_s = self._now if clean else self.stamp.stopped_s\n",
            "            stopped_s = self._now if clean else 0.0\n",
        ),
        about=24,
    ),
    plant(
        "suspects in company",
        "a firing that was lost too often runs beside others after a failure or a clean stop",
        (
            "actors/composite.py",
            "        self.set_phase(turn, firing, Phase.SUSPECT if firing.losses >= ALONE_FROM else Phase.READY)\n",
            "        self.set_phase(turn, firing, Phase.READY)\n",
        ),
        about=17,
    ),
    plant(
        "numbers used again",
        "after a start token ids go on from the header, although firings hold later ones",
        ("actors/waking.py", "        workflow.serial = max(workflow.serial, firing.serial)\n", ""),
        about=3,
    ),
    plant(
        "asleep and forgotten",
        "an instance with nothing in flight is not woken at a start",
        (
            "actors/derivation.py",
            "    return bool(workflow.wants() or counts",
            "    return bool(counts",
        ),
        about=3,
    ),
    plant(
        "place asleep for good",
        "a place put to sleep is empty when it wakes",
        ("actors/workflow.py", "            self._asleep.add(index)\n", "            self._asleep.discard(index)\n"),
        about=3,
    ),
    plant(
        "request repeated",
        "a request id is remembered only until the instance changes its state",
        (
            "actors/interventions.py",
            "    if key and isinstance(answer, Receipt):\n",
            "    if key and isinstance(answer, Receipt) and not answer.already and turn.aside.changes:\n",
        ),
        about=4,
    ),
    plant(
        "one attempt too many",
        "a retry counts failures from nought",
        (
            "actors/composite.py",
            "policy.delay_s(firing.failed, failure.types",
            "policy.delay_s(firing.failed - 1, failure.types",
        ),
        about=11,
    ),
    plant(
        "chunks left behind",
        "the chunks of a consumed large value stay on disk",
        (
            "actors/workflow.py",
            "            turn.delete(key)\n",
            "            turn.born.pop(key, None)\n",
        ),
        about=49,
    ),
    plant(
        "ready and forgotten",
        "a firing that waits for a slot is not looked for again after its instance slept",
        (
            "actors/waking.py",
            "        if firing.phase is Phase.READY:\n            workflow.note_ready(firing, composite)\n",
            "",
        ),
        about=3,
    ),
    plant(
        "slot leaked",
        "the slot of a firing that was withdrawn stays taken",
        (
            "actors/kernel.py",
            "                if isinstance(message, ExecutorAnswer):\n",
            '                if isinstance(message, ExecutorAnswer) and type(message).__name__ != "Withdrawn":\n',
        ),
        about=5,
    ),
    plant(
        "room not given back",
        "the room a firing had reserved in a place with a capacity stays taken",
        ("actors/composite.py", "            workflow.reserve(firing.transition, -1)\n", "            pass\n"),
        about=10,
    ),
    plant(
        "delay starts anew",
        "a token that a firing had taken and that comes back waits as if it had just come",
        (
            "actors/delays.py",
            "        opens = delay.arrived + delay_s\n",
            "        opens = max(delay.arrived, delay.due, now - delay_s / 2) + delay_s\n",
        ),
        about=10,
    ),
    plant(
        "task of a token that is gone",
        "a task stays open when its token is taken by a rival",
        (
            "actors/place.py",
            "                self._workflow.tasks.withdraw(gate.transition, token)\n",
            "                pass\n",
        ),
        about=10,
    ),
    plant(
        "frozen forgotten",
        "a frozen token may be taken once its instance has slept",
        (
            "actors/place.py",
            "            if kind == TOKEN and token in frozen:\n",
            "            if kind != TOKEN and token in frozen:\n",
        ),
        about=10,
    ),
    plant(
        "outbox not written",
        "a message to another instance is on its way, and nowhere on disk",
        (
            "actors/outbox.py",
            "            writes[outbox_key(self.given)] = encode_message(sent)\n            return sent\n",
            "            return sent\n",
        ),
        about=10,
    ),
    plant(
        "received and forgotten",
        "what was taken in from another engine is not noted, so that it is taken in again after a crash",
        ("actors/outbox.py", "            writes[received_key(channel)] = last.encoded()\n", ""),
        about=20,
    ),
    plant(
        "doubles taken in",
        "a message that the network doubles is handled twice",
        (
            "actors/outbox.py",
            "        if parcel.number == last.number + 1:\n",
            "        if parcel.number in (last.number, last.number + 1):\n",
        ),
        about=20,
    ),
    plant(
        "gaps taken in",
        "a message that comes before another of its channel is taken in, and that other one never",
        (
            "actors/outbox.py",
            "        if parcel.number == last.number + 1:\n",
            "        if parcel.number > last.number:\n",
        ),
        about=20,
    ),
    plant(
        "channel numbers used again",
        "after a start a channel gives numbers once more that it gave before",
        ("actors/outbox.py", '        writes[channel_key(channel, 0)] = number.to_bytes(8, "big")\n', ""),
        about=20,
    ),
    plant(
        "channels forgotten at a start",
        "what another engine has not acknowledged is not sent again after a crash",
        (
            "actors/outbox.py",
            "            if number:\n                self._open",
            "            if number < 0:\n                self._open",
        ),
        about=20,
    ),
    plant(
        "cancelled over its children",
        "an instance that is cancelled does not wait for the children it has called",
        ("actors/interventions.py", "busy = (Phase.RUNNING, Phase.CALLED)\n", "busy = (Phase.RUNNING,)\n"),
        about=20,
    ),
    plant(
        "cancelled children are silent",
        "a child that is cancelled returns nothing",
        (
            "actors/calls.py",
            "    caller = header.caller\n    if caller is None:\n",
            "    caller = header.caller\n    if caller is None or header.state is InstanceState.CANCELLED:\n",
        ),
        about=20,
    ),
    plant(
        "copies return too",
        "the copy of a child answers its original's caller",
        ("actors/copies/entries.py", "    header.caller = None  # which has, or waits for, the original\n", ""),
        about=400,
    ),
    plant(
        "time of a call lost at recovery",
        "the timers of calls are not set at a start",
        ("actors/recovery.py", " or (firing.phase is Phase.CALLED and firing.due):\n", ":\n"),
        about=10,
    ),
    plant(
        "a parked return is lost",
        "a message that was set aside and is tried again is for a moment nowhere on disk",
        (
            "actors/kernel.py",
            "if isinstance(again, PostedMessage | Intervention):",
            "if isinstance(again, Undelivered):",
        ),
        about=100,
    ),
    plant(
        "state without a result",
        "what a handler puts into the state stays, though its result was stale",
        (
            "actors/receive.py",
            "        _running(workflow, turn, message)\n    elif message.puts",
            "        _running(workflow, turn, message)\n        workflow.state.change(turn, message.puts)\n"
            "    elif message.puts",
        ),
        about=10,
    ),
)
