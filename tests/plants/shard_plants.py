"""Bugs in how shards move, as in `plants.py`."""

from tests.plants.plants import Plant, plant

SHARD_PLANTS: tuple[Plant, ...] = (
    plant(
        "goes on after it moved",
        "a shard that has moved goes on in the engine that let go of it",
        (
            "actors/shards/leaving.py",
            "                self._leave(leaving.shard)\n",
            "                self._thaw(leaving.shard)\n",
        ),
        about=1,
    ),
    plant(
        "opened unconfirmed",
        "a shard is opened when its owner lets go of it, without the table",
        (
            "actors/shards/shards.py",
            "                self.arrivals.moved_away(message)\n",
            "                row = Row(message.shard, message.epoch, self._moment.engine)\n"
            "                self._assigned(Assigned((row,)))\n",
        ),
        about=5,
    ),
    plant(
        "outbox left behind",
        "what stands in the outbox for instances of a shard does not move with it",
        (
            "actors/shards/leaving.py",
            "chain(content.changed(changes), content.posts())",
            "chain(content.changed(changes))",
        ),
        about=70,
    ),
    plant(
        "received numbers left behind",
        "a shard forgets at a move what it has taken in from others",
        (
            "actors/shards/content.py",
            "BESIDE = (TASKS, SHARD, CHANNEL, RECEIVED, ERA)",
            "BESIDE = (TASKS, SHARD, CHANNEL, ERA)",
        ),
        about=2,
    ),
    plant(
        "deletes not copied",
        "what is deleted while a shard is being copied is there again in the copy",
        (
            "actors/shards/content.py",
            "            if key[1] == self.shard:\n                self.keys.add(key)\n",
            "            if key[1] == self.shard and value is not None:\n                self.keys.add(key)\n",
        ),
        about=14,
    ),
    plant(
        "history of an older header",
        "history is followed from a header that was read before it was changed",
        (
            "actors/shards/content.py",
            "                yield from self._history_of(key[:ROOT_BYTES])\n",
            "                known = walk(self._view, header.link)\n"
            "                keys = [history_key(one) for one, _ in known if one <= self._history]\n"
            "                yield from self._records(key[:ROOT_BYTES], keys[::-1])\n",
        ),
        about=1,
    ),
    plant(
        "moved, and called off",
        "an engine that has let go of a shard says that the move was called off, when it is asked again",
        (
            "actors/shards/leaving.py",
            "        elif isinstance(record, Moved) and record.move == message.move:\n"
            "            self._say_moved(message.shard, record)\n",
            "",
        ),
        about=1,
    ),
    plant(
        "staged copy thrown away at a start",
        "a start throws away a whole copy, as it does one that is not whole",
        (
            "actors/shards/arriving.py",
            "            if isinstance(record, Staged):\n                self._staged[shard] = -inf\n"
            "            elif isinstance(record, Arriving) or (",
            "            if isinstance(record, Staged | Arriving) or (",
        ),
        about=1,
    ),
    plant(
        "parcels taken in by a frozen shard",
        "a frozen shard takes in parcels, which the copy of it lacks",
        (
            "actors/outbox.py",
            "        if not self._has(channel[1]):\n"
            "            return None  # it comes again, to whoever has the shard by then\n",
            "",
        ),
        about=2,
    ),
    plant(
        "lost by moving",
        "handlers that run where a shard was moved from count as lost at once",
        (
            "actors/shards/shards.py",
            "            self.elsewhere.begin(found.running)\n        stopped_s = inf if is_new else self._stopped_s",
            "            pass\n        stopped_s = self._stopped_s",
        ),
        about=5,
    ),
    plant(
        "frozen requests forgotten",
        "what clients ask of a shard while it is frozen is never answered if it moves",
        (
            "actors/shards/shards.py",
            "        for message in self._held.pop(shard, ()):\n            self._turn_away(shard, message)\n",
            "        self._held.pop(shard, None)\n",
        ),
        about=1,
    ),
    plant(
        "offers taken late",
        "an offer of a shard that was on its way for longer than it holds is gone on with, and its timers are late",
        (
            "actors/shards/leaving.py",
            "        if self._moment.now >= leaving.ends_at:  # an offer is not to be taken late: see `Arrivals`\n"
            '            self._call_off(leaving, f"{leaving.to} does not answer")\n'
            "            return\n",
            "",
        ),
        about=31,
    ),
    plant(
        "room that nobody is told of",
        "who waits for a full shard is not woken when what fills it has arrived",
        (
            "actors/credit.py",
            "        if shard in self._waiting:\n            self.roomy[shard] = None\n",
            "",
        ),
        about=13,
    ),
    plant(
        "calls past a full shard",
        "calls are chosen though the one shard their children may live in takes no more",
        (
            "actors/congestion.py",
            "    return shard == ANYWHERE or _takes(workflow, shard)\n\n\ndef may_go_on(",
            "    return True\n\n\ndef may_go_on(",
        ),
        about=13,
    ),
    plant(
        "stuck for want of room",
        "an instance that waits for nothing but room is told to be stuck",
        ("actors/derivation.py", "    if held_up(workflow):\n        return _S.WAITING\n", ""),
        about=55,
    ),
    plant(
        "held up, and forgotten",
        "a handler that was held up is started again as soon as there is a slot",
        ("actors/congestion.py", "        return firing.held_up\n", "        return ANYWHERE\n"),
        about=113,
    ),
    plant(
        "returns that wait for room",
        "what a child returns is not sent while the shard of its caller takes no more",
        (
            "actors/kernel.py",
            "            self._send(instance, data)\n        if isinstance(aside.answer",
            "            delivery = decode_delivery(data)\n"
            "            if not isinstance(delivery, Return) or self.credit.has_room(shard_of(delivery.instance)):\n"
            "                self._send(instance, data)\n        if isinstance(aside.answer",
        ),
        (
            "actors/kernel.py",
            "    Sent,\n    Spawn,\n    decode_message,\n",
            "    Return,\n    Sent,\n    Spawn,\n    decode_delivery,\n    decode_message,\n",
        ),
        (
            "actors/kernel.py",
            "STAMP, address_key, entry_key, outbox_key\n",
            "STAMP, address_key, entry_key, outbox_key, shard_of\n",
        ),
        about=1,
    ),
)
