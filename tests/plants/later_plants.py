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
)
