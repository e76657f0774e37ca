"""What people do to a place or composite of an instance, as methods: the same in this process and on a node."""

from placet.actors.answers import Receipt
from placet.actors.async_verbs import AsyncPartVerbs
from placet.actors.messages import Inject, Pause, Put, Resume

ITSELF = ""  # the name by which a part calls itself


class HandleVerbs(AsyncPartVerbs):
    """`AsyncPartVerbs`, and what is done to the part itself; who derives from it makes it the instance's."""

    # -- all of it -----------------------------------------------------------------------------------------

    def pause(self, *, by: str, why: str = "", request_id: str = "", timeout_s: float | None = None) -> Receipt:
        """Choose nothing new in it; results of what is in flight are counted. Raises as `tell` does."""
        return self.tell(Pause(by=by, why=why, request_id=request_id), timeout_s)

    async def pause_async(
        self, *, by: str, why: str = "", request_id: str = "", timeout_s: float | None = None
    ) -> Receipt:
        """`pause` for asyncio."""
        return await self.tell_async(Pause(by=by, why=why, request_id=request_id), timeout_s)

    def resume(self, *, by: str, why: str = "", request_id: str = "", timeout_s: float | None = None) -> Receipt:
        """Undo a pause of it. Raises as `tell` does."""
        return self.tell(Resume(by=by, why=why, request_id=request_id), timeout_s)

    async def resume_async(
        self, *, by: str, why: str = "", request_id: str = "", timeout_s: float | None = None
    ) -> Receipt:
        """`resume` for asyncio."""
        return await self.tell_async(Resume(by=by, why=why, request_id=request_id), timeout_s)

    # -- of a place ----------------------------------------------------------------------------------------

    def put(
        self, value: object, *, by: str = "", why: str = "", request_id: str = "", timeout_s: float | None = None
    ) -> Receipt:
        """Put a token into this place, which is fed from outside. Raises as `Instance.put` does."""
        return self._tell(self._put(value, by, why, request_id), timeout_s)

    async def put_async(
        self, value: object, *, by: str = "", why: str = "", request_id: str = "", timeout_s: float | None = None
    ) -> Receipt:
        """`put` for asyncio."""
        return await self._tell_async(self._put(value, by, why, request_id), timeout_s)

    def _put(self, value: object, by: str, why: str, request_id: str) -> Put:
        return Put(place=ITSELF, value=self._encoded(ITSELF, value), by=by, why=why, request_id=request_id)

    def inject(
        self, value: object, *, by: str, why: str = "", request_id: str = "", timeout_s: float | None = None
    ) -> Receipt:
        """Put a token into this place, whatever it is. Raises as `Instance.inject` does."""
        return self._tell(self._inject(value, by, why, request_id), timeout_s)

    async def inject_async(
        self, value: object, *, by: str, why: str = "", request_id: str = "", timeout_s: float | None = None
    ) -> Receipt:
        """`inject` for asyncio."""
        return await self._tell_async(self._inject(value, by, why, request_id), timeout_s)

    def _inject(self, value: object, by: str, why: str, request_id: str) -> Inject:
        return Inject(place=ITSELF, value=self._encoded(ITSELF, value), by=by, why=why, request_id=request_id)
