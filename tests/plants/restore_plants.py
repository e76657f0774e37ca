"""Bugs in what becomes of shards that are restored from a backup, as in `plants.py`; `tests/simulation` finds them."""

from tests.plants.plants import Plant, plant

RESTORE_PLANTS: tuple[Plant, ...] = (
    plant(
        "restored shards are opened unasked",
        "a restored shard is opened though the table does not say that its restore counts",
        (
            "actors/shards/restoring.py",
            "        if row.restore != record.restore:\n",
            '        if row.restore != record.restore and record.restore == "":\n',
        ),
        about=0,
    ),
    plant(
        "a restored shard says no call again",
        "a restored shard waits for children whose answers are gone",
        (
            "actors/shards/restoring.py",
            "        self._say_calls_again(shard, ())\n",
            "",
        ),
        about=0,
    ),
    plant(
        "others say no call again",
        "calls to a restored shard that are gone there are waited for",
        (
            "actors/shards/restoring.py",
            "                said += self._say_calls_again(shard, tuple(news))\n",
            "",
        ),
        about=0,
    ),
    plant(
        "a child that has ended says nothing",
        "a child that has ended does not return again when it is called again",
        (
            "actors/calling_again.py",
            "    if workflow.header.state in TERMINAL:\n        answer_caller(workflow, turn)\n    else:\n",
            "    if workflow.header.state not in TERMINAL:\n",
        ),
        about=0,
    ),
    plant(
        "results of a life that has not been",
        "a firing takes what a child returns that was called with other values before the restore",
        (
            "actors/calls.py",
            "workflow.services.eras.is_restored(workflow.root[1])",
            "workflow.services.eras.is_restored(-1)",
        ),
        about=0,
    ),
    plant(
        "channels forget eras",
        "a channel goes on after a restore as if its numbers were those of before",
        ("actors/eras.py", "        begin = parcel.oldest - 1\n", "        begin = received.number\n"),
        about=0,
    ),
    plant(
        "eras stay behind",
        "what a shard knows of restores does not move with it",
        (
            "actors/shards/content.py",
            "BESIDE = (TASKS, SHARD, CHANNEL, RECEIVED, ERA)",
            "BESIDE = (TASKS, SHARD, CHANNEL, RECEIVED)",
        ),
        about=0,
    ),
)
