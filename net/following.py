"""Following an instance over the network: who follows asks for the next steps whenever the last ones have come."""

import threading
from collections.abc import Callable
from concurrent.futures import Future

from placet.actors.effects import Progress
from placet.actors.errors import EngineStopped
from placet.net.answer import Followed, decode_net_answer
from placet.net.node_client import NodeClient
from placet.net.request import FollowRequest
from placet.persistence.keys import shard_of
from placet.petri.errors import PlacetError

ROUND_S = 20.0  # who hears nothing asks anew after so long
AGAIN_S = 0.5  # an engine that is ending is asked again after so long


class Following:
    """Tells a listener the steps of one instance, on the thread of the client, until `stop`."""

    def __init__(self, client: NodeClient, instance: str, listener: Callable[[Progress], None]) -> None:
        self._client = client
        self._instance = instance
        self._listener = listener
        self._stopped = threading.Event()
        self._trail = ""
        self._after = 0

    async def begin(self, timeout_s: float | None) -> None:
        """Have the engine note steps from now on. Raises as `NodeClient.ask` does."""
        seen = await self._client.ask(self._request(), Followed, self._instance, timeout_s, "follow it again")
        self._take(seen)
        self._next()

    def stop(self) -> None:
        """Tell the listener no more."""
        self._stopped.set()

    def _request(self) -> FollowRequest:
        return FollowRequest(instance=self._instance, trail=self._trail, after=self._after, patience_s=ROUND_S)

    def _take(self, seen: Followed) -> None:
        self._trail, self._after = seen.trail, seen.after
        for step in seen.steps:
            if not self._stopped.is_set():
                self._listener(step)

    def _next(self) -> None:
        if self._stopped.is_set():
            return
        try:
            pending = self._client.post(self._request(), shard_of(self._instance))
        except PlacetError:  # the client is closed: nobody follows any more
            return
        pending.answer.add_done_callback(self._heard)

    def _heard(self, answer: "Future[bytes]") -> None:
        try:
            seen = decode_net_answer(Followed, self._instance, answer.result())
        except EngineStopped:  # the next one goes on with what comes then
            timer = threading.Timer(AGAIN_S, self._next)
            timer.daemon = True
            timer.start()
            return
        except PlacetError:  # the client is closed, or the instance is gone
            return
        self._take(seen)
        self._next()
