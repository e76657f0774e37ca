"""More bugs to plant: in what comes later, ends, timers and answers. They are of the form that `plants` describes."""

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
        "a token whose time comes while its instance is being cancelled stays to come, and then comes with the next start",
        (
            "actors/schedule.py",
            "    _forget(workflow, turn, coming)\n    if workflow.header.intent in ENDING:\n",
            "    if workflow.header.intent in ENDING:\n",
        ),
        about=15,
    ),
    plant(
        "answers handed out",
        "all answers that an actor ever gave go with each of its starts after a restart",
        ("actors/state.py", "        if not name.startswith(ANSWER):\n", "        if name:\n"),
        about=5,
    ),
)
