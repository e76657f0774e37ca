"""More bugs to plant, of the form that `plants` describes: in ends, timers, answers, read arcs and maps."""

from tests.plants.plants import Plant, plant

LATER_PLANTS: tuple[Plant, ...] = (
    plant(
        "an end untold",
        "who watches an instance is not told of its end",
        (
            "actors/derivation.py",
            "                tell_watchers(workflow, turn)\n",
            "                workflow.watchers.clear()\n",
        ),
        about=5,
    ),
    plant(
        "nobody watched",
        "who watches what does not exist is told that something was not delivered, and never of an end",
        (
            "actors/delivery.py",
            "    if isinstance(message, Watch):\n",
            "    if isinstance(message, Watch) and not reason:\n",
        ),
        about=80,
    ),
    plant(
        "token to come lost at recovery",
        "tokens that are to come do not come after a start",
        ("actors/recovery.py", "        elif kind == SCHEDULED:\n", "        elif kind == SCHEDULED and not value:\n"),
        about=40,
    ),
    plant(
        "timer of an ending instance",
        "a token whose time comes while its instance is being cancelled stays to come",
        (
            "actors/schedule.py",
            "    _forget(workflow, turn, coming)\n    if workflow.header.intent in ENDING:\n",
            "    if workflow.header.intent in ENDING:\n",
        ),
        about=15,
    ),
    plant(
        "timers of a copy",
        "the timers of an instance that was imported do not come before the next start",
        ("actors/copies/arrival.py", "    wait_again(workflow, turn)\n", "    wait_again(workflow, Turn())\n"),
        about=270,
    ),
    plant(
        "imported token unbooked",
        "of the tokens of an imported place the last one is not in the history",
        (
            "actors/token_interventions.py",
            "        RecordKind.IMPORTED_TOKENS,\n        produced=tokens,\n",
            "        RecordKind.IMPORTED_TOKENS,\n        produced=tokens[:-1],\n",
        ),
        about=5,
    ),
    plant(
        "taken tokens left behind",
        "what firings of an exported composite had taken is not put into the other one",
        (
            "actors/copies/part_import.py",
            "        elif kind == FIRING:\n",
            "        elif kind == FIRING and not number:\n",
        ),
        about=34,
    ),
    plant(
        "answers handed out",
        "all answers that an actor ever gave go with each of its starts after a restart",
        ("actors/state.py", "        if not name.startswith(ANSWER):\n", "        if name:\n"),
        about=5,
    ),
    plant(
        "read copy left behind",
        "the chunks of a large value that a firing had read stay on disk",
        (
            "actors/composite.py",
            "        workflow.discard_seen(turn, firing)\n        for _, token, _ in firing.tokens:\n",
            "        for _, token, _ in firing.tokens:\n",
        ),
        about=10,
    ),
    plant(
        "group not whole",
        "a map goes on when all results of its list but one are there",
        (
            "petri/matching.py",
            "weight or count_of(key) for weight",
            "weight or max(count_of(key) - 1, 0) for weight",
        ),
        about=10,
    ),
    plant(
        "empty group forgotten",
        "a list without items is forgotten while another is put together",
        (
            "actors/composite.py",
            "again = again and arc.weight == MANY",
            "again = False",
        ),
        about=10,
    ),
    plant(
        "trouble not taken back",
        "a parent is not told that its child needs nobody any more",
        (
            "actors/troubles.py",
            "    if caller is None or state is (told.state if told is not None else None):\n",
            "    if caller is None or state is None or (told is not None and told.state is state):\n",
        ),
        about=5,
    ),
    plant(
        "trouble forgotten at waking",
        "a parent that comes into memory again no longer counts its children in trouble",
        (
            "actors/waking.py",
            "        workflow.troubled += is_in_trouble(firing)\n",
            "        workflow.troubled += 0 * is_in_trouble(firing)\n",
        ),
        about=5,
    ),
    plant(
        "a broken child untold",
        "nobody is told of a child whose actors cannot be brought back",
        ("actors/faults.py", "        tell_caller(header, turn)\n", ""),
        about=90,
    ),
    plant(
        "portion begun late",
        "of an instance that is read in portions, each portion but the first leaves out one entry",
        (
            "actors/waking.py",
            "                self._start = key\n",
            '                self._start = key + b"\\0"\n',
        ),
        about=1,
    ),
    plant(
        "loss hidden by a stop",
        "a clean stop while an instance is being read makes the losses of the crash before it uncounted",
        ("actors/kernel.py", "for root in untold(self.mail):", "for root in untold(()):"),
        about=100,
    ),
    plant(
        "sign of life of another attempt",
        "what an attempt that is over tells late is taken for a sign of life of the one that runs now",
        (
            "actors/receive.py",
            "    if firing is not None and firing.attempt == message.attempt and firing.phase is Phase.RUNNING:\n"
            "        composite.beat(",
            "    if firing is not None and firing.phase is Phase.RUNNING:\n        composite.beat(",
        ),
        about=50,
    ),
)
