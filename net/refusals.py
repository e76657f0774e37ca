"""Who was refused: a line a host and ten seconds, and the door shut to hosts that try too often. Pure, and bounded."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

LINE_S: Final = 10.0  # between two lines about one host
COUNT_S: Final = 10.0  # refusals are counted over so long
MOST_REFUSALS: Final = 50  # of one host within that time
BARRED_S: Final = 30.0  # then its connections are dropped at once for so long
GOOD_S: Final = 3_600.0  # a host that has shown a cluster key is not barred for so long
MOST_HOSTS: Final = 256  # remembered, of each sort: those heard of longest ago are forgotten


@dataclass(slots=True)
class _Host:
    """What is remembered of a host that was refused."""

    told_s: float = float("-inf")  # when a line was written about it last
    untold: int = 0  # refusals since
    begun_s: float = 0.0  # when counting began
    count: int = 0
    barred_until_s: float = float("-inf")


class Refusals:
    """Remembers refusals by host; `spared` hosts are never barred, such as this one: its own processes come from it."""

    def __init__(self, spared: frozenset[str] = frozenset()) -> None:
        self._spared = spared
        self._hosts: OrderedDict[str, _Host] = OrderedDict()
        self._good: OrderedDict[str, float] = OrderedDict()  # when a host showed a cluster key last

    def note(self, host: str, reason: str, now_s: float) -> str:
        """Take note of a refusal and return the line to write about it, or ""."""
        known = self._hosts.pop(host, None) or _Host(begun_s=now_s)
        self._hosts[host] = known
        if len(self._hosts) > MOST_HOSTS:
            self._hosts.popitem(last=False)
        if now_s - known.begun_s >= COUNT_S:
            known.begun_s, known.count = now_s, 0
        known.count += 1
        if known.count > MOST_REFUSALS and not self._is_spared(host, now_s):
            known.barred_until_s = now_s + BARRED_S
            known.begun_s, known.count = now_s, 0
            return self._line(known, now_s, f"{reason}; its connections are dropped for {BARRED_S:.0f} s", host)
        if now_s - known.told_s < LINE_S:
            known.untold += 1
            return ""
        return self._line(known, now_s, reason, host)

    def welcome(self, host: str, now_s: float) -> None:
        """Take note that a host has shown a cluster key."""
        self._good.pop(host, None)
        self._good[host] = now_s
        if len(self._good) > MOST_HOSTS:
            self._good.popitem(last=False)

    def is_barred(self, host: str, now_s: float) -> bool:
        """Return whether connections of a host are to be dropped at once."""
        known = self._hosts.get(host)
        return known is not None and now_s < known.barred_until_s

    def _is_spared(self, host: str, now_s: float) -> bool:
        return host in self._spared or host.startswith("127.") or now_s - self._good.get(host, -GOOD_S) < GOOD_S

    def _line(self, known: _Host, now_s: float, reason: str, host: str) -> str:
        more = f"; {known.untold} more since the last line about it" if known.untold else ""
        known.told_s, known.untold = now_s, 0
        return f"refused a peer at {host}: {reason}{more}"
